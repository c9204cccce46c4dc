"""One netcont at a time changes a namespace; the next one waits, but not for ever."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netcont.errors import PrerequisiteError

WAIT_S = 30.0
_EACH_S = 0.05
_WAIT_FOR = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def locked(path: Path, wait_s: float = WAIT_S) -> Iterator[None]:
    """The lock is held within the block; the kernel drops it if the process dies.

    Raises PrerequisiteError if another one holds it for longer than wait_s, or if it cannot be
    made.
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
        until_s = time.monotonic() + wait_s
        while not _taken(file.fileno()):
            if time.monotonic() >= until_s:
                holder = file.read(20).strip() or "?"
                raise PrerequisiteError(
                    f"another netcont (process {holder}) has been at work here for {wait_s:g} s",
                    remedy=f"wait for it, or see what it does: `ps {holder}`",
                )
            time.sleep(_EACH_S)
        file.truncate(0)
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
