"""What stands in a kernel now, as values: links, addresses, routes, rules, neighbours, FDB."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from netcont.kernel.namespace import Namespace
from netcont.kernel.rtnetlink import (
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTM_GETRULE,
    Attributes,
    attributes,
    dump,
    ipv4,
    mac,
    number,
    text,
)

_IFF_UP = 0x1
_INET, _BRIDGE = 2, 7
_NTF_PROXY = 0x8
_NUD_PERMANENT = 0x80
_LOCAL_TABLE = 255


@dataclass(frozen=True)
class LinkFact:
    """A link. details: of its kind, in the words of netcont's changes (vni, local, …).

    neigh_suppress: None where it is no bridge's port. group: see ip-link(8).
    """

    name: str
    index: int
    kind: str
    mtu_bytes: int
    up: bool
    mac: str | None = None
    alias: str = ""
    master: str | None = None
    neigh_suppress: bool | None = None
    group: int = 0
    details: Mapping[str, object] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RouteFact:
    """A route of one table; protocol as in rtnetlink(7)."""

    via: str | None
    link: str | None
    protocol: int


@dataclass(frozen=True)
class RuleFact:
    """A policy rule."""

    priority: int
    source: str | None
    destination: str | None
    table: int
    protocol: int


@dataclass(frozen=True)
class Facts:
    """Everything at one time. Prefixes are written as in changes ("default", "10.0.0.0/8")."""

    links: Mapping[str, LinkFact] = field(default_factory=dict)
    addresses: frozenset[tuple[str, str, int]] = frozenset()
    routes: Mapping[tuple[str, int], tuple[RouteFact, ...]] = field(default_factory=dict)
    rules: frozenset[RuleFact] = frozenset()
    neighbours: Mapping[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)
    proxies: frozenset[tuple[str, str]] = frozenset()
    fdb: frozenset[tuple[str, str, str]] = frozenset()
    sysctls: Mapping[str, str] = field(default_factory=dict)


def read_facts(node: Namespace) -> Facts:
    """Reads a namespace; nothing is changed, and no privilege is needed. Raises KernelError.

    Sysctls are left out: see Namespace.read_sysctl.
    """
    links = _links(node)
    names = {link.index: link.name for link in links.values()}
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


def _links(node: Namespace) -> dict[str, LinkFact]:
    bodies = []
    for body in dump(node, RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0)):
        _, _, index, flags, _ = _LINK.unpack_from(body)
        bodies.append((index, flags, attributes(body, _LINK.size)))
    names = {index: text(found.get(3)) for index, _, found in bodies}
    links = [_link(index, flags, found, names) for index, flags, found in bodies]
    return {link.name: link for link in links}


def _link(index: int, flags: int, found: Attributes, names: Mapping[int, str]) -> LinkFact:
    info = attributes(found.get(18, b""))
    kind = text(info.get(1))
    port = attributes(info.get(5, b"")) if text(info.get(4)) == "bridge" else {}
    read = _DETAILS.get(kind)
    details = read(attributes(info.get(2, b""))) if read else {}
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
        number(found.get(27)),
        details,
        dict(zip(_COUNTERS, counters, strict=False)),
    )


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


def _vxlan(found: Attributes) -> dict[str, object]:
    return {
        "vni": number(found.get(1)),
        "local": ipv4(found.get(4)),
        "port": int.from_bytes(found.get(15, b""), "big"),
    }


def _gre(found: Attributes) -> dict[str, object]:
    keyed = bool(number(found.get(3)) | number(found.get(2)))
    return {
        "key": int.from_bytes(found.get(5, b""), "big") if keyed else None,
        "local": ipv4(found.get(6)),
        "remote": ipv4(found.get(7)),
        "ttl": number(found.get(8)),
        "tos": number(found.get(9)),
        "pmtudisc": bool(number(found.get(10))),
    }


def _ipip(found: Attributes) -> dict[str, object]:
    return {
        "key": None,
        "local": ipv4(found.get(2)),
        "remote": ipv4(found.get(3)),
        "ttl": number(found.get(4)),
        "tos": number(found.get(5)),
        "pmtudisc": bool(number(found.get(10))),
    }


def _vlan(found: Attributes) -> dict[str, object]:
    return {"vlan_id": number(found.get(1))}


_DETAILS = {"vxlan": _vxlan, "gre": _gre, "ipip": _ipip, "vlan": _vlan}

_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg


def _addresses(node: Namespace, names: Mapping[int, str]) -> frozenset[tuple[str, str, int]]:
    found = set()
    for body in dump(node, RTM_GETADDR, _ADDRESS.pack(_INET, 0, 0, 0, 0)):
        _, prefixlen, _, _, index = _ADDRESS.unpack_from(body)
        parts = attributes(body, _ADDRESS.size)
        address = ipv4(parts.get(2)) or ipv4(parts.get(1))
        if address is not None and index in names:
            found.add((names[index], address, prefixlen))
    return frozenset(found)


_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg


def _routes(
    node: Namespace, names: Mapping[int, str]
) -> dict[tuple[str, int], tuple[RouteFact, ...]]:
    found: dict[tuple[str, int], tuple[RouteFact, ...]] = {}
    for body in dump(node, RTM_GETROUTE, _ROUTE.pack(_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
        family, length, _, _, table, protocol, *_ = _ROUTE.unpack_from(body)
        parts = attributes(body, _ROUTE.size)
        table = number(parts.get(15)) or table
        if family != _INET or table == _LOCAL_TABLE:
            continue
        key = (_prefix(parts.get(1), length) or "default", table)
        route = RouteFact(ipv4(parts.get(5)), names.get(number(parts.get(4))), protocol)
        found[key] = (*found.get(key, ()), route)
    return found


def _prefix(value: bytes | None, length: int) -> str | None:
    address = ipv4(value)
    return None if address is None else f"{address}/{length}"


def _rules(node: Namespace) -> frozenset[RuleFact]:
    found = set()
    for body in dump(node, RTM_GETRULE, _ROUTE.pack(_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
        _, to_length, from_length, _, table, *_ = _ROUTE.unpack_from(body)
        parts = attributes(body, _ROUTE.size)
        found.add(
            RuleFact(
                number(parts.get(6)),
                _prefix(parts.get(2), from_length),
                _prefix(parts.get(1), to_length),
                number(parts.get(15)) or table,
                number(parts.get(21)),
            )
        )
    return frozenset(found)


_NEIGHBOUR = struct.Struct("=BxHiHBB")  # ndmsg


def _neighbours(
    node: Namespace, names: Mapping[int, str]
) -> dict[tuple[str, str], tuple[str, bool]]:
    found = {}
    for body in dump(node, RTM_GETNEIGH, _NEIGHBOUR.pack(_INET, 0, 0, 0, 0, 0)):
        _, _, index, state, _, _ = _NEIGHBOUR.unpack_from(body)
        parts = attributes(body, _NEIGHBOUR.size)
        address, lladdr = ipv4(parts.get(1)), mac(parts.get(2))
        if address and lladdr and index in names:
            found[(names[index], address)] = (lladdr, bool(state & _NUD_PERMANENT))
    return found


def _proxies(node: Namespace, names: Mapping[int, str]) -> frozenset[tuple[str, str]]:
    found = set()
    for body in dump(node, RTM_GETNEIGH, _NEIGHBOUR.pack(_INET, 0, 0, 0, _NTF_PROXY, 0)):
        _, _, index, _, _, _ = _NEIGHBOUR.unpack_from(body)
        address = ipv4(attributes(body, _NEIGHBOUR.size).get(1))
        if address and index in names:
            found.add((names[index], address))
    return frozenset(found)


def _fdb(node: Namespace, names: Mapping[int, str]) -> frozenset[tuple[str, str, str]]:
    found = set()
    for body in dump(node, RTM_GETNEIGH, _NEIGHBOUR.pack(_BRIDGE, 0, 0, 0, 0, 0)):
        _, _, index, _, _, _ = _NEIGHBOUR.unpack_from(body)
        parts = attributes(body, _NEIGHBOUR.size)
        lladdr, remote = mac(parts.get(2)), ipv4(parts.get(1))
        if lladdr and remote and index in names:
            found.add((names[index], lladdr, remote))
    return frozenset(found)
