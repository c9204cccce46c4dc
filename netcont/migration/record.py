"""What an engine has done, in a small file that survives it.

One JSON object a line, appended and synced before the state that it names takes effect. The
engine holds a lock on the file as long as it lives, so that a recovery never acts beside it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from netcont.errors import MigrationError
from netcont.migration.phases import Side, State


@dataclass(frozen=True)
class Entry:
    """One line: the state that began, when (seconds of the engine's clock), and why or None."""

    run_id: str
    side: Side
    state: State
    at_s: float
    reason: str | None = None


def read_record(path: Path) -> tuple[Entry, ...]:
    """The entries of the record at path; none if there is no file.

    A torn last line (the engine died while writing it) never took effect and is left out.
    Raises MigrationError if another line is damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    lines = data.split(b"\n")
    entries = []
    for number, line in enumerate(lines[:-1], start=1):
        entry = _parse(line)
        if entry is None:
            raise MigrationError(
                f"line {number} of the commit record {path} is damaged",
                remedy="find out by hand at which site the guest runs, then remove the file",
            )
        entries.append(entry)
    return tuple(entries)


def _parse(line: bytes) -> Entry | None:
    try:
        fields = json.loads(line)
        return Entry(
            run_id=str(fields["run_id"]),
            side=Side(fields["side"]),
            state=State(fields["state"]),
            at_s=float(fields["at_s"]),
            reason=fields["reason"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def last_state(entries: tuple[Entry, ...]) -> State | None:
    """The state that the record ends in; None if nothing was recorded."""
    return entries[-1].state if entries else None


def has_committed(entries: tuple[Entry, ...]) -> bool:
    """Whether a destination's record holds the commit record (the entry of state resume)."""
    return any(entry.side is Side.DESTINATION and entry.state is State.RESUME for entry in entries)


class Record:
    """An engine's own record, open for appending and locked.

    Raises MigrationError if another engine holds it, or if it belongs to another run or side.
    """

    def __init__(self, path: Path, run_id: str, side: Side, clock: Callable[[], float]) -> None:
        self._run_id = run_id
        self._side = side
        self._clock = clock
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.entries = self._check(path)
        except BlockingIOError:
            os.close(self._fd)
            raise MigrationError(
                f"the {side} engine of run {run_id} is still alive: it holds {path}",
                remedy="wait for it, or end it, before recovering",
            ) from None
        except MigrationError:
            os.close(self._fd)
            raise

    def _check(self, path: Path) -> tuple[Entry, ...]:
        entries = read_record(path)
        for entry in entries:
            if (entry.run_id, entry.side) != (self._run_id, self._side):
                raise MigrationError(
                    f"{path} is the record of the {entry.side} of run {entry.run_id}, "
                    f"not of the {self._side} of run {self._run_id}"
                )
        whole = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(self._fd, whole)  # a torn line must not swallow the next one
        return entries

    def write(self, state: State, reason: str | None = None) -> float:
        """Appends and syncs one entry; returns its instant. Raises OSError (disk full, …)."""
        at_s = self._clock()
        entry = Entry(self._run_id, self._side, state, at_s, reason)
        line = json.dumps(vars(entry)).encode() + b"\n"
        before = os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, line) != len(line):
                raise OSError(errno.ENOSPC, "no room for the commit record")
            os.fsync(self._fd)
        except OSError:
            # What the caller takes for not recorded must not be found by a recovery either.
            os.ftruncate(self._fd, before)
            raise
        self.entries = (*self.entries, entry)
        return at_s

    def close(self) -> None:
        """Closes the file and gives up the lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
