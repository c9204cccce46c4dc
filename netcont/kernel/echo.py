"""Echo requests of one family that may not be fragmented, and what becomes of each.

Sources: icmp(7), raw(7), ip(7) and ipv6(7) (IP_RECVERR, IP_MTU_DISCOVER, IP_PKTINFO).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time

from netcont.errors import PrerequisiteError
from netcont.kernel.heard import Heard, Mark, Outcome
from netcont.kernel.icmp import (
    ECHO_HEADER_BYTES,
    IP_HEADER_BYTES,
    NEXT_HEADER,
    Echo,
    echo_request,
    failure_in,
    payload_of,
    reply_in,
    request_in,
)

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}

_LEVEL = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}
_MTU_DISCOVER, _RECVERR, _PKTINFO = {4: 10, 6: 23}, {4: 11, 6: 25}, {4: 8, 6: 50}
_PROBE = 3  # IP_PMTUDISC_PROBE: DF, and what the kernel believes of the path is not asked
_IPV6_DONTFRAG = 62
_FILTER = {4: (255, 1), 6: (socket.IPPROTO_ICMPV6, 1)}  # SOL_RAW ICMP_FILTER, ICMPV6_FILTER
_WANTED = {4: (0, 3), 6: (129, 1, 4)}
"""Types that are heard: replies, and what says that a packet was not delivered."""

_SNDBUFFORCE, _RCVBUFFORCE, _BUFFER_BYTES = 32, 33, 1 << 22
_EXTENDED = struct.Struct("=IBBBBII")  # sock_extended_err; the offender's address follows
_FROM_HERE = 1  # SO_EE_ORIGIN_LOCAL
_LARGEST_BYTES = 65535


class EchoSocket:
    """Sends echo requests and hears what becomes of them.

    A raw socket, or, where that is not allowed, one for pings (ping_group_range in icmp(7)), which
    is not told what becomes of packets within packets. Raises PrerequisiteError if neither is
    allowed, or if this kernel lacks the family.
    """

    def __init__(self, family: int, mark: Mark) -> None:
        self.family = family
        self._mark = mark
        self._identifier = mark.identifier
        self._socket, self._raw = _opened(family)
        level = _LEVEL[family]
        self._socket.setsockopt(level, _RECVERR[family], 1)
        self._socket.setsockopt(level, _MTU_DISCOVER[family], _PROBE)
        if family == 6:
            self._socket.setsockopt(level, _IPV6_DONTFRAG, 1)
        if not self._raw:
            self._socket.bind(("", 0))
            self._identifier = self._socket.getsockname()[1]

    def fileno(self) -> int:
        """For poll(2)."""
        return self._socket.fileno()

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def send(
        self, number: int, source: str, destination: str, size_bytes: int, index: int = 0
    ) -> list[Heard]:
        """Sends a request. Returns what is known at once, of this one or of earlier ones.

        size_bytes: of the whole IP packet. index: of the link that it must leave by, 0 for any.
        """
        length = size_bytes - IP_HEADER_BYTES[self.family] - ECHO_HEADER_BYTES
        echo = Echo(self._identifier, number & 0xFFFF, self._mark.data(number, length))
        message = echo_request(self.family, echo)
        control = [(_LEVEL[self.family], _PKTINFO[self.family], self._leaving(source, index))]
        heard: list[Heard] = []
        why = ""
        for _ in range(2):
            try:
                self._socket.sendmsg([message], control, socket.MSG_DONTWAIT, (destination, 0))
            except BlockingIOError:
                return heard  # as if it were lost on its way; it is asked again
            except OSError as error:
                # Or it is about an earlier request: then the second attempt succeeds.
                heard += self._errors(number)
                why = str(error.strerror)
                if any(each.number == number for each in heard):
                    return heard
            else:
                return heard
        return [*heard, Heard(number, Outcome.UNSENT, time.monotonic(), why=why)]

    def _leaving(self, source: str, index: int) -> bytes:
        """in_pktinfo or in6_pktinfo."""
        address = socket.inet_pton(FAMILY[self.family], source)
        if self.family == 6:
            return address + struct.pack("=I", index)
        return struct.pack("=I4s4x", index, address)

    def receive(self) -> list[Heard]:
        """Everything that has come by now."""
        found = self._errors()
        while True:
            try:
                data = self._socket.recv(_LARGEST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError:
                found += self._errors()  # where it is told in full
                continue
            heard = self._told(payload_of(4, data) if self._raw and self.family == 4 else data)
            if heard is not None:
                found.append(heard)

    def _told(self, message: bytes) -> Heard | None:
        outcome, why, data = Outcome.ANSWERED, "", b""
        reply = reply_in(self.family, message)
        failure = failure_in(self.family, message)
        if reply is not None:
            data = reply.data
        elif failure is not None:
            outcome = Outcome.REFUSED if failure.refused else Outcome.UNREACHABLE
            why, data = failure.why, failure.quoted
        number = self._mark.number_in(data)
        return None if number is None else Heard(number, outcome, time.monotonic(), why=why)

    def _errors(self, sending: int | None = None) -> list[Heard]:
        """What the error queue holds; what this host says itself is about the one being sent."""
        found: list[Heard] = []
        while True:
            try:
                data, control, _, _ = self._socket.recvmsg(
                    _LARGEST_BYTES, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                )
            except BlockingIOError:
                return found
            for level, kind, content in control:
                if (level, kind) == (_LEVEL[self.family], _RECVERR[self.family]):
                    here = content[4] == _FROM_HERE
                    number = sending if here else self._quoted(data)
                    if number is not None:
                        found.append(self._error(number, content))

    def _quoted(self, message: bytes) -> int | None:
        request = request_in(self.family, message)
        if request is None or request.identifier != self._identifier:
            return None
        number = self._mark.number_in(request.data)
        # Eight bytes are all that an old router quotes (RFC 792).
        return request.sequence if number is None else number

    def _error(self, number: int, content: bytes) -> Heard:
        code, _, _, _, _, info, _ = _EXTENDED.unpack_from(content)
        start, length = (4, 4) if self.family == 4 else (8, 16)
        address = content[_EXTENDED.size :][start : start + length]
        by = socket.inet_ntop(FAMILY[self.family], address) if any(address) else ""
        if code == errno.EMSGSIZE:
            return Heard(number, Outcome.TOO_BIG, time.monotonic(), info, by)
        return Heard(number, Outcome.UNREACHABLE, time.monotonic(), by=by, why=os.strerror(code))


def _opened(family: int) -> tuple[socket.socket, bool]:
    """The socket, and whether it is a raw one."""
    protocol = NEXT_HEADER[family]
    try:
        return _filtered(socket.socket(FAMILY[family], socket.SOCK_RAW, protocol), family), True
    except PermissionError:
        pass
    except OSError as error:
        raise PrerequisiteError(f"this kernel has no IPv{family}: {error.strerror}") from error
    try:
        return socket.socket(FAMILY[family], socket.SOCK_DGRAM, protocol), False
    except OSError as error:
        raise PrerequisiteError(
            "sending echo requests needs CAP_NET_RAW",
            remedy="run as root, or let everybody ping:"
            ' `sysctl -w net.ipv4.ping_group_range="0 2147483647"`',
        ) from error


def _filtered(one: socket.socket, family: int) -> socket.socket:
    level, option = _FILTER[family]
    words = 1 if family == 4 else 8
    blocked = [0xFFFFFFFF] * words
    for kind in _WANTED[family]:
        blocked[kind >> 5] &= ~(1 << (kind & 31))
    one.setsockopt(level, option, struct.pack(f"={words}I", *blocked))
    enlarge_buffers(one)
    return one


def enlarge_buffers(one: socket.socket) -> None:
    """A thousand packets are on their way at a time; without CAP_NET_ADMIN some may get lost."""
    for option in (_SNDBUFFORCE, _RCVBUFFORCE):
        with contextlib.suppress(PermissionError):
            one.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
