"""RTM_NEWLINK, RTM_DELLINK, RTM_SETLINK: links made, changed, removed (linux/if_link.h)."""

from __future__ import annotations

import socket
import struct

from netcont.kernel.requests.message import (
    NEW,
    Indices,
    Message,
    attribute,
    byte,
    mac,
    nested,
    number,
    on,
    packed,
    text,
)
from netcont.model import plan as changes
from netcont.model.plan import is_ipv6

_NEW_LINK, _DEL_LINK, _SET_LINK = 16, 17, 19
_LINK = struct.Struct("=BxHiII")  # ifinfomsg
_ADDRESS, _NAME, _MTU, _PARENT, _MASTER, _PORT, _INFO = 1, 3, 4, 5, 10, 12, 18  # IFLA_…
_ALIAS, _GROUP = 20, 27
_IFF_UP = 0x1
_GROUPS = 0x6E630000

_GRE_KEY = 0x2000  # the K bit, RFC 2890 §2
_NO_ENCAPSULATION_LIMIT = 0x1  # IP6_TNL_F_IGN_ENCAP_LIMIT
_TRAFFIC_CLASS_OF_INNER = 0x2  # IP6_TNL_F_USE_ORIG_TCLASS
_TRAFFIC_CLASS_SHIFT = 20  # within flowinfo: RFC 8200 §3


def _link(index: int = 0, flags: int = 0, mask: int = 0) -> bytes:
    return _LINK.pack(0, 0, index, flags, mask)


def _new(change: changes.AddLink, kind: str, data: bytes, more: bytes = b"") -> Message:
    info = text(1, kind) + nested(2, data)
    return _NEW_LINK, NEW, _link() + text(_NAME, change.name) + more + nested(_INFO, info)


def _mtu(mtu_bytes: int | None) -> bytes:
    return number(_MTU, mtu_bytes) if mtu_bytes else b""


def _mac(address: str | None) -> bytes:
    return attribute(_ADDRESS, mac(address)) if address else b""


@on(changes.AddTunnel)
def _tunnel(change: changes.AddTunnel, indices: Indices) -> Message:
    """IFLA_GRE_… and IFLA_IPTUN_…: other numbers, the same meaning."""
    gre = change.kind == "gre"
    local = 6 if gre else 2
    ends = attribute(local, packed(change.local)) + attribute(local + 1, packed(change.remote))
    data = ends + byte(local + 2, change.ttl)
    if is_ipv6(change.local):
        data += _outer_ipv6(change, local + 4) + (b"" if gre else byte(9, 0))  # carries both
    else:
        data += byte(local + 3, change.tos) + byte(10, change.pmtudisc)
    if change.key is not None:
        flags, key = struct.pack("!H", _GRE_KEY), struct.pack("!I", change.key)
        data += attribute(2, flags) + attribute(3, flags) + attribute(4, key) + attribute(5, key)
    return _new(change, change.link_kind, data, _mtu(change.mtu_bytes))


def _outer_ipv6(change: changes.AddTunnel, first: int) -> bytes:
    flags, flow = _NO_ENCAPSULATION_LIMIT, change.tos << _TRAFFIC_CLASS_SHIFT
    if change.tos == changes.TOS_OF_INNER:
        flags, flow = flags | _TRAFFIC_CLASS_OF_INNER, 0
    gap = 1 if change.kind == "gre" else 0  # IFLA_GRE_PMTUDISC stands between
    first += gap
    return byte(first, 0) + attribute(first + 1, struct.pack("!I", flow)) + number(first + 2, flags)


@on(changes.AddBridge)
def _bridge(change: changes.AddBridge, indices: Indices) -> Message:
    data = number(5, 0) + number(1, 0) + byte(23, 0)  # STP, forward delay, multicast snooping
    if not change.learning:
        data += number(4, 0)  # ageing time
    return _new(change, "bridge", data, _mac(change.mac) + _mtu(change.mtu_bytes))


@on(changes.AddVlan)
def _vlan(change: changes.AddVlan, indices: Indices) -> Message:
    data = attribute(1, struct.pack("=H", change.vlan_id))
    return _new(change, "vlan", data, number(_PARENT, indices(change.parent)))


@on(changes.AddVxlan)
def _vxlan(change: changes.AddVxlan, indices: Indices) -> Message:
    local, far = (17, 16) if is_ipv6(change.local) else (4, 2)
    data = number(1, change.vni) + attribute(local, packed(change.local))
    data += byte(7, 1) + attribute(15, struct.pack("!H", change.port))  # learning, port
    if everybody := change.group or change.remote:
        data += attribute(far, packed(everybody))
    if change.ttl:
        data += byte(5, change.ttl)
    if change.device:
        data += number(3, indices(change.device))
    return _new(change, "vxlan", data, _mac(change.mac) + _mtu(change.mtu_bytes))


@on(changes.DelLink)
def _no_link(change: changes.DelLink, indices: Indices) -> Message:
    return _DEL_LINK, 0, _link(indices(change.name))


@on(changes.SetUp)
def _up(change: changes.SetUp, indices: Indices) -> Message:
    alias = text(_ALIAS, change.alias) if change.alias is not None else b""
    head = _link(indices(change.link), _IFF_UP if change.up else 0, _IFF_UP)
    return _NEW_LINK, 0, head + alias


@on(changes.SetMaster)
def _master(change: changes.SetMaster, indices: Indices) -> Message:
    master = indices(change.master) if change.master else 0
    return _NEW_LINK, 0, _link(indices(change.link)) + number(_MASTER, master)


@on(changes.SetBridgePort)
def _port(change: changes.SetBridgePort, indices: Indices) -> Message:
    head = _LINK.pack(socket.AF_BRIDGE, 0, indices(change.link), 0, 0)
    wanted = {32: change.neigh_suppress, 5: change.guard}  # IFLA_BRPORT_…
    settings = b"".join(byte(kind, on) for kind, on in wanted.items() if on is not None)
    return _SET_LINK, 0, head + nested(_PORT, settings)


def unused_group(groups: set[int]) -> int:
    """A group of links that no link is in; groups: those with members."""
    return next(group for group in range(_GROUPS, _GROUPS + 1 + len(groups)) if group not in groups)


def into_group(index: int, group: int) -> Message:
    """Puts a link into a group (see ip-link(8))."""
    return _NEW_LINK, 0, _link(index) + number(_GROUP, group)


def delete_group(group: int) -> Message:
    """Removes all links of a group: the kernel waits once, and not once for each."""
    return _DEL_LINK, 0, _link() + number(_GROUP, group)
