"""Requests to rtnetlink in one order, sent while the next ones are being written.

The kernel does what it is asked within the system call, without Python's lock: a thread that waits
there leaves the caller the time to write. Few requests are sent by the caller itself.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import Self

from netcont.errors import NetcontError
from netcont.kernel.namespace import Namespace
from netcont.kernel.performing import refused
from netcont.kernel.requests import Message
from netcont.kernel.rtnetlink import CHUNK, send
from netcont.model.plan import AddLink, Change

_Requests = list[tuple[Change, Message]]


class Sender:
    """A context manager. made: takes the changes that the kernel has made, in their order.

    Nothing is sent any more once a request was refused or the caller failed. When the block ends,
    all that was sent is answered; what was not finished by then may not have been sent.
    """

    def __init__(self, node: Namespace, made: list[Change]) -> None:
        self._node = node
        self._made = made
        self._waiting: _Requests = []
        self._given: deque[_Requests | None] = deque()
        self._handed = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._error: NetcontError | OSError | None = None
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = error is not None
        self._waiting = []
        self._join()

    def add(self, change: Change, message: Message) -> None:
        """The next request, to be sent soon."""
        self._waiting.append((change, message))
        if len(self._waiting) < CHUNK:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sender")
            self._thread.start()
        self._hand(self._waiting)
        self._waiting = []

    def finish(self) -> None:
        """Returns once everything is made. Raises KernelError with the first refusal."""
        self._join()
        if self._waiting and self._error is None:
            self._try(self._waiting)
        self._waiting = []
        if self._error is not None:
            raise self._error

    def _join(self) -> None:
        if self._thread is not None:
            self._hand(None)
            self._thread.join()
            self._thread = None

    def _hand(self, requests: _Requests | None) -> None:
        self._given.append(requests)
        self._handed.release()

    def _work(self) -> None:
        while self._handed.acquire() and (requests := self._given.popleft()) is not None:
            if self._error is None and not self._over:
                self._try(requests)

    def _try(self, requests: _Requests) -> None:
        """Whatever goes wrong is told to the caller, whose thread this need not be."""
        try:
            codes = send(self._node, [message for _, message in requests])
        except (NetcontError, OSError) as error:
            self._error = error
            return
        for (change, _), code in zip(requests, codes, strict=True):
            if code:
                self._error = self._error or refused(self._node, change, code)
                continue
            self._made.append(change)
            if isinstance(change, AddLink):
                self._node.forget(change.name)
