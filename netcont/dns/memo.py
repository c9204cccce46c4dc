"""What `netcont dns prepare` remembers until the move: the old TTL, and when it has run out.

The zone itself forgets it: once the TTL is lowered, nothing there tells that caches may still
hold the record for the old one. One JSON file a name, below $XDG_STATE_HOME/netcont/dns.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from netcont.errors import ConfigurationError


@dataclass(frozen=True)
class Memo:
    """old_ttl_s: before the first lowering; ttl_s: since then; safe_at_s: when no well-behaved
    cache has the old TTL any more (seconds since 1970)."""

    name: str
    old_ttl_s: int
    ttl_s: int
    safe_at_s: float


def state_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """netcont's state directory by the XDG rules; a relative XDG_STATE_HOME does not count."""
    configured = environment.get("XDG_STATE_HOME", "")
    if configured and Path(configured).is_absolute():
        return Path(configured) / "netcont" / "dns"
    home = environment.get("HOME")
    return (Path(home) if home else Path.home()) / ".local" / "state" / "netcont" / "dns"


@dataclass(frozen=True)
class Memory:
    """The memos in a directory."""

    directory: Path

    def recall(self, name: str) -> Memo | None:
        """The memo of a name; None if there is none that can be read."""
        try:
            content = json.loads(self._path(name).read_text(encoding="utf-8"))
            return Memo(
                name,
                int(content["old_ttl_s"]),
                int(content["ttl_s"]),
                float(content["safe_at_s"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, memo: Memo) -> None:
        """Writes the memo in the place of the name's earlier one. Raises ConfigurationError."""
        path = self._path(memo.name)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(asdict(memo), indent=2) + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise ConfigurationError(
                f"the old TTL of {memo.name}, {memo.old_ttl_s} s, cannot be remembered in "
                f"{path}: {error.strerror}",
                remedy="set XDG_STATE_HOME to a directory that can be written",
            ) from error

    def forget(self, name: str) -> None:
        """The old TTL is back."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        # A slash may be in a name (RFC 2181 §11), and must not be in a file's.
        return self.directory / f"{name.rstrip('.').replace('/', '%2F')}.json"
