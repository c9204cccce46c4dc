"""The guest's UDP services: a sink that records, a source that sends on an absolute schedule."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import time
from dataclasses import dataclass
from typing import Final

from netcont.lab.clients.family import socket_for
from netcont.lab.clients.findings import Arrivals
from netcont.lab.clients.service_streams import Loop
from netcont.lab.clients.spec import FAST_STOP, following
from netcont.lab.clients.wire import (
    DATAGRAM,
    DATAGRAM_PERIOD_S,
    HELLO,
    ID_BYTES,
    NO_CLIENT,
    OVERHEAD_MARK,
    STOP,
    client_of,
)

_SO_RCVBUFFORCE: Final = 33
_RECEIVE_BUFFER_BYTES: Final = 4 * 2**20
_MARK: Final = OVERHEAD_MARK[:ID_BYTES]


def datagram_socket(address: tuple[str, int]) -> socket.socket:
    """A bound socket whose buffer outlasts a process that does not run for a while."""
    sock = socket_for(address[0], socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    sock.bind(address)
    sock.setblocking(False)
    return sock


@dataclass(frozen=True)
class _Spoken:
    """How the kernel says, and is told, which of its addresses is spoken to (ip(7), ipv6(7)).

    level, kind: of the control message; asked: the option that has it come. structure: it, with
    the address at place heard when it comes and at place told when it goes.
    """

    level: int
    kind: int
    asked: int
    structure: struct.Struct
    heard: int
    told: int

    def answer(self, value: bytes) -> bytes:
        """The message that answers from the address that value says was spoken to."""
        heard = self.structure.unpack(value)
        fields = [bytes(len(each)) if isinstance(each, bytes) else 0 for each in heard]
        fields[self.told] = heard[self.heard]
        return self.structure.pack(*fields)


_SPOKEN: Final = {
    socket.AF_INET: _Spoken(socket.IPPROTO_IP, 8, 8, struct.Struct("=I4s4s"), heard=2, told=1),
    socket.AF_INET6: _Spoken(
        socket.IPPROTO_IPV6,
        socket.IPV6_PKTINFO,
        socket.IPV6_RECVPKTINFO,
        struct.Struct("=16sI"),
        heard=0,
        told=0,
    ),
}
"""struct in_pktinfo (IP_PKTINFO) and struct in6_pktinfo."""


class Sink:
    """udp-up: records what arrives, by client."""

    def __init__(self, loop: Loop, address: tuple[str, int]) -> None:
        self._arrivals = loop.records.arrivals
        self._by_tag: dict[bytes, Arrivals] = {}
        self._sock = datagram_socket(address)
        loop.selector.register(self._sock, selectors.EVENT_READ, self.ready)

    def ready(self, mask: int) -> None:
        """One datagram (one call each: in the steady state there is never a second)."""
        try:
            data = self._sock.recv(2048)
        except OSError:
            return
        now_s = time.monotonic()
        if len(data) != DATAGRAM.size:
            self._marked(data, now_s)
            return
        tag, seq, sent_s = DATAGRAM.unpack(data)
        arrivals = self._by_tag.get(tag)
        if arrivals is None:
            if not tag.isdigit():
                return
            arrivals = self._arrivals.setdefault(client_of(tag), Arrivals())
            self._by_tag[tag] = arrivals
        arrivals.seq.append(seq)
        arrivals.sent_s.append(sent_s)
        arrivals.received_s.append(now_s)

    def _marked(self, data: bytes, now_s: float) -> None:
        number = data[ID_BYTES + 1 : ID_BYTES + 3]
        if data[:ID_BYTES] == _MARK and number.isdigit():
            arrivals = self._arrivals.setdefault(NO_CLIENT, Arrivals())
            arrivals.seq.append(int(number))
            arrivals.received_s.append(now_s)


class _Stream:
    """The datagrams to one udp-down client."""

    __slots__ = ("ancillary", "due_s", "peer", "seq", "stopped", "tag")

    def __init__(self, tag: bytes, due_s: float) -> None:
        self.tag = tag
        self.due_s = due_s
        self.seq = 0
        self.stopped = False
        self.peer: tuple[str, int] = ("", 0)
        self.ancillary: list[tuple[int, int, bytes]] = []


class Source:
    """udp-down: 100 datagrams a second to each client that said hello, until it says stop.

    They go on when hellos stop coming: the path to the client may work when the other does not.
    """

    def __init__(self, loop: Loop, address: tuple[str, int]) -> None:
        self._loop = loop
        self._streams: dict[bytes, _Stream] = {}
        self._sock = datagram_socket(address)
        self._spoken = spoken = _SPOKEN[self._sock.family]
        self._sock.setsockopt(spoken.level, spoken.asked, 1)
        loop.selector.register(self._sock, selectors.EVENT_READ, self.ready)

    def ready(self, mask: int) -> None:
        """A hello or a stop."""
        spoken = self._spoken
        try:
            data, ancillary, _, peer = self._sock.recvmsg(
                64, socket.CMSG_SPACE(spoken.structure.size)
            )
        except OSError:
            return
        tag, word = data[:ID_BYTES], data[ID_BYTES:]
        if not tag.isdigit() or word not in (HELLO, STOP):
            return
        stream = self._streams.get(tag)
        if word == STOP:
            if stream is not None:
                stream.stopped = True
            return
        now_s = time.monotonic()
        if stream is None:
            stream = self._streams[tag] = _Stream(tag, now_s)
            self._loop.every(now_s, lambda at_s: self._fire(stream, at_s))
        stream.peer = peer
        # The guest may have two addresses: answer from the one that was spoken to.
        for level, kind, value in ancillary:
            if (level, kind) == (spoken.level, spoken.kind):
                stream.ancillary = [(level, kind, spoken.answer(value))]

    def _fire(self, stream: _Stream, now_s: float) -> float | None:
        # Beyond the window nobody measures, and a client that cannot be reached cannot stop us.
        if stream.stopped or now_s >= self._loop.control.instants[FAST_STOP]:
            return None
        # Refused by the kernel (no route, the address is gone): sent, and lost.
        with contextlib.suppress(OSError):
            data = DATAGRAM.pack(stream.tag, stream.seq, now_s)
            self._sock.sendmsg((data,), stream.ancillary, 0, stream.peer)
        stream.seq += 1
        self._loop.records.sent[client_of(stream.tag)] = (stream.seq, now_s)
        stream.due_s = following(stream.due_s, DATAGRAM_PERIOD_S, now_s)
        return stream.due_s
