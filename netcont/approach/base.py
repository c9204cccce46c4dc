"""What an approach is: it says, phase by phase, what must change; it changes nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from netcont.model.layout import Layout
from netcont.model.plan import Announce, Change, Plan, is_ipv6
from netcont.model.scenario import Phase, Scenario


@dataclass(frozen=True)
class Context:
    """What a plan depends on."""

    layout: Layout
    scenario: Scenario


class Approach(Protocol):
    """One way to keep clients connected.

    keeps_address: the guest is still reached under its old address after the move. stretches: the
    guest's port at B belongs to A's layer-2 segment, not to B's LAN.
    """

    @property
    def name(self) -> str: ...

    @property
    def keeps_address(self) -> bool: ...

    @property
    def stretches(self) -> bool: ...

    def plan(self, phase: Phase, context: Context) -> Plan:
        """What changes in this phase."""
        ...


STRETCH_BRIDGE = "nc-stretch"
"""The hypervisor's bridge at B that carries A's segment, apart from B's own LAN."""


def guest_bridge(approach: Approach, layout: Layout) -> str:
    """The bridge at B that the guest's port joins."""
    return STRETCH_BRIDGE if approach.stretches else layout.b.bridge


def host_prefix(address: str) -> str:
    """The prefix that holds this address alone."""
    return f"{address}/{128 if is_ipv6(address) else 32}"


def announce_guest(layout: Layout, bridge: str) -> Change:
    """B's hypervisor says for the guest where its address is now, to neighbours and switches."""
    guest = layout.guest
    return Announce(layout.b.hypervisor, bridge, guest.address, guest.mac, rarp=True)
