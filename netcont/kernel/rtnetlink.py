"""rtnetlink(7) with struct alone: its tables read, and requests sent by the dozen.

Reading a thousand links through pyroute2's objects takes longer than making them, and making one
takes milliseconds. Dumps need no privilege.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Collection, Iterator, Sequence

from netcont.errors import KernelError
from netcont.kernel.namespace import Namespace

RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH, RTM_GETRULE = 18, 22, 26, 30, 34

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # rtattr: length, type
_ERROR, _DONE = 2, 3
_DUMP_REQUEST = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_DUMP_INTERRUPTED = 0x10
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_ACK = 0x4
_REQUEST = 0x1 | _ACK  # NLM_F_REQUEST | NLM_F_ACK
_BUFFER_BYTES = 1 << 16  # the kernel gives 32 KiB at once at most
_ATTEMPTS = 20

Attributes = dict[int, bytes]


class _ChangedMeanwhileError(Exception):
    """Someone changed the table while it was read."""


def dump(
    node: Namespace, kind: int, header: bytes, protocol: int = socket.NETLINK_ROUTE
) -> list[bytes]:
    """The bodies of all messages that the kernel answers with.

    kind: RTM_GET…; header: the family's own header, such as ifinfomsg; protocol: of netlink(7). A
    dump during which the table changed is asked for again. Raises KernelError.
    """
    with _socket(node, protocol) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for sequence in range(1, _ATTEMPTS + 1):
            length = _HEADER.size + len(header)
            one.send(_HEADER.pack(length, kind, _DUMP_REQUEST, sequence, 0) + header)
            try:
                return list(_answers(one, node.name))
            except _ChangedMeanwhileError:
                continue
    raise KernelError(
        f"{node.name}: its tables change faster than they can be read", remedy="try again"
    )


def ask(node: Namespace, kind: int, body: bytes) -> bytes:
    """The body of the one message that the kernel answers with. kind: RTM_GET…

    Raises KernelError with the errno of its refusal.
    """
    with _socket(node) as one:
        one.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST & ~_ACK, 1, 0) + body)
        return next(_answers(one, node.name))


CHUNK = 64
"""Requests in one system call: few enough for their answers to fit into a socket's buffer."""


def send(node: Namespace, messages: Sequence[tuple[int, int, bytes]]) -> list[int]:
    """Sends requests in one system call; returns each one's errno, 0 where it was done.

    messages: see netcont.kernel.requests; at most CHUNK. All are tried, in their order, also after
    one that was refused.
    """
    last, packed = len(messages) - 1, bytearray()
    for sequence, (kind, flags, body) in enumerate(messages):
        # A refusal is answered in any case: that the last one was done says that all were tried.
        flags |= _REQUEST if sequence == last else _REQUEST & ~_ACK
        packed += _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body
    codes, answered = [0] * len(messages), -1
    with _socket(node) as one:
        one.send(packed)
        while answered < last:
            data = one.recv(_BUFFER_BYTES)
            place = 0
            while place < len(data):
                length, kind, _, sequence, _ = _HEADER.unpack_from(data, place)
                if kind == _ERROR:
                    codes[sequence] = -int(struct.unpack_from("=i", data, place + _HEADER.size)[0])
                    answered = sequence
                place += (length + 3) & ~3
    return codes


def send_batch(node: Namespace, messages: Sequence[tuple[int, int, bytes]], protocol: int) -> int:
    """Sends what is done whole or not at all; returns the first refusal's errno, 0 if it was done.

    messages: as in send, with the batch's begin and end. protocol: of netlink(7).
    """
    last, packed = len(messages) - 2, bytearray()
    for sequence, (kind, flags, body) in enumerate(messages):
        flags |= _REQUEST if sequence == last else _REQUEST & ~_ACK
        packed += _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body
    first = 0
    with _socket(node, protocol) as one:
        one.send(packed)
        while True:
            data = one.recv(_BUFFER_BYTES)
            place = 0
            while place < len(data):
                length, kind, _, sequence, _ = _HEADER.unpack_from(data, place)
                if kind == _ERROR:
                    code = -int(struct.unpack_from("=i", data, place + _HEADER.size)[0])
                    first = first or code
                    # Where the batch itself is refused, nothing else is answered.
                    if sequence in (0, last):
                        return first
                place += (length + 3) & ~3


def _socket(node: Namespace, protocol: int = socket.NETLINK_ROUTE) -> socket.socket:
    with node.entered():
        try:
            return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        except OSError as error:
            what = f"{node.name}: netlink, protocol {protocol}: {error.strerror}"
            raise KernelError(what, errno=error.errno) from error


def _answers(one: socket.socket, name: str) -> Iterator[bytes]:
    changed = False
    while True:
        data = one.recv(_BUFFER_BYTES)
        place = 0
        while place + _HEADER.size <= len(data):
            length, kind, flags, _, _ = _HEADER.unpack_from(data, place)
            changed |= bool(flags & _DUMP_INTERRUPTED)
            body = data[place + _HEADER.size : place + length]
            place += (length + 3) & ~3
            if kind == _DONE:
                if changed:
                    raise _ChangedMeanwhileError
                return
            if kind == _ERROR:
                code = -int(struct.unpack_from("=i", body)[0])
                raise KernelError(f"{name}: cannot read: {os.strerror(code)}", errno=code)
            yield body


def attributes(body: bytes, start: int = 0, wanted: Collection[int] = range(1 << 14)) -> Attributes:
    """The attributes from a place on, by number; wanted: which of them."""
    found: Attributes = {}
    header, end = _ATTRIBUTE.unpack_from, len(body) - _ATTRIBUTE.size
    all_of_them = len(wanted)
    while start <= end:
        length, kind = header(body, start)
        if length < _ATTRIBUTE.size:
            break
        kind &= _TYPE_MASK
        if kind in wanted:
            found[kind] = body[start + _ATTRIBUTE.size : start + length]
            if len(found) == all_of_them:
                break
        start += (length + 3) & ~3
    return found


def every_attribute(body: bytes) -> Iterator[tuple[int, bytes]]:
    """All of a list, also of one number."""
    start = 0
    while start + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, start)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE_MASK, body[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3


def text(value: bytes | None) -> str:
    """A text that ends with a zero."""
    return value.partition(b"\0")[0].decode("utf-8", "replace") if value else ""


def number(value: bytes | None) -> int:
    """A number in the machine's order; 0 if there is none."""
    return int.from_bytes(value, sys.byteorder) if value else 0


def address(value: bytes | None) -> str | None:
    """An IPv4 or IPv6 address; None if there is none."""
    if value is None or len(value) not in (4, 16):
        return None
    return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)


def mac(value: bytes | None) -> str | None:
    """A MAC address; None if there is none."""
    return value.hex(":") if value and len(value) == 6 else None
