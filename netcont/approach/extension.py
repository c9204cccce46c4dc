"""Layer-2 extension: A's segment reaches to B, so the guest's address and MAC stay where they
were, seen from everybody else.

The stretched segment ends at B in a bridge of its own: it is never joined to B's LAN, so there is
one path per segment and no loop. Prepare: the extension stands. The guest's port leaves A's bridge
at the pause, which makes A's bridge forget its MAC and flood to B; the announcement after the
resume teaches the switches the new way.
"""

from __future__ import annotations

from dataclasses import dataclass

from netcont.approach.base import STRETCH_BRIDGE, Context, announce_guest
from netcont.errors import ConfigurationError
from netcont.model.layout import Site
from netcont.model.plan import (
    AddBridge,
    AddFdb,
    AddNeighbour,
    AddVlan,
    AddVxlan,
    Change,
    Plan,
    SetBridgePort,
    SetMaster,
    SetUp,
)
from netcont.model.scenario import Phase

VTEP = "nc-vx"
ALL_MACS = "00:00:00:00:00:00"


@dataclass(frozen=True)
class VlanExtension:
    """An 802.1Q trunk over a carrier's layer-2 circuit between the hypervisors."""

    name: str = "vlan"
    keeps_address: bool = True
    stretches: bool = True

    def plan(self, phase: Phase, context: Context) -> Plan:
        """Raises ConfigurationError where the topology has no circuit."""
        if phase is Phase.PREPARE:
            return Plan(_bridge_at_b(context) + self._trunk(context))
        if phase is Phase.ANNOUNCE:
            return Plan((announce_guest(context.layout, STRETCH_BRIDGE),))
        return Plan()

    def _trunk(self, context: Context) -> tuple[Change, ...]:
        layout, vlan_id = context.layout, context.scenario.vlan.vlan_id
        changes: list[Change] = []
        for site, bridge in ((layout.a, layout.a.bridge), (layout.b, STRETCH_BRIDGE)):
            circuit = _circuit(site)
            link = f"nc-vlan{vlan_id}"
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
        """See the module's head."""
        if phase is Phase.PREPARE:
            return Plan(_bridge_at_b(context) + self._vteps(context))
        if phase is Phase.ANNOUNCE:
            return Plan((announce_guest(context.layout, STRETCH_BRIDGE),))
        return Plan()

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
                ),
                AddFdb(here.hypervisor, VTEP, ALL_MACS, there.hypervisor_address),
                SetMaster(here.hypervisor, VTEP, bridge),
                SetUp(here.hypervisor, VTEP),
            ]
        if vxlan.arp_suppression:
            changes += [
                SetBridgePort(b.hypervisor, VTEP, neigh_suppress=True),
                AddNeighbour(b.hypervisor, STRETCH_BRIDGE, a.gateway_address, a.gateway_mac),
            ]
        return tuple(changes)


def _bridge_at_b(context: Context) -> tuple[Change, ...]:
    b = context.layout.b
    return (
        AddBridge(b.hypervisor, STRETCH_BRIDGE, context.layout.mtu_bytes),
        SetUp(b.hypervisor, STRETCH_BRIDGE),
    )


def _circuit(site: Site) -> str:
    if site.circuit is None:
        raise ConfigurationError(
            f"{site.hypervisor} has no layer-2 circuit to the other site",
            remedy="use a topology with a circuit, or the approach vxlan",
        )
    return site.circuit
