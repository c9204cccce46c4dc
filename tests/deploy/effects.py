"""Every single thing that a process does to a kernel, to records and to name servers, one by one.

An effect is a request to rtnetlink that changes something, also one among many in one system call,
or a batch of nftables;
a file below a directory of records, or a setting below /proc/sys, that is opened for writing,
renamed or removed; a DNS update that is sent. The process that is watched is a child of the test's:
it is told nothing, and is killed right before the effect of a number. Where that is in the midst of
a system call's requests, those before it are made.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_WRITES = os.O_WRONLY | os.O_RDWR
_NETFILTER, _BATCH_BEGIN = 12, 0x10  # NETLINK_NETFILTER, NFNL_MSG_BATCH_BEGIN
_DNS_UPDATE = 5  # RFC 2136 §1.3


def kill() -> None:
    """Ends this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Effects:
    """at: before which effect, counted from 1, something is done; 0: never, None: before each.
    files: where those that are written count."""

    at: int | None
    files: Path
    do: Callable[[], None] = kill
    passed: int = 0

    def watch(self) -> None:
        """From now on, until this process ends."""
        sys.addaudithook(self._heard)
        send, sendto = socket.socket.send, socket.socket.sendto

        def watched_send(one: socket.socket, data: Any, *rest: Any) -> int:
            sent = 0
            if one.family == socket.AF_NETLINK:
                for start in _changing(bytes(data), one.proto):
                    if self._is_due():
                        sent += send(one, bytes(data)[sent:start]) if start else 0
                        self.do()
            elif _updates(one, data) and self._is_due():
                self.do()
            return sent + send(one, bytes(data)[sent:], *rest)

        def watched_sendto(one: socket.socket, data: Any, *rest: Any) -> int:
            if _updates(one, data) and self._is_due():
                self.do()
            return sendto(one, data, *rest)

        setattr(socket.socket, "send", watched_send)  # noqa: B010 - a method of a class
        setattr(socket.socket, "sendto", watched_sendto)  # noqa: B010

    def _is_due(self) -> bool:
        self.passed += 1
        return self.at in (None, self.passed)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        written = event in ("os.rename", "os.remove") or (
            event == "open" and bool(arguments[2] & _WRITES)
        )
        if written and self._counts(arguments[0]) and self._is_due():
            self.do()

    def _counts(self, path: object) -> bool:
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        return str(text).startswith(("/proc/sys/", str(self.files)))


def _changing(data: bytes, protocol: int) -> Iterator[int]:
    """Where the requests begin that do more than ask (RTM_GET…: every fourth). A batch of nftables
    is one, whatever is in it."""
    if protocol == _NETFILTER:
        if _HEADER.unpack_from(data)[1] == _BATCH_BEGIN:
            yield 0
        return
    place = 0
    while place < len(data):
        length, kind, *_ = _HEADER.unpack_from(data, place)
        if kind % 4 != 2:
            yield place
        place += (length + 3) & ~3


def _updates(one: socket.socket, data: Any) -> bool:
    inet = one.family in (socket.AF_INET, socket.AF_INET6)
    return inet and len(data) > 2 and bytes(data)[2] >> 3 & 0xF == _DNS_UPDATE
