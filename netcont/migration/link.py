"""The TCP connection between the two engines: blocking, with deadlines, without copying pages."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Sequence
from typing import Protocol, TypeVar

from netcont.errors import MigrationError
from netcont.migration import wire
from netcont.migration.site import Clock
from netcont.model.plan import is_ipv6

# <asm-generic/socket.h>; Python has no name for it.
_SO_MAX_PACING_RATE = 47
_IOV_MAX = 1024

_F = TypeVar("_F", bound=wire.Frame)


class ConnectionLostError(MigrationError):
    """The connection broke, or the peer was silent for too long."""


class PeerRefusedError(MigrationError):
    """The peer called the move off and said why."""


class Link:
    """Frames over one connection.

    No call waits longer than timeout_s without a byte coming or going; then, and when the
    connection breaks, it raises ConnectionLostError. pacing_bps bounds what is sent.
    """

    def __init__(
        self,
        sock: socket.socket,
        timeout_s: float,
        clock: Clock,
        pacing_bps: float | None = None,
    ) -> None:
        self._sock = sock
        self._timeout_s = timeout_s
        self._clock = clock
        self._out: list[memoryview] = []
        self._inside_frame = False
        self._last_sent_s = clock()
        # Blocking, with the kernel's own timeouts: so MSG_WAITALL can wait in the kernel for a
        # whole batch, instead of waking Python for every few segments.
        sock.setblocking(True)
        timeval = struct.pack("ll", int(timeout_s), int(timeout_s % 1 * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What was sent and is not acknowledged in that time ends the connection.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout_s * 1000))
        if pacing_bps is not None:
            rate = struct.pack("L", int(pacing_bps / 8))
            sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, rate)

    def fileno(self) -> int:
        """For select and poll."""
        return self._sock.fileno()

    def send(self, frame: wire.Frame) -> None:
        """Sends frame, after all that was queued."""
        self._out.append(memoryview(wire.encode(frame)))
        self.flush()

    def queue(self, frame: wire.Frame, data: Sequence[memoryview] = ()) -> None:
        """Makes frame and the data that belongs to it ready to be sent; data is not copied."""
        self._out.append(memoryview(wire.encode(frame)))
        self._out.extend(data)

    def flush(self, *, wait: bool = True) -> bool:
        """Sends what is queued; without wait, as much as the kernel takes now. True: all of it."""
        flags = 0 if wait else socket.MSG_DONTWAIT
        while self._out:
            try:
                sent = self._sock.sendmsg(self._out[:_IOV_MAX], (), flags)
            except BlockingIOError:
                if not wait:
                    return False
                raise self._silent() from None
            except OSError as error:
                raise ConnectionLostError(f"the connection broke: {error.strerror}") from error
            _drop(self._out, sent)
            self._inside_frame = bool(self._out)
        self._last_sent_s = self._clock()
        return True

    def keep_alive(self) -> None:
        """Says that this side is still here if it has said nothing for a while."""
        if self._clock() - self._last_sent_s > self._timeout_s / 3:
            self.send(wire.KeepAlive())

    def receive(self) -> wire.Frame:
        """The next frame but KEEPALIVE. Raises PeerRefusedError on ABORT, RemoteProtocolError."""
        while True:
            header = bytearray(wire.HEADER_BYTES)
            self.receive_into([memoryview(header)])
            kind, length = wire.decode_header(bytes(header))
            body = bytearray(length)
            if length:
                self.receive_into([memoryview(body)])
            frame = wire.decode(kind, bytes(body))
            if isinstance(frame, wire.Abort):
                raise PeerRefusedError(f"the other site called the move off: {frame.reason}")
            if not isinstance(frame, wire.KeepAlive):
                return frame

    def receive_into(self, views: list[memoryview]) -> None:
        """Fills all views with what comes next; they are emptied from the list."""
        while views:
            try:
                count = self._sock.recvmsg_into(views[:_IOV_MAX], 0, socket.MSG_WAITALL)[0]
            except BlockingIOError:
                raise self._silent() from None
            except OSError as error:
                raise ConnectionLostError(f"the connection broke: {error.strerror}") from error
            if count == 0:
                raise ConnectionLostError("the other site closed the connection")
            _drop(views, count)

    def expect(self, kind: type[_F]) -> _F:
        """The next frame, which must be of that type. Raises as receive() does."""
        frame = self.receive()
        if not isinstance(frame, kind):
            raise wire.RemoteProtocolError(
                f"the peer sent {type(frame).__name__} where {kind.__name__} was due"
            )
        return frame

    def notice(self) -> None:
        """Reads what has come while this side was sending: nothing but ABORT and KEEPALIVE may.

        Raises PeerRefusedError, ConnectionLostError, RemoteProtocolError.
        """
        try:
            head = self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            raise ConnectionLostError(f"the connection broke: {error.strerror}") from error
        if head == bytes([wire.FrameType.KEEPALIVE]):
            self.receive_into([memoryview(bytearray(wire.HEADER_BYTES))])
            return
        frame = self.receive()
        raise wire.RemoteProtocolError(f"the peer sent {type(frame).__name__} without being asked")

    def refuse(self, reason: str) -> None:
        """Says ABORT as far as that can be done without waiting."""
        if self._inside_frame:
            return  # it would be taken for page data; closing says it as well
        self._out = [memoryview(wire.encode(wire.Abort(reason)))]
        with contextlib.suppress(ConnectionLostError):
            self.flush(wait=False)

    def close(self) -> None:
        """Closes the connection."""
        self._out.clear()
        self._sock.close()

    def close_after_reading(self) -> None:
        """Closes once the peer has: closing with bytes unread would destroy our last frame."""
        deadline = self._clock() + self._timeout_s
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            while self._clock() < deadline and self._sock.recv(65536):
                pass
        self.close()

    def _silent(self) -> ConnectionLostError:
        return ConnectionLostError(f"the other site was silent for {self._timeout_s} s")


def _drop(views: list[memoryview], count: int) -> None:
    """Takes the first count bytes off views."""
    whole = 0
    for view in views:
        if count < view.nbytes:
            break
        count -= view.nbytes
        whole += 1
    del views[:whole]
    if count:
        views[0] = views[0][count:]


def connect(
    address: tuple[str, int], timeout_s: float, clock: Clock, pacing_bps: float | None = None
) -> Link:
    """A connection to the destination's engine. Raises ConnectionLostError."""
    sock = _socket(address)
    sock.settimeout(timeout_s)
    try:
        # Not create_connection(): it would import Python's IDNA tables for an IP address.
        sock.connect(address)
        return Link(sock, timeout_s, clock, pacing_bps)
    except OSError as error:
        sock.close()
        host, port = address
        where = f"[{host}]:{port}" if is_ipv6(host) else f"{host}:{port}"
        raise ConnectionLostError(
            f"cannot connect to the destination at {where}: {error.strerror or 'timed out'}"
        ) from error


def listen(address: tuple[str, int]) -> socket.socket:
    """A listening socket at address. Raises OSError."""
    sock = _socket(address)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(8)
    except OSError:
        sock.close()
        raise
    return sock


def _socket(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if is_ipv6(address[0]) else socket.AF_INET
    return socket.socket(family, socket.SOCK_STREAM)


class Waitable(Protocol):
    """Something that select can wait for."""

    def fileno(self) -> int:
        """Its descriptor."""


def wait_readable(sources: Sequence[Waitable], timeout_s: float | None = None) -> list[Waitable]:
    """Those of sources that have something to read or are closed; waits until there is one."""
    return select.select(sources, [], [], timeout_s)[0]
