"""Many changes in few system calls: the common ones as rtnetlink messages, sent by the dozen.

The interpreter takes milliseconds for a change and asks for each link's index; a thousand tunnels
are made in the time that iproute2's -batch takes. The messages are the same.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Any

from netcont.errors import KernelError
from netcont.kernel.namespace import Namespace
from netcont.model import plan as changes
from netcont.model.plan import ROUTE_PROTOCOL, Change

CHUNK = 64
"""Messages in one system call: few enough for their answers to fit into a socket's buffer."""

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxHiHBB")

_NEW_LINK, _DEL_LINK, _NEW_ADDRESS, _NEW_ROUTE, _NEW_NEIGHBOUR = 16, 17, 20, 24, 28
_REQUEST = 0x1 | 0x4  # NLM_F_REQUEST | NLM_F_ACK
_REPLACE, _EXCLUSIVE, _CREATE, _APPEND = 0x100, 0x200, 0x400, 0x800
_INET, _BRIDGE = 2, 7
_IFF_UP = 0x1
_ERROR = 2
_SCOPE_LINK = 253
_UNICAST = 1
_GROUPS = 0x6E630000

Message = tuple[int, int, bytes]
"""Type, flags beside those of every request, body."""

Indices = Mapping[str, int]


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


@singledispatch
def encoded(change: Change, indices: Indices) -> Message | None:
    """The change as a message; None: the interpreter must make it.

    indices: of the links that are there, by name. Raises KeyError for a link that is not.
    """
    return None


def _on(kind: type[Change]) -> Callable[[Callable[[Any, Indices], Message | None]], None]:
    def register(function: Callable[[Any, Indices], Message | None]) -> None:
        encoded.register(kind)(function)

    return register


@_on(changes.AddVxlan)
def _vxlan(change: changes.AddVxlan, indices: Indices) -> Message:
    data = (
        _number(1, change.vni)
        + _attribute(4, socket.inet_aton(change.local))
        + _attribute(7, b"\1")
        + _attribute(15, struct.pack("!H", change.port))
    )
    body = _LINK.pack(0, 0, 0, 0, 0) + _attribute(3, change.name.encode() + b"\0")
    body += _number(4, change.mtu_bytes)
    if change.mac:
        body += _attribute(1, _mac(change.mac))
    info = _attribute(1, b"vxlan") + _attribute(2, data)
    return _NEW_LINK, _CREATE | _EXCLUSIVE, body + _attribute(18, info)


@_on(changes.SetAlias)
def _alias(change: changes.SetAlias, indices: Indices) -> Message:
    body = _LINK.pack(0, 0, indices[change.link], 0, 0)
    return _NEW_LINK, 0, body + _attribute(20, change.alias.encode() + b"\0")


@_on(changes.SetUp)
def _up(change: changes.SetUp, indices: Indices) -> Message:
    flags = _IFF_UP if change.up else 0
    return _NEW_LINK, 0, _LINK.pack(0, 0, indices[change.link], flags, _IFF_UP)


@_on(changes.AddAddress)
def _address(change: changes.AddAddress, indices: Indices) -> Message:
    value = socket.inet_aton(change.address)
    head = _ADDRESS.pack(_INET, change.prefixlen, 0, 0, indices[change.link])
    return _NEW_ADDRESS, _CREATE | _EXCLUSIVE, head + _attribute(2, value) + _attribute(1, value)


@_on(changes.AddRoute)
def _route(change: changes.AddRoute, indices: Indices) -> Message:
    prefix = "0.0.0.0/0" if change.destination == "default" else change.destination
    address, _, length = prefix.partition("/")
    scope = 0 if change.via else _SCOPE_LINK
    head = _ROUTE.pack(_INET, int(length), 0, 0, 0, ROUTE_PROTOCOL, scope, _UNICAST, 0)
    body = head + _number(15, change.table) + _attribute(1, socket.inet_aton(address))
    if change.via:
        body += _attribute(5, socket.inet_aton(change.via))
    if change.link:
        body += _number(4, indices[change.link])
    return _NEW_ROUTE, _CREATE | (_REPLACE if change.replace else _EXCLUSIVE), body


@_on(changes.AddFdb)
def _fdb(change: changes.AddFdb, indices: Indices) -> Message:
    head = _NEIGHBOUR.pack(_BRIDGE, 0, indices[change.link], 0x80, 0x2, 0)
    body = head + _attribute(2, _mac(change.mac)) + _attribute(1, socket.inet_aton(change.remote))
    return _NEW_NEIGHBOUR, _CREATE | _APPEND, body


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def send(node: Namespace, messages: Sequence[Message]) -> list[int]:
    """Sends them in one system call; returns each one's errno, 0 where it was done.

    All are tried, also after one that was refused. At most CHUNK of them.
    """
    packed = bytearray()
    for sequence, (kind, flags, body) in enumerate(messages):
        packed += _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, sequence, 0)
        packed += body
    codes = [0] * len(messages)
    with node.entered():
        one = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with one:
        one.send(packed)
        left = len(messages)
        while left:
            data = one.recv(1 << 16)
            place = 0
            while place < len(data):
                length, kind, _, sequence, _ = _HEADER.unpack_from(data, place)
                if kind == _ERROR:
                    codes[sequence] = -int(struct.unpack_from("=i", data, place + 16)[0])
                    left -= 1
                place += (length + 3) & ~3
    return codes


def refused(node: Namespace, change: Change, code: int) -> KernelError:
    """The error for a change that the kernel refused."""
    remedies = {
        errno.EPERM: "run as root, or with CAP_NET_ADMIN",
        errno.EEXIST: "something else has that name or address: `ip link`, `ip addr` show it",
        errno.EOPNOTSUPP: "this kernel lacks the feature: `netcont doctor` shows which",
    }
    return KernelError(
        f"{node.name}: {'; '.join(change.commands())}: {os.strerror(code)}",
        errno=code,
        remedy=remedies.get(code, ""),
    )


def unused_group(groups: set[int]) -> int:
    """A group of links that no link is in."""
    return next(group for group in range(_GROUPS, _GROUPS + 1 + len(groups)) if group not in groups)


def into_group(index: int, group: int) -> Message:
    """Puts a link into a group (see ip-link(8))."""
    return _NEW_LINK, 0, _LINK.pack(0, 0, index, 0, 0) + _number(27, group)


def delete_group(group: int) -> Message:
    """Removes all links of a group: the kernel waits once, and not once for each."""
    return _DEL_LINK, 0, _LINK.pack(0, 0, 0, 0, 0) + _number(27, group)
