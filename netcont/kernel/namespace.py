"""A network namespace that is acted upon from outside: its netlink socket, its sysctls."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netcont.errors import KernelError, PrerequisiteError

CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


@cache
def _libc() -> Any:
    # Who stays in one namespace need not wait for this import.
    from ctypes import CDLL

    return CDLL(None, use_errno=True)


def _errno() -> int:
    from ctypes import get_errno

    return get_errno()


def set_namespace(descriptor: int) -> None:
    """Moves the calling thread into the network namespace of descriptor. Raises KernelError."""
    if _libc().setns(descriptor, CLONE_NEWNET) != 0:
        code = _errno()
        raise KernelError(f"setns: {os.strerror(code)}", errno=code, remedy="run as root")


def die_with_parent() -> None:
    """Has the kernel kill this process when the one that forked it ends."""
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def create_namespace() -> int:
    """Forks a process that holds a new network namespace and does nothing else; returns its id.

    Raises PrerequisiteError where the privilege is missing.
    """
    ready, tell = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _hold_namespace(tell, parent)
    os.close(tell)
    with os.fdopen(ready, "rb") as pipe:
        answer = pipe.read()
    if answer != b"ok":
        os.waitpid(pid, 0)
        raise PrerequisiteError(
            f"no network namespace: {answer.decode() or 'its process died'}",
            remedy="run as root, or use --lab vm",
        )
    return pid


def _hold_namespace(tell: int, parent: int) -> None:
    die_with_parent()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN if signum == signal.SIGINT else signal.SIG_DFL)
    os.setpgid(0, 0)
    answer = b"ok"
    if _libc().unshare(CLONE_NEWNET) != 0:
        answer = os.strerror(_errno()).encode()
    os.write(tell, answer)
    os.close(tell)
    while answer == b"ok" and os.getppid() == parent:
        signal.pause()
    os._exit(0)


class Namespace:
    """One node's network namespace, with its netlink socket opened on first use.

    pid: a process that lives in it. A context manager; the namespace itself is not touched by it.
    """

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self._descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._route: Any = None
        self._owner = (0, 0)
        self._indices: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the netlink socket and the namespace's descriptor."""
        self.hang_up()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def hang_up(self) -> None:
        """Closes the netlink socket; to be called by the thread that has used it."""
        if self._route is not None and self._owner[0] == os.getpid():
            self._route.close()
        self._route = None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is in this namespace within the block."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            set_namespace(self._descriptor)
            try:
                yield
            finally:
                set_namespace(home)
        finally:
            os.close(home)

    def enter(self) -> None:
        """Moves the calling thread here for good (for a forked child)."""
        set_namespace(self._descriptor)

    @property
    def route(self) -> Any:
        """pyroute2's IPRoute in this namespace; each process and thread gets its own socket.

        In another thread it would open one by itself, in whatever namespace that thread is. Who
        needs it imports pyroute2 early, if time matters: it takes longer than most commands.
        """
        asking = (os.getpid(), threading.get_ident())
        if self._route is None or self._owner != asking:
            from pyroute2 import IPRoute

            with self.entered():
                self._route = IPRoute(groups=0)
            self._owner = asking
        return self._route

    def index(self, link: str) -> int:
        """The interface index of link, asked of the kernel by name. Raises KernelError."""
        known = self._indices.get(link)
        if known is not None:
            return known
        with self.entered():
            try:
                found = socket.if_nametoindex(link)
            except OSError as error:
                raise no_link(self.name, link) from error
        self._indices[link] = found
        return found

    def forget(self, link: str) -> None:
        """The link was removed, added or moved: its index must be asked for again."""
        self._indices.pop(link, None)

    def read_sysctl(self, key: str) -> str:
        """The value of a net.* setting here. Raises KernelError."""
        with self.entered():
            try:
                return _sysctl_path(key).read_text().strip()
            except OSError as error:
                what = f"{self.name}: {key}: {error.strerror}"
                raise KernelError(what, errno=error.errno) from error

    def write_sysctl(self, key: str, value: str) -> None:
        """Sets a net.* setting here. Raises KernelError."""
        with self.entered():
            try:
                _sysctl_path(key).write_text(value)
            except OSError as error:
                what = f"{self.name}: {key}={value}: {error.strerror}"
                raise KernelError(what, errno=error.errno) from error


def no_link(node: str, link: str) -> KernelError:
    """The error where a link is asked for that is not there."""
    return KernelError(
        f"{node} has no link {link!r}",
        errno=errno.ENODEV,
        remedy="`ip link` there shows what it has",
    )


def _sysctl_path(key: str) -> Path:
    # A dot inside an interface name is written as a slash (sysctl(8)); netcont's names have none,
    # but a VLAN's may: split at the first three dots and keep the last part whole.
    parts = key.split(".")
    if parts[:1] == ["net"] and len(parts) > 5:
        parts = [*parts[:3], ".".join(parts[3:-1]), parts[-1]]
    return Path("/proc/sys", *parts)
