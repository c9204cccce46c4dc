"""Single questions to a kernel: what a link is like, which way an address is. Asks only."""

from __future__ import annotations

import errno
import struct
from typing import NamedTuple

from netcont.errors import KernelError
from netcont.kernel.namespace import Namespace
from netcont.kernel.requests.message import attribute, family, packed
from netcont.kernel.rtnetlink import (
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    address,
    ask,
    attributes,
    dump,
    mac,
    number,
    text,
)

_LINK = struct.Struct("=BxHiII")  # ifinfomsg
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg
_IFF_UP = 0x1
_IFLA_OPERSTATE, _IF_OPER_UP = 16, 6
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL})


class LinkState(NamedTuple):
    """mac: None where it has none. master: the bridge that it is a port of."""

    name: str
    up: bool
    mac: str | None
    master: str | None


def link_state(node: Namespace, name: str) -> LinkState:
    """A link as it is now. Raises KernelError if there is none of that name."""
    flags, found = _link(node, node.index(name))
    master = number(found.get(10))
    above = text(_link(node, master)[1].get(3)) if master else None
    return LinkState(name, bool(flags & _IFF_UP), mac(found.get(1)), above)


def is_running(node: Namespace, name: str) -> bool:
    """Whether frames go through a link: it is up, and its carrier is there and was taken notice of
    (RFC 2863's operational state). Raises KernelError if there is none of that name.

    IFF_RUNNING would not tell: a link made a moment ago has it, while its state is unknown yet.
    """
    return number(_link(node, node.index(name))[1].get(_IFLA_OPERSTATE)) == _IF_OPER_UP


def link_mac(node: Namespace, name: str) -> str:
    """The link's own MAC. Raises KernelError if there is no such link, or if it has none."""
    found = link_state(node, name).mac
    if found is None:
        raise KernelError(
            f"{node.name}: {name} has no MAC address", remedy="name a link that is Ethernet"
        )
    return found


def _link(node: Namespace, index: int) -> tuple[int, dict[int, bytes]]:
    body = ask(node, RTM_GETLINK, _LINK.pack(0, 0, index, 0, 0))
    return _LINK.unpack_from(body)[3], attributes(body, _LINK.size)


def addresses_of(node: Namespace, link: str) -> list[str]:
    """A link's addresses of both families. Raises KernelError."""
    index, found = node.index(link), []
    for body in dump(node, RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)):
        parts = attributes(body, _ADDRESS.size)
        own = address(parts.get(2)) or address(parts.get(1))
        if _ADDRESS.unpack_from(body)[4] == index and own is not None:
            found.append(own)
    return found


class Way(NamedTuple):
    """Where packets for an address go. link: its index. source: what they are sent from. via: the
    gateway, None: straight. mtu_bytes: of the route, None: the link's."""

    link: int
    source: str | None
    via: str | None
    mtu_bytes: int | None


def way_to(node: Namespace, target: str) -> Way | None:
    """The way that the kernel would choose; None if it has none. Raises KernelError."""
    octets = packed(target)
    head = _ROUTE.pack(family(target), 8 * len(octets), 0, 0, 0, 0, 0, 0, 0)
    try:
        body = ask(node, RTM_GETROUTE, head + attribute(1, octets))
    except KernelError as error:
        if error.errno in _NO_WAY:
            return None
        raise
    kind, found = _ROUTE.unpack_from(body)[7], attributes(body, _ROUTE.size)
    if 4 not in found or kind not in _LEADS_THERE:
        return None
    metrics = attributes(found.get(8, b""))
    via, source = address(found.get(5)), address(found.get(7))
    return Way(number(found[4]), source, via, number(metrics.get(2)) or None)


_LEADS_THERE = frozenset({1, 2})  # RTN_UNICAST, RTN_LOCAL
