"""Layer-2 segments over both sides: one side's changes. Pure.

They are those of the lab (netcont.approach.extension), with names of the file's. An anycast gateway
differs from the lab's: it is an address of the bridge's, and it may be at either side.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from netcont.deploy.address import prefix_of
from netcont.deploy.end import End
from netcont.deploy.tunnels import host_prefix, inner
from netcont.model.deployment import (
    Extension,
    ExtensionKind,
    Guest,
    SideName,
    family_of,
    of_family,
)
from netcont.model.numbers import ALL_MACS, SEGMENT_PRIORITY
from netcont.model.own import ALIAS, OWN_PREFIX
from netcont.model.plan import (
    MAIN_TABLE,
    AddAddress,
    AddBridge,
    AddFdb,
    AddIsolation,
    AddRoute,
    AddRule,
    AddVlan,
    AddVxlan,
    Announce,
    Change,
    SetBridgePort,
    SetMaster,
    SetSysctl,
    default_route,
)


def segment(end: End, one: Extension) -> Iterator[Change]:
    """The segment's link, the bridge that it joins, its addresses and routes."""
    bridge = one.bridge.at(end.side)
    if bridge is not None and bridge.startswith(OWN_PREFIX):
        # A gateway keeps its MAC, whichever ports come and go.
        mac = gateway_mac(end.name, end.side, bridge) if _is_gateway(end, bridge) else None
        yield AddBridge(end.node, bridge, end.deployment.mtu_of(one), mac=mac)
        yield end.up(bridge)
    yield _link(end, one)
    if one.kind is ExtensionKind.VXLAN and not one.group:
        _, *others = remotes(end, one)
        for remote in others:
            yield AddFdb(end.node, one.link, ALL_MACS, remote)
    if bridge is not None:
        yield SetMaster(end.node, one.link, bridge)
        if one.arp_suppression or one.loop_guard:
            suppress, guard = one.arp_suppression or None, one.loop_guard or None
            yield SetBridgePort(end.node, one.link, neigh_suppress=suppress, guard=guard)
    if bridge is not None and one.anycast_gateway:
        yield AddIsolation(end.node, one.link, one.anycast_gateway, f"{ALIAS} {end.name}")
    yield end.up(one.link)
    if bridge is not None and bridge.startswith(OWN_PREFIX):
        yield from _gateway(end, one, bridge)
    yield from inner(end, one, bridge or one.link, point_to_point=False)


def _is_gateway(end: End, bridge: str) -> bool:
    every = end.deployment.extension
    return any(each.anycast_gateway and each.bridge.at(end.side) == bridge for each in every)


def _gateway(end: End, one: Extension, bridge: str) -> Iterator[Change]:
    """A bridge of netcont's has the gateway's address, and all of its LAN where that is at home."""
    for address in one.anycast_gateway:
        family = family_of(address)
        if family == 4:
            # Away, the sources of packets from the segment are routed elsewhere.
            yield SetSysctl(end.node, f"net.ipv4.conf.{bridge}.rp_filter", "0")
        else:
            yield SetSysctl(end.node, f"net.ipv6.conf.{bridge}.disable_ipv6", "0")
        own = of_family(end.here.prefix, family)
        at_home = own is not None and prefix_of(own).overlaps(prefix_of(address))
        length = prefix_of(own if own is not None and at_home else address).length
        yield AddAddress(end.node, bridge, address, length)


def guest(end: End, one: Guest, over: Extension) -> Iterator[Change]:
    """What a guest needs where it is not at home, if it has a gateway there: that knows it, and
    hands what is for its own LAN to that at once, all else to the gateway at home."""
    family = family_of(one.address)
    bridge = over.bridge.at(end.side)
    if one.source is end.side or of_family(over.anycast_gateway, family) is None or bridge is None:
        return
    alone = host_prefix(one.address)
    if one.reverse:
        own, home = of_family(end.here.prefix, family), over.addresses.at(end.side.other)
        table, via = end.deployment.table_of(over), of_family(home, family) or ""
        if family == 4:
            # Its way home leads back into the segment that it comes from.
            for where in ("all", bridge):
                yield SetSysctl(end.node, f"net.ipv4.conf.{where}.send_redirects", "0")
        way, hop = default_route(one.address), via.partition("/")[0]
        yield AddRoute(end.node, way, via=hop, link=bridge, table=table)
        yield AddRule(end.node, SEGMENT_PRIORITY, alone, MAIN_TABLE, destination=own)
        yield AddRule(end.node, SEGMENT_PRIORITY + 1, alone, table)
    if end.switched:
        yield AddRoute(end.node, alone, link=bridge)


def remotes(end: End, one: Extension) -> tuple[str, ...]:
    """Where frames for everybody go: the other side, and the rest of the head-end list."""
    if not one.head_end:
        return (end.there.address,)
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
        remote=None if one.group else end.there.address,
    )


def port_mac(name: str, side: SideName, link: str) -> str:
    """A locally administered address, the same each time, and higher than any that is sold.

    A bridge takes over its lowest port's address: a port of netcont's must never be that one.
    """
    return f"{_PORTS}{_octets(name, side, link)}"


def is_port_mac(mac: str) -> bool:
    """Whether it is one of those: of a gateway that asks whether the other end is there."""
    return mac.startswith(_PORTS)


_PORTS = "fe:6e:"


def gateway_mac(name: str, side: SideName, bridge: str) -> str:
    """That of a bridge which is a gateway: another at each side, and none of a port's."""
    return f"02:6e:{_octets(name, side, bridge)}"


def _octets(*words: str) -> str:
    return crc32(" ".join(words).encode()).to_bytes(4, "big").hex(":")


def announcements(end: End, one: Guest, over: Extension) -> Iterator[Change]:
    """Away from home the guest is announced on the segment, so that bridges learn its way; and to
    it, who its gateway is there."""
    bridge = over.bridge.at(end.side)
    if one.source is end.side or not bridge:
        return
    if one.mac:
        yield Announce(end.node, bridge, one.address, one.mac, rarp=True)
    gateway = of_family(over.anycast_gateway, family_of(one.address))
    if gateway is not None:
        yield Announce(end.node, bridge, gateway, "", router=True)
