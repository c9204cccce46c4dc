"""The guest's TCP services: echo, discard, chargen, request. One object a connection."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Protocol

from netcont.lab.clients.family import socket_for
from netcont.lab.clients.findings import Arrivals, ByteBins, ServiceRecords
from netcont.lab.clients.spec import FAST_STOP, Control, following
from netcont.lab.clients.tcp_bulk import Bucket, pace
from netcont.lab.clients.wire import (
    ACK_EVERY_BYTES,
    ANSWER_BYTES,
    BULK_TICK_S,
    MAX_LINE_BYTES,
    parse_bulk_line,
)

_BUFFER: Final = bytearray(262144)
_ZEROS: Final = memoryview(bytes(262144))


class Loop(Protocol):
    """What a connection needs of the service."""

    selector: selectors.BaseSelector
    records: ServiceRecords
    control: Control

    def every(self, due_s: float, fire: Callable[[float], float | None]) -> None:
        """Call fire at due_s and at each instant that it returns, until it returns None."""


class Connection(ABC):
    """One accepted connection; subclasses say what to do when it is readable."""

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        self.loop = loop
        self.sock = sock
        self.open = True
        loop.selector.register(sock, selectors.EVENT_READ, self.ready)

    def ready(self, mask: int) -> None:
        """An event; whatever goes wrong with one connection ends that one alone."""
        try:
            if mask & selectors.EVENT_WRITE:
                self.writable()
            if self.open and mask & selectors.EVENT_READ:
                self.readable()
        except BlockingIOError:
            return
        except (OSError, ValueError):
            self.close()

    @abstractmethod
    def readable(self) -> None:
        """Bytes or the peer's end are there."""

    def writable(self) -> None:
        """The kernel takes bytes again; who did not wait for that goes back to reading."""
        self.loop.selector.modify(self.sock, selectors.EVENT_READ, self.ready)

    def close(self) -> None:
        """Forget the connection."""
        if self.open:
            self.open = False
            self.loop.selector.unregister(self.sock)
            self.sock.close()


class Echo(Connection):
    """Sends back what comes; reads no more while the way back is full."""

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        super().__init__(loop, sock)
        self._unsent = b""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def readable(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            self.close()
            return
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._unsent = data[sent:]
            self.loop.selector.modify(self.sock, selectors.EVENT_WRITE, self.ready)

    def writable(self) -> None:
        self._unsent = self._unsent[self.sock.send(self._unsent) :]
        if not self._unsent:
            self.loop.selector.modify(self.sock, selectors.EVENT_READ, self.ready)


class Headed(Connection):
    """A connection whose client says in its first line who it is and what it wants."""

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        super().__init__(loop, sock)
        self._line: bytes | None = b""

    def readable(self) -> None:
        if self._line is None:
            self.body()
            return
        data = self.sock.recv(MAX_LINE_BYTES)
        if not data:
            self.close()
            return
        line, newline, rest = (self._line + data).partition(b"\n")
        if newline:
            self._line = None
            self.begin(line, rest)
        elif len(line) > MAX_LINE_BYTES:
            self.close()
        else:
            self._line = line

    @abstractmethod
    def begin(self, line: bytes, rest: bytes) -> None:
        """The first line is complete; rest came with it."""

    def body(self) -> None:
        """More bytes, or the end."""
        if not self.sock.recv_into(_BUFFER):
            self.close()


class Discard(Headed):
    """bulk-up: records what arrives, says so with a byte now and then and one at the end."""

    def begin(self, line: bytes, rest: bytes) -> None:
        client_id, _ = parse_bulk_line(line)
        self._bins = ByteBins(self.loop.records.arrivals.setdefault(client_id, Arrivals()))
        self._acknowledged = 0
        if rest:
            self._count(len(rest))

    def body(self) -> None:
        count = self.sock.recv_into(_BUFFER)
        if count:
            self._count(count)
        else:
            with contextlib.suppress(BlockingIOError):
                self.sock.send(b"!")
            self.close()

    def _count(self, count: int) -> None:
        self._bins.add(count, time.monotonic())
        due = self._bins.total // ACK_EVERY_BYTES
        if due > self._acknowledged:
            self._acknowledged = due
            self.sock.send(b".")


class Chargen(Headed):
    """bulk-down: sends at the rate asked for, until the client has sent its end."""

    def begin(self, line: bytes, rest: bytes) -> None:
        now_s = time.monotonic()
        self._client_id, rate_bps = parse_bulk_line(line)
        pace(self.sock, rate_bps)
        self._bucket = Bucket(rate_bps, now_s)
        self._due_s = now_s
        self._sent = 0
        self._last_s: float | None = None
        self.loop.every(now_s + BULK_TICK_S, self._fire)

    def body(self) -> None:
        if not self.sock.recv_into(_BUFFER):
            with contextlib.suppress(BlockingIOError):
                self.sock.send(b"!")
            self.close()

    def _fire(self, now_s: float) -> float | None:
        # Beyond the window nobody measures, and a client that cannot be reached cannot stop us.
        if not self.open or now_s >= self.loop.control.instants[FAST_STOP]:
            return None
        try:
            self._send(self._bucket.fill(now_s), now_s)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        self.loop.records.sent[self._client_id] = (self._sent, self._last_s)
        self._due_s = following(self._due_s, BULK_TICK_S, now_s)
        return self._due_s

    def _send(self, allowed: int, now_s: float) -> None:
        while allowed > 0:
            sent = self.sock.send(_ZEROS[:allowed])
            allowed -= sent
            self._bucket.credit -= sent
            self._sent += sent
            self._last_s = now_s


class Request(Headed):
    """request: one line, one answer, closed."""

    def begin(self, line: bytes, rest: bytes) -> None:
        self.sock.send(line[:80].ljust(ANSWER_BYTES, b"."))
        self.close()


class Listener:
    """Accepts connections of one service."""

    def __init__(
        self,
        loop: Loop,
        address: tuple[str, int],
        accepted: Callable[[Loop, socket.socket], Connection],
    ) -> None:
        self._loop = loop
        self._accepted = accepted
        self._sock = socket_for(address[0], socket.SOCK_STREAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._sock.bind(address)
        self._sock.listen(1024)
        self._sock.setblocking(False)
        loop.selector.register(self._sock, selectors.EVENT_READ, self.ready)

    def ready(self, mask: int) -> None:
        """A connection waits to be accepted, unless it has gone away again."""
        try:
            sock, _ = self._sock.accept()
            sock.setblocking(False)
            self._accepted(self._loop, sock)
        except OSError:
            return
