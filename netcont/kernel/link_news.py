"""What the kernel tells of links, waited for: rtnetlink(7), RTMGRP_LINK."""

from __future__ import annotations

import select
import socket
import time
from types import TracebackType
from typing import Self

from netcont.errors import KernelError
from netcont.kernel.lookup import is_running
from netcont.kernel.namespace import Namespace

_RTMGRP_LINK = 1
_BYTES = 1 << 16


class LinkNews:
    """A context manager that hears from its start on what becomes of a node's links."""

    def __init__(self, node: Namespace) -> None:
        self._node = node
        with node.entered():
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
            )
        try:
            self._socket.bind((0, _RTMGRP_LINK))
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def wait_running(self, link: str, limit_s: float) -> None:
        """Returns once frames go through link. Raises KernelError if they do not within limit_s."""
        deadline_s = time.monotonic() + limit_s
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while not is_running(self._node, link):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise KernelError(
                    f"{self._node.name}: {link} has no carrier after {limit_s:g} s",
                    remedy="is the other end of its cable up?",
                )
            poll.poll(left_s * 1000)
            self._take()

    def _take(self) -> None:
        """Whatever was told; that something was is enough, even if more than there was room for."""
        try:
            while self._socket.recv(_BYTES):
                pass
        except OSError:
            return
