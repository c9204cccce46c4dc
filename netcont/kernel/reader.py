"""A kernel's tables read into facts, both families of addresses at once."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

from netcont.kernel.facts import Facts, LinkFact, LinkMark, RouteFact, RuleFact
from netcont.kernel.namespace import Namespace
from netcont.kernel.requests.routing import ROUTE_KINDS
from netcont.kernel.rtnetlink import (
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTM_GETRULE,
    Attributes,
    address,
    attributes,
    dump,
    mac,
    number,
    text,
)
from netcont.model.plan import TOS_OF_INNER

_IFF_UP = 0x1
_BOTH = frozenset({socket.AF_INET, socket.AF_INET6})
_NTF_PROXY = 0x8
_NUD_PERMANENT = 0x80
_LOCAL_TABLE = 255
_TRAFFIC_CLASS_OF_INNER = 0x2  # IP6_TNL_F_USE_ORIG_TCLASS
_CLONED = 0x200  # RTM_F_CLONED: an exception of IPv6's cache


def read_facts(node: Namespace, *, counters: bool = False) -> Facts:
    """Reads a namespace; nothing is changed, and no privilege is needed. Raises KernelError.

    counters: those of links as well, which the kernel adds up for each. Sysctls are left out: see
    Namespace.read_sysctl.
    """
    links = _links(node, counters=counters)
    names = {link.ifindex: link.name for link in links.values()}
    return Facts(
        links,
        _addresses(node, names),
        _routes(node, names),
        _rules(node),
        _neighbours(node, names),
        _proxies(node, names),
        _fdb(node, names),
    )


_LINK = struct.Struct("=BxHiII")  # ifinfomsg


def _links(node: Namespace, *, counters: bool = False) -> dict[str, LinkFact]:
    bodies, more = [], b"" if counters else _NO_COUNTERS
    for body in dump(node, RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + more):
        _, _, index, flags, _ = _LINK.unpack_from(body)
        bodies.append((index, flags, attributes(body, _LINK.size, _OF_LINKS)))
    names = {index: text(found.get(3)) for index, _, found in bodies}
    links = [_link(index, flags, found, names) for index, flags, found in bodies]
    return {link.name: link for link in links}


def read_marks(node: Namespace) -> dict[str, LinkMark]:
    """How links say whose they are, by name. Raises KernelError."""
    found = {}
    for body in dump(node, RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + _NO_COUNTERS):
        parts = attributes(body, _LINK.size, _OF_MARKS)
        index = _LINK.unpack_from(body)[2]
        found[text(parts.get(3))] = LinkMark(index, text(parts.get(20)), number(parts.get(27)))
    return found


_OF_MARKS = frozenset({3, 20, 27})
_OF_LINKS = frozenset({1, 3, 4, 5, 10, 18, 20, 23})  # IFLA_…: a thousand links have 40 each


_NO_COUNTERS = struct.pack("=HHI", 8, 29, 8)  # IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS


def _link(index: int, flags: int, found: Attributes, names: Mapping[int, str]) -> LinkFact:
    info = attributes(found.get(18, b""))
    kind = text(info.get(1))
    port = attributes(info.get(5, b"")) if text(info.get(4)) == "bridge" else {}
    read, wanted = _DETAILS.get(kind, _NOTHING)
    details = read(attributes(info.get(2, b""), 0, wanted), names) if wanted else {}
    if kind == "vlan":
        details["parent"] = names.get(number(found.get(5)))
    counters = struct.unpack_from("=8Q", found[23]) if len(found.get(23, b"")) >= 64 else ()
    return LinkFact(
        names[index],
        index,
        kind,
        number(found.get(4)),
        bool(flags & _IFF_UP),
        mac(found.get(1)),
        text(found.get(20)),
        names.get(number(found.get(10))) if 10 in found else None,
        bool(number(port[32])) if 32 in port else None,
        details,
        dict(zip(_COUNTERS, counters, strict=True)) if counters else {},
        bool(number(port[5])) if 5 in port else None,
        number(port[1]) == _DISABLED if 1 in port else None,
    )


_DISABLED = 0  # linux/if_bridge.h: BR_STATE_DISABLED

_COUNTERS = (
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_errors",
    "tx_errors",
    "rx_dropped",
    "tx_dropped",
)
"""The head of struct rtnl_link_stats64."""


def _vxlan(found: Attributes, names: Mapping[int, str]) -> dict[str, object]:
    far = found.get(2) or found.get(16) or b""
    to_group = far[:1] == b"\xff" if len(far) == 16 else far[:1] >= b"\xe0"  # multicast addresses
    return {
        "vni": number(found.get(1)),
        "local": address(found.get(4) or found.get(17)),
        "port": int.from_bytes(found.get(15, b""), "big"),
        "group": address(far) if to_group else None,
        "remote": None if to_group else address(far),
        "device": names.get(number(found.get(3))),
    }


def _gre(found: Attributes, names: Mapping[int, str]) -> dict[str, object]:
    keyed = bool(number(found.get(3)) | number(found.get(2)))
    return {
        "key": int.from_bytes(found.get(5, b""), "big") if keyed else None,
        "local": address(found.get(6)),
        "remote": address(found.get(7)),
        "ttl": number(found.get(8)),
        "tos": number(found.get(9)),
        "pmtudisc": bool(number(found.get(10))),
    }


def _ip6gre(found: Attributes, names: Mapping[int, str]) -> dict[str, object]:
    return _gre(found, names) | {"tos": _tos(found.get(12), found.get(13)), "pmtudisc": True}


def _ipip(found: Attributes, names: Mapping[int, str]) -> dict[str, object]:
    return {
        "key": None,
        "local": address(found.get(2)),
        "remote": address(found.get(3)),
        "ttl": number(found.get(4)),
        "tos": number(found.get(5)),
        "pmtudisc": bool(number(found.get(10))),
    }


def _ip6tnl(found: Attributes, names: Mapping[int, str]) -> dict[str, object]:
    return _ipip(found, names) | {"tos": _tos(found.get(7), found.get(8)), "pmtudisc": True}


def _tos(flow: bytes | None, flags: bytes | None) -> int:
    """The traffic class (RFC 8200 §3) as a change has it: 1 for the inner packet's."""
    if number(flags) & _TRAFFIC_CLASS_OF_INNER:
        return TOS_OF_INNER
    return int.from_bytes(flow or b"", "big") >> 20 & 0xFF


def _vlan(found: Attributes, names: Mapping[int, str]) -> dict[str, object]:
    return {"vlan_id": number(found.get(1))}


def _bridge(found: Attributes, names: Mapping[int, str]) -> dict[str, object]:
    return {"stp": bool(number(found.get(5)))}


def _nothing(found: Attributes, names: Mapping[int, str]) -> dict[str, object]:
    return {}


_NOTHING = (_nothing, frozenset[int]())
_DETAILS = {
    "bridge": (_bridge, frozenset({5})),
    "vxlan": (_vxlan, frozenset({1, 2, 3, 4, 15, 16, 17})),
    "gre": (_gre, frozenset(range(2, 11))),
    "ip6gre": (_ip6gre, frozenset(range(2, 14))),
    "ipip": (_ipip, frozenset(range(2, 11))),
    "ip6tnl": (_ip6tnl, frozenset(range(2, 11))),
    "vlan": (_vlan, frozenset({1})),
}
"""How each kind is read, and which of its attributes are: IFLA_VXLAN_… and the like."""

_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg
_FIRST_TWO = frozenset({1, 2})
"""Of an address: IFA_ADDRESS, IFA_LOCAL. Of a neighbour: NDA_DST, NDA_LLADDR."""


def _addresses(node: Namespace, names: Mapping[int, str]) -> frozenset[tuple[str, str, int]]:
    found = set()
    for body in dump(node, RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)):
        _, prefixlen, _, _, index = _ADDRESS.unpack_from(body)
        parts = attributes(body, _ADDRESS.size, _FIRST_TWO)
        own = address(parts.get(2)) or address(parts.get(1))
        if own is not None and index in names:
            found.add((names[index], own, prefixlen))
    return frozenset(found)


_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg
_EVERYTHING = _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)
_KINDS = {number: name for name, number in ROUTE_KINDS.items()}


def _routes(
    node: Namespace, names: Mapping[int, str]
) -> dict[tuple[str, int], tuple[RouteFact, ...]]:
    found: dict[tuple[str, int], tuple[RouteFact, ...]] = {}
    for body in dump(node, RTM_GETROUTE, _EVERYTHING):
        family, length, _, _, table, protocol, _, kind, flags = _ROUTE.unpack_from(body)
        if family not in _BOTH or table == _LOCAL_TABLE or flags & _CLONED:
            continue
        parts = attributes(body, _ROUTE.size)
        table = number(parts.get(15)) or table
        prefix = _prefix(family, parts.get(1), length)
        key = ("default" if prefix == "0.0.0.0/0" else prefix, table)
        link, via = names.get(number(parts.get(4))), address(parts.get(5))
        route = RouteFact(via, link, protocol, _KINDS.get(kind, str(kind)))
        found[key] = (*found.get(key, ()), route)
    return found


def _prefix(family: int, value: bytes | None, length: int) -> str:
    everything = "0.0.0.0" if family == socket.AF_INET else "::"
    return f"{address(value) or everything}/{length}"


def _rules(node: Namespace) -> frozenset[RuleFact]:
    found = set()
    for body in dump(node, RTM_GETRULE, _EVERYTHING):
        family, to_length, from_length, _, table, *_ = _ROUTE.unpack_from(body)
        parts = attributes(body, _ROUTE.size)
        if family not in _BOTH:
            continue
        found.add(
            RuleFact(
                number(parts.get(6)),
                _prefix(family, parts.get(2), from_length),
                _prefix(family, parts[1], to_length) if 1 in parts else None,
                number(parts.get(15)) or table,
                number(parts.get(21)),
                text(parts[3]) if 3 in parts else None,
            )
        )
    return frozenset(found)


_NEIGHBOUR = struct.Struct("=BxHiHBB")  # ndmsg


def _neighbours(
    node: Namespace, names: Mapping[int, str]
) -> dict[tuple[str, str], tuple[str, bool]]:
    found = {}
    for body in dump(node, RTM_GETNEIGH, _NEIGHBOUR.pack(0, 0, 0, 0, 0, 0)):
        _, _, index, state, _, _ = _NEIGHBOUR.unpack_from(body)
        parts = attributes(body, _NEIGHBOUR.size, _FIRST_TWO)
        neighbour, lladdr = address(parts.get(1)), mac(parts.get(2))
        if neighbour and lladdr and index in names:
            found[(names[index], neighbour)] = (lladdr, bool(state & _NUD_PERMANENT))
    return found


def _proxies(node: Namespace, names: Mapping[int, str]) -> frozenset[tuple[str, str]]:
    found = set()
    for body in dump(node, RTM_GETNEIGH, _NEIGHBOUR.pack(0, 0, 0, 0, _NTF_PROXY, 0)):
        _, _, index, _, _, _ = _NEIGHBOUR.unpack_from(body)
        answered = address(attributes(body, _NEIGHBOUR.size, _FIRST_TWO).get(1))
        if answered and index in names:
            found.add((names[index], answered))
    return frozenset(found)


def _fdb(node: Namespace, names: Mapping[int, str]) -> frozenset[tuple[str, str, str]]:
    found = set()
    for body in dump(node, RTM_GETNEIGH, _NEIGHBOUR.pack(socket.AF_BRIDGE, 0, 0, 0, 0, 0)):
        _, _, index, _, _, _ = _NEIGHBOUR.unpack_from(body)
        parts = attributes(body, _NEIGHBOUR.size, _FIRST_TWO)
        lladdr, remote = mac(parts.get(2)), address(parts.get(1))
        if lladdr and remote and index in names:
            found.add((names[index], lladdr, remote))
    return frozenset(found)
