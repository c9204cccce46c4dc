"""What netcont remembers of a name from one command to the next, because its zone forgets it.

Of a preparation the old TTL, and when it has run out: once it is lowered, nothing in the zone
tells that caches may still hold the record. Of a move, until it is done, the old addresses: once
the name has new ones, nothing tells whose pointers must still go. One JSON file a name and kind,
below $XDG_STATE_HOME/netcont/dns.
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


@dataclass(frozen=True)
class Unfinished:
    """A move of name to the addresses to, under way; leaving: whose pointers must go."""

    name: str
    to: tuple[str, ...]
    leaving: tuple[str, ...]


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
        self._write(self._path(memo.name), asdict(memo), f"the old TTL, {memo.old_ttl_s} s")

    def forget(self, name: str) -> None:
        """The old TTL is back."""
        self._path(name).unlink(missing_ok=True)

    def unfinished(self, name: str) -> Unfinished | None:
        """The move of a name that was begun here and did not come to its end, if it can be read."""
        try:
            content = json.loads(self._unfinished(name).read_text(encoding="utf-8"))
            to, leaving = (tuple(map(str, content[key])) for key in ("to", "leaving"))
            return Unfinished(name, to, leaving)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self, move: Unfinished) -> None:
        """Remembers a move before its first change. Raises ConfigurationError."""
        what = f"the move from {', '.join(move.leaving)}"
        self._write(self._unfinished(move.name), asdict(move), what)

    def finish(self, name: str) -> None:
        """The move is done."""
        self._unfinished(name).unlink(missing_ok=True)

    def _write(self, path: Path, content: dict[str, object], what: str) -> None:
        part = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise ConfigurationError(
                f"{content['name']}: {what}, cannot be remembered in {path}: {error.strerror}",
                remedy="set XDG_STATE_HOME to a directory that can be written",
            ) from error

    def _path(self, name: str) -> Path:
        # A slash may be in a name (RFC 2181 §11), and must not be in a file's.
        return self.directory / f"{name.rstrip('.').replace('/', '%2F')}.json"

    def _unfinished(self, name: str) -> Path:
        return self.directory / "unfinished" / self._path(name).name
