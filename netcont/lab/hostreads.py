"""Counts requests that leave the lab VM for the host's file system (9p).

Each of them waits for the real world while virtual time jumps on: a measurement in which any were
made is disturbed.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from netcont.lab.opened import OpenedFiles

_TRACING = Path("/sys/kernel/tracing")
_REQUESTS = _TRACING / "events/9p/9p_client_req"
_ANSWERS = _TRACING / "events/9p/9p_client_res"
_STATS = _TRACING / "per_cpu/cpu0/stats"
_WHO = re.compile(r"^\s*(.+)-\d+\s+\[", re.MULTILINE)
_NAMED = 5
# However many looks fit into the idle virtual time of one request: each takes some real time.
_PATIENT_LOOKS = 2000


class HostReads:
    """A context manager; count is None where there is no 9p to count (not in a lab VM).

    by_program: requests by the name of the process that made them. opened: files and directories
    outside of the lab's memory that were opened meanwhile.
    """

    def __init__(self) -> None:
        self.count: int | None = None
        self.by_program: dict[str, int] = {}
        self.opened: tuple[str, ...] = ()
        self._opened = OpenedFiles("/")

    def __enter__(self) -> Self:
        if self.possible():
            self._opened.start()
            (_TRACING / "trace").write_text("")
            (_REQUESTS / "enable").write_text("1")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.possible():
            (_REQUESTS / "enable").write_text("0")
            self.count = _entries()
            if self.count:
                self.trace = (_TRACING / "trace").read_text()
                self.by_program = dict(Counter(_WHO.findall(self.trace)).most_common())
            self.opened = self._opened.finish()

    @property
    def causes(self) -> str:
        """Who made the requests, as part of a sentence; empty if nobody did."""
        named = list(self.by_program.items())[:_NAMED]
        rest = "" if len(self.by_program) <= _NAMED else ", …"
        return ", ".join(f"{name} {count}" for name, count in named) + rest

    @staticmethod
    def possible() -> bool:
        """Whether this kernel serves files over 9p and can trace it."""
        return _REQUESTS.is_dir()


class HostTraffic:
    """Tells while something waits for the host: virtual time that passes meanwhile means nothing.

    A context manager, not to be nested in HostReads.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._unpaired = 1
        self._looks = 0
        self._possible = HostReads.possible()

    def __enter__(self) -> Self:
        self._enable("1")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._enable("0")

    def moved(self) -> bool:
        """Whether a request was made or answered since the last call, or is under way."""
        if not self._possible:
            return False
        before, self._seen = self._seen, _entries()
        # Each request is followed by its answer.
        if self._seen == before and self._seen % 2 == self._unpaired:
            self._looks += 1
            if self._looks > _PATIENT_LOOKS:
                # The request to that answer was made before anybody counted.
                self._unpaired = 1 - self._unpaired
                self._looks = 0
            return True
        self._looks = 0
        return self._seen != before

    def _enable(self, value: str) -> None:
        if self._possible:
            (_TRACING / "trace").write_text("")
            (_REQUESTS / "enable").write_text(value)
            (_ANSWERS / "enable").write_text(value)


def _entries() -> int:
    fields = dict(line.split(":", 1) for line in _STATS.read_text().splitlines() if ":" in line)
    return int(fields["entries"]) + int(fields["overrun"])
