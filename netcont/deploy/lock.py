"""One netcont at a time changes a namespace; the next one waits, but not for ever."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from netcont.errors import PrerequisiteError

Tell = Callable[[str], None]
"""Says something to whoever waits."""

WAIT_S = 30.0
_EACH_S = 0.05
_MOMENT_S = 1.0
_WAIT_FOR = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def silent(words: str) -> None:
    """Who tells nobody."""


@contextmanager
def locked(path: Path, wait_s: float = WAIT_S, tell: Tell = silent) -> Iterator[None]:
    """The lock is held within the block; the kernel drops it if the process dies.

    tell: is told once whom it waits for, if that takes longer than a moment. Raises
    PrerequisiteError if another one holds it for longer than wait_s, or if it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PrerequisiteError(
            f"{path}: cannot be locked: {error.strerror}",
            remedy="run as root, or give --state-dir",
        ) from error
    with os.fdopen(descriptor, "r+") as file:
        began_s, told = time.monotonic(), False
        while not _taken(file.fileno()):
            waited_s = time.monotonic() - began_s
            file.seek(0)
            holder = file.read(20).strip() or "?"
            if waited_s >= wait_s:
                raise PrerequisiteError(
                    f"another netcont (process {holder}) has been at work here for {wait_s:g} s",
                    remedy=f"wait for it, or see what it does: `ps {holder}`",
                )
            if waited_s >= _MOMENT_S and not told:
                told = True
                tell(f"waiting for another netcont (process {holder}), {wait_s:g} s at most")
            time.sleep(_EACH_S)
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and a lost session wait until the kernel is in one state or the other."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAIT_FOR)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
