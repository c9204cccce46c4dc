"""Counts requests that leave the lab VM for the host's file system (9p).

Each of them waits for the real world while virtual time jumps on: a measurement in which any were
made is disturbed.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

_TRACING = Path("/sys/kernel/tracing")
_EVENT = _TRACING / "events/9p/9p_client_req"


class HostReads:
    """A context manager; count is None where there is no 9p to count (not in a lab VM)."""

    def __init__(self) -> None:
        self.count: int | None = None

    def __enter__(self) -> Self:
        if self.possible():
            (_TRACING / "trace").write_text("")
            (_EVENT / "enable").write_text("1")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.possible():
            (_EVENT / "enable").write_text("0")
            self.count = _entries((_TRACING / "per_cpu/cpu0/stats").read_text())
            self.trace = (_TRACING / "trace").read_text()

    @staticmethod
    def possible() -> bool:
        """Whether this kernel serves files over 9p and can trace it."""
        return _EVENT.is_dir()


def _entries(stats: str) -> int:
    fields = dict(line.split(":", 1) for line in stats.splitlines() if ":" in line)
    return int(fields["entries"]) + int(fields["overrun"])
