"""Layer-2 segments over both sides: one side's changes. Pure.

They are those of the lab (netcont.approach.extension), with names of the file's.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from netcont.deploy.end import End
from netcont.deploy.tunnels import inner
from netcont.model.deployment import OWN_PREFIX, Extension, ExtensionKind, Guest, SideName
from netcont.model.numbers import ALL_MACS
from netcont.model.plan import (
    AddBridge,
    AddFdb,
    AddVlan,
    AddVxlan,
    Announce,
    Change,
    SetBridgePort,
    SetMaster,
    SetUp,
)


def segment(end: End, one: Extension) -> Iterator[Change]:
    """The segment's link, the bridge that it joins, its addresses and routes."""
    bridge = one.bridge.at(end.side)
    if bridge is not None and bridge.startswith(OWN_PREFIX):
        yield AddBridge(end.node, bridge, end.deployment.mtu_of(one))
        yield end.alias(bridge)
        yield SetUp(end.node, bridge)
    yield _link(end, one)
    yield end.alias(one.link)
    if one.kind is ExtensionKind.VXLAN:
        for remote in () if one.group else remotes(end, one):
            yield AddFdb(end.node, one.link, ALL_MACS, remote)
    if bridge is not None:
        yield SetMaster(end.node, one.link, bridge)
        if one.arp_suppression or one.loop_guard:
            suppress, guard = one.arp_suppression or None, one.loop_guard or None
            yield SetBridgePort(end.node, one.link, neigh_suppress=suppress, guard=guard)
    yield SetUp(end.node, one.link)
    yield from inner(end, one, bridge or one.link, point_to_point=False)


def remotes(end: End, one: Extension) -> tuple[str, ...]:
    """Where frames for everybody go: the other side, and the rest of the head-end list."""
    heads = [each for each in one.head_end if each != end.here.address]
    return tuple(dict.fromkeys((end.there.address, *heads)))


def _link(end: End, one: Extension) -> Change:
    if one.kind is ExtensionKind.VLAN:
        return AddVlan(end.node, one.link, one.parent.at(end.side) or "", one.vlan_id or 0)
    return AddVxlan(
        end.node,
        one.link,
        one.vni or 0,
        end.here.address,
        one.port,
        end.deployment.mtu_of(one) or end.deployment.path_mtu_bytes,
        mac=port_mac(end.name, end.side, one.link),
        group=one.group,
        device=one.device.at(end.side),
    )


def port_mac(name: str, side: SideName, link: str) -> str:
    """A locally administered address, the same each time, and higher than any that is sold.

    A bridge takes over its lowest port's address: a port of netcont's must never be that one.
    """
    octets = crc32(f"{name} {side} {link}".encode()).to_bytes(4, "big")
    return f"{_PORTS}{octets.hex(':')}"


def is_port_mac(mac: str) -> bool:
    """Whether it is one of those: of a gateway that asks whether the other end is there."""
    return mac.startswith(_PORTS)


_PORTS = "fe:6e:"


def announcements(end: End, one: Guest, over: Extension) -> Iterator[Change]:
    """Away from home the guest is announced on the segment, so that bridges learn its way."""
    bridge = over.bridge.at(end.side)
    if one.source is not end.side and bridge and one.mac:
        yield Announce(end.node, bridge, one.address, one.mac, rarp=True)
