"""Reads captured frames as far as needed to find a marked datagram in them. Pure, never raises.

A marked datagram is a UDP datagram over IPv4 or IPv6 whose payload begins with
``netcont-overhead-`` and two digits. It may be inside 802.1Q tags, IP-in-IP of either family, GRE
(with or without checksum, key, sequence number; carrying IP or Ethernet) and VXLAN, in any nesting,
and IPv6 may have extension headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

MARK = re.compile(rb"netcont-overhead-([0-9]{2})")
VXLAN_PORT = 4789  # RFC 7348, section 5

# A frame is at most some dozens of layers deep before its head ends; this bounds hostile ones.
MAX_LAYERS = 16

_ETHERTYPE_IPV4 = 0x0800
_ETHERTYPE_IPV6 = 0x86DD  # RFC 2464, section 3
_ETHERTYPES_VLAN = frozenset({0x8100, 0x88A8})  # IEEE 802.1Q, 802.1ad
_ETHERTYPE_BRIDGED = 0x6558  # RFC 1701: transparent Ethernet bridging
_PROTOCOL_IPIP = 4  # RFC 2003
_PROTOCOL_UDP = 17
_PROTOCOL_IPV6 = 41  # RFC 2473
_PROTOCOL_GRE = 47  # RFC 2784
# RFC 8200, section 4: what may stand between an IPv6 header and its payload.
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60
_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE = 0x8000, 0x2000, 0x1000  # RFC 2890
_VXLAN_VNI_VALID = 0x08  # RFC 7348, section 5


@dataclass(frozen=True)
class Marked:
    """A marked datagram: its number, the length of its UDP payload in bytes, and the layers it
    was found under, outermost first ("ethernet", "802.1q", "ipv4", "ipv6", "gre", "gre-key",
    "vxlan", "udp")."""

    number: int
    payload_bytes: int
    layers: tuple[str, ...]


@dataclass(frozen=True)
class _Step:
    """One layer read: its name, what follows (None: a UDP payload) and from where."""

    layer: str
    next: str | None
    offset: int


def marked(head: str, vxlan_port: int = VXLAN_PORT) -> Marked | None:
    """The marked datagram in a frame's head (hexadecimal); None: there is none, or no more of it.

    vxlan_port: the UDP port that means VXLAN here.
    """
    try:
        data = bytes.fromhex(head)
    except ValueError:
        return None
    layers: list[str] = []
    offset, kind = 0, "ethernet"
    while len(layers) < MAX_LAYERS:
        step = _READERS[kind](data, offset)
        if step is None:
            return None
        layers.append(step.layer)
        if step.next is not None:
            offset, kind = step.offset, step.next
            continue
        match = MARK.match(data, step.offset)
        if match is not None:
            payload = _u16(data, step.offset - 4) - 8
            return Marked(int(match[1]), payload, tuple(layers))
        if _u16(data, step.offset - 6) != vxlan_port:
            return None
        offset, kind = step.offset, "vxlan"
    return None


def _u16(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "big")


def _by_ethertype(layer: str, ethertype: int, offset: int) -> _Step | None:
    if ethertype == _ETHERTYPE_IPV4:
        return _Step(layer, "ipv4", offset)
    if ethertype == _ETHERTYPE_IPV6:
        return _Step(layer, "ipv6", offset)
    if ethertype in _ETHERTYPES_VLAN:
        return _Step(layer, "802.1q", offset)
    if ethertype == _ETHERTYPE_BRIDGED:
        return _Step(layer, "ethernet", offset)
    return None


def _ethernet(data: bytes, offset: int) -> _Step | None:
    if len(data) < offset + 14:
        return None
    return _by_ethertype("ethernet", _u16(data, offset + 12), offset + 14)


def _vlan(data: bytes, offset: int) -> _Step | None:
    if len(data) < offset + 4:
        return None
    return _by_ethertype("802.1q", _u16(data, offset + 2), offset + 4)


def _ipv4(data: bytes, offset: int) -> _Step | None:
    if len(data) < offset + 20 or data[offset] >> 4 != 4:
        return None
    header = (data[offset] & 0x0F) * 4
    fragment_offset = _u16(data, offset + 6) & 0x1FFF
    if header < 20 or fragment_offset:
        return None
    return _by_protocol("ipv4", data[offset + 9], offset + header)


def _by_protocol(layer: str, protocol: int, offset: int) -> _Step | None:
    kind = _FOLLOWS.get(protocol)
    return None if kind is None else _Step(layer, kind, offset)


def _ipv6(data: bytes, offset: int) -> _Step | None:
    if len(data) < offset + 40 or data[offset] >> 4 != 6:
        return None
    protocol, offset = data[offset + 6], offset + 40
    for _ in range(MAX_LAYERS):
        if protocol not in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION):
            return _by_protocol("ipv6", protocol, offset)
        if len(data) < offset + 8:
            return None
        if protocol == _FRAGMENT and _u16(data, offset + 2) & 0xFFF8:
            return None  # not the first one
        length = 8 if protocol == _FRAGMENT else (data[offset + 1] + 1) * 8
        protocol, offset = data[offset], offset + length
    return None


_FOLLOWS: Mapping[int, str] = MappingProxyType(
    {_PROTOCOL_IPIP: "ipv4", _PROTOCOL_IPV6: "ipv6", _PROTOCOL_GRE: "gre", _PROTOCOL_UDP: "udp"}
)


def _gre(data: bytes, offset: int) -> _Step | None:
    if len(data) < offset + 4:
        return None
    flags = _u16(data, offset)
    if flags & 0x0007:  # version 1 is PPTP's
        return None
    optional = sum(4 for flag in (_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE) if flags & flag)
    layer = "gre-key" if flags & _GRE_KEY else "gre"
    return _by_ethertype(layer, _u16(data, offset + 2), offset + 4 + optional)


def _udp(data: bytes, offset: int) -> _Step | None:
    if len(data) < offset + 8:
        return None
    return _Step("udp", None, offset + 8)


def _vxlan(data: bytes, offset: int) -> _Step | None:
    if len(data) < offset + 8 or not data[offset] & _VXLAN_VNI_VALID:
        return None
    return _Step("vxlan", "ethernet", offset + 8)


_READERS: Mapping[str, Callable[[bytes, int], _Step | None]] = MappingProxyType(
    {
        "ethernet": _ethernet,
        "802.1q": _vlan,
        "ipv4": _ipv4,
        "ipv6": _ipv6,
        "gre": _gre,
        "udp": _udp,
        "vxlan": _vxlan,
    }
)
