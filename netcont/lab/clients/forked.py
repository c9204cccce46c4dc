"""A function run in a forked child, its value brought back through memory.

Forking instead of starting a program: the child finds everything imported, and reads no file.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import resource
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, NoReturn, TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent (the thread that forked it) dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It died before the kernel was told.
        os._exit(1)


def raise_file_limit() -> None:
    """As many descriptors as the hard limit allows: a thousand clients need more than 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass(frozen=True)
class Finished(Generic[T]):
    """How a child ended: its function's value, or why there is none."""

    value: T | None
    failure: str | None


class Forked(Generic[T]):
    """A child process that computes one value."""

    def __init__(self, pid: int, memory: int, label: str) -> None:
        self.pid = pid
        self.label = label
        self._memory = memory
        self._finished: Finished[T] | None = None

    def collect(self, timeout_s: float) -> Finished[T]:
        """Wait for the child's end; after timeout_s it is killed. May be called again."""
        if self._finished is None:
            ended = self._wait(timeout_s)
            if not ended:
                self._signal(signal.SIGKILL)
            status = self._reap()
            late = None if ended else f"did not end within {timeout_s:g} s and was killed"
            self._finished = self._read(status, late)
        return self._finished

    def kill(self) -> None:
        """End the child at once."""
        if self._finished is None:
            self._signal(signal.SIGKILL)
            self.collect(5.0)

    def _wait(self, timeout_s: float) -> bool:
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(max(0, round(timeout_s * 1000))))
        finally:
            os.close(descriptor)

    def _signal(self, number: int) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def _reap(self) -> int:
        try:
            return os.waitpid(self.pid, 0)[1]
        except ChildProcessError:
            return 0  # Somebody else has reaped it; what it left in memory counts.

    def _read(self, status: int, late: str | None) -> Finished[T]:
        size = os.fstat(self._memory).st_size
        data = b""
        while len(data) < size:
            data += os.pread(self._memory, size - len(data), len(data))
        os.close(self._memory)
        if late is not None:
            return Finished(None, late)
        if os.WIFSIGNALED(status):
            return Finished(None, f"was ended by {signal.Signals(os.WTERMSIG(status)).name}")
        if not data:
            return Finished(None, f"ended with status {os.waitstatus_to_exitcode(status)}")
        finished: Finished[T] = pickle.loads(data)
        return finished


def _prepare_child(parent: int) -> None:
    die_with_parent(parent)
    signal.set_wakeup_fd(-1)
    # ^C is the worker's to handle: it ends its children in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # A collection in the middle of a measurement would touch every inherited page.
    gc.disable()
    gc.freeze()


def _child(task: Callable[[], T], enter: Callable[[], None], memory: int, parent: int) -> NoReturn:
    finished: Finished[T]
    try:
        _prepare_child(parent)
        enter()
        finished = Finished(task(), None)
    except BaseException as error:  # noqa: BLE001 - the child's top frame: nothing may escape it
        finished = Finished(None, f"failed: {type(error).__name__}: {error}")
    try:
        data = memoryview(pickle.dumps(finished, pickle.HIGHEST_PROTOCOL))
        while data:
            data = data[os.write(memory, data) :]
    finally:
        # Not sys.exit: buffers and exit handlers are the parent's, and would run twice.
        os._exit(0)


def fork(task: Callable[[], T], enter: Callable[[], None], label: str) -> Forked[T]:
    """Run enter (into a network namespace, say) and then task in a child of this process."""
    raise_file_limit()
    memory = os.memfd_create(label[:200], os.MFD_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(task, enter, memory, parent)
    return Forked(pid, memory, label)
