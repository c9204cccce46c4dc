"""Layer-2 extension: A's segment reaches to B, so the guest's address and MAC stay where they
were, seen from everybody else.

The stretched segment ends at B in a bridge of its own: it is never joined to B's LAN, so there is
one path per segment and no loop. Prepare: the extension stands. The guest's port leaves A's bridge
at the pause, which makes A's bridge forget its MAC and flood to B; the announcement after the
resume teaches the switches the new way.

B's hypervisor is the segment's gateway at B (FHRP isolation, as data centre interconnects have
it): it answers the guest's ARP or Neighbour Discovery for its gateway, hands what is for B to B at
once, and passes all else on to the gateway at A. Without it, two hosts at B would talk to each
other by way of A. A's hosts must never hear what it says about the gateway: it is the bridge that
answers, and it answers nobody who asks through the link to A.
"""

from __future__ import annotations

from dataclasses import dataclass

from netcont.approach.base import STRETCH_BRIDGE, Context, announce_guest, host_prefix
from netcont.errors import ConfigurationError
from netcont.model.layout import Layout, Site
from netcont.model.numbers import (
    SEGMENT_GATEWAY_MAC,
    SEGMENT_NEXT_HOP,
    SEGMENT_NEXT_HOP_IPV6,
    SEGMENT_PRIORITY,
    SEGMENT_TABLE,
)
from netcont.model.plan import (
    MAIN_TABLE,
    AddBridge,
    AddBridgeMac,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddVlan,
    AddVxlan,
    Announce,
    Change,
    Plan,
    SetBridgePort,
    SetMaster,
    SetSysctl,
    SetUp,
    default_route,
)
from netcont.model.scenario import Phase

VTEP = "nc-vx"


@dataclass(frozen=True)
class VlanExtension:
    """An 802.1Q trunk over a carrier's layer-2 circuit between the hypervisors."""

    name: str = "vlan"
    keeps_address: bool = True
    stretches: bool = True

    def plan(self, phase: Phase, context: Context) -> Plan:
        """Raises ConfigurationError where the topology has no circuit."""
        if phase is Phase.PREPARE:
            link = _vlan_link(context)
            return Plan(_bridge_at_b(context) + self._trunk(context) + _isolate(context, link))
        return _moved(phase, context, isolated=True)

    def _trunk(self, context: Context) -> tuple[Change, ...]:
        layout, vlan_id = context.layout, context.scenario.vlan.vlan_id
        changes: list[Change] = []
        for site, bridge in ((layout.a, layout.a.bridge), (layout.b, STRETCH_BRIDGE)):
            circuit = _circuit(site)
            link = _vlan_link(context)
            changes += [
                AddVlan(site.hypervisor, link, circuit, vlan_id),
                SetMaster(site.hypervisor, link, bridge),
                SetUp(site.hypervisor, link),
            ]
        return tuple(changes)


@dataclass(frozen=True)
class VxlanExtension:
    """VTEPs on both hypervisors (RFC 7348), static head-end replication, ARP suppression."""

    name: str = "vxlan"
    keeps_address: bool = True
    stretches: bool = True

    def plan(self, phase: Phase, context: Context) -> Plan:
        """See the module's head. Without ARP suppression the only gateway is at A."""
        isolated = context.scenario.vxlan.arp_suppression
        if phase is Phase.PREPARE:
            gateway = _isolate(context, VTEP) if isolated else ()
            return Plan(_bridge_at_b(context) + self._vteps(context) + gateway)
        return _moved(phase, context, isolated=isolated)

    def _vteps(self, context: Context) -> tuple[Change, ...]:
        layout, vxlan = context.layout, context.scenario.vxlan
        a, b = layout.a, layout.b
        changes: list[Change] = []
        for here, there, bridge in ((a, b, a.bridge), (b, a, STRETCH_BRIDGE)):
            changes += [
                # Frames of established flows stay full size: the outer packet is fragmented, or
                # the kernel answers with fragmentation-needed on the bridge (since 5.9).
                AddVxlan(
                    here.hypervisor,
                    VTEP,
                    vxlan.vni,
                    here.hypervisor_address,
                    vxlan.port,
                    layout.mtu_bytes,
                    remote=there.hypervisor_address,
                ),
                SetMaster(here.hypervisor, VTEP, bridge),
                SetUp(here.hypervisor, VTEP),
            ]
        return tuple(changes)


def _moved(phase: Phase, context: Context, *, isolated: bool) -> Plan:
    """What all extensions do once they stand; isolated: the guest's gateway is at B too."""
    layout = context.layout
    b, guest = layout.b, layout.guest
    if phase is Phase.ANNOUNCE:
        return Plan((announce_guest(layout, STRETCH_BRIDGE),))
    if not isolated:
        return Plan()
    if phase is Phase.SWITCH:
        return Plan(
            (
                AddRoute(b.hypervisor, host_prefix(guest.address), link=STRETCH_BRIDGE),
                AddRoute(b.gateway, host_prefix(guest.address), via=b.hypervisor_address),
            )
        )
    if phase is Phase.RESUME:
        gateway = layout.a.gateway_address
        return Plan(
            (
                # Releases what has waited for the guest here; no frame would say so to its sender.
                AddNeighbour(b.hypervisor, STRETCH_BRIDGE, guest.address, guest.mac),
                Announce(b.hypervisor, b.guest_port, gateway, SEGMENT_GATEWAY_MAC, router=True),
            )
        )
    return Plan()


def _bridge_at_b(context: Context) -> tuple[Change, ...]:
    b = context.layout.b
    mtu_bytes = context.layout.mtu_bytes
    return (
        AddBridge(b.hypervisor, STRETCH_BRIDGE, mtu_bytes, mac=SEGMENT_GATEWAY_MAC),
        SetUp(b.hypervisor, STRETCH_BRIDGE),
    )


def _isolate(context: Context, link: str) -> tuple[Change, ...]:
    """B's hypervisor is the guest's gateway; link, which leads to A, hears nothing of it."""
    layout = context.layout
    a, b, guest = layout.a, layout.b, layout.guest
    node, source = b.hypervisor, host_prefix(guest.address)
    # The true gateway has another name here, since its own is taken.
    six = layout.family == 6
    next_hop = SEGMENT_NEXT_HOP_IPV6 if six else SEGMENT_NEXT_HOP
    there = () if six else (AddRoute(node, f"{next_hop}/32", link=STRETCH_BRIDGE),)
    everywhere = default_route(guest.address)
    return (
        *(_forwards_ipv6(layout) if six else _forwards_ipv4(layout)),
        SetBridgePort(node, link, neigh_suppress=True),
        AddBridgeMac(node, link, SEGMENT_GATEWAY_MAC),
        AddNeighbour(node, STRETCH_BRIDGE, a.gateway_address, SEGMENT_GATEWAY_MAC, router=six),
        AddNeighbour(node, STRETCH_BRIDGE, next_hop, a.gateway_mac),
        *there,
        AddRoute(node, everywhere, via=next_hop, link=STRETCH_BRIDGE, table=SEGMENT_TABLE),
        AddRule(node, SEGMENT_PRIORITY, source, MAIN_TABLE, destination=b.prefix),
        AddRule(node, SEGMENT_PRIORITY + 1, source, SEGMENT_TABLE),
    )


def _forwards_ipv4(layout: Layout) -> tuple[Change, ...]:
    b, node = layout.b, layout.b.hypervisor
    return (
        SetSysctl(node, "net.ipv4.ip_forward", "1"),
        SetSysctl(node, f"net.ipv4.conf.{STRETCH_BRIDGE}.rp_filter", "0"),
        SetSysctl(node, f"net.ipv4.conf.{STRETCH_BRIDGE}.send_redirects", "0"),
        SetSysctl(node, "net.ipv4.conf.all.send_redirects", "0"),
        SetSysctl(b.gateway, f"net.ipv4.conf.{b.gateway_lan}.send_redirects", "0"),
    )


def _forwards_ipv6(layout: Layout) -> tuple[Change, ...]:
    node = layout.b.hypervisor
    return (
        SetSysctl(node, "net.ipv6.conf.all.forwarding", "1"),
        SetSysctl(node, f"net.ipv6.conf.{STRETCH_BRIDGE}.disable_ipv6", "0"),
    )


def _vlan_link(context: Context) -> str:
    return f"nc-vlan{context.scenario.vlan.vlan_id}"


def _circuit(site: Site) -> str:
    if site.circuit is None:
        raise ConfigurationError(
            f"{site.hypervisor} has no layer-2 circuit to the other site",
            remedy="use a topology with a circuit, or the approach vxlan",
        )
    return site.circuit
