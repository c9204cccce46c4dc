"""Layer-2 extensions as plans: the guest's gateway is at B too, and A never hears of it."""

from __future__ import annotations

import importlib

import pytest

from netcont.approach import Context, find
from netcont.model.numbers import SEGMENT_GATEWAY_MAC, SEGMENT_NEXT_HOP
from netcont.model.plan import (
    AddBridge,
    AddBridgeMac,
    AddNeighbour,
    AddRoute,
    AddRule,
    Announce,
    Plan,
    SetBridgePort,
)
from netcont.model.scenario import Phase, Scenario, Vxlan

EXTENSIONS = ("vlan", "vxlan")
every_extension = pytest.mark.parametrize("name", EXTENSIONS)


def context(scenario: Scenario | None = None) -> Context:
    chosen = scenario or Scenario()
    return Context(importlib.import_module("topologies.two_site").layout(chosen), chosen)


def plan(name: str, phase: Phase, scenario: Scenario | None = None) -> Plan:
    return find(name).plan(phase, context(scenario))


@every_extension
def test_the_bridge_at_b_is_the_gateway_and_answers_for_it(name: str) -> None:
    prepared = plan(name, Phase.PREPARE)
    (bridge,) = (change for change in prepared if isinstance(change, AddBridge))
    assert bridge.mac == SEGMENT_GATEWAY_MAC
    neighbours = {c.address: c.mac for c in prepared if isinstance(c, AddNeighbour)}
    layout = context().layout
    assert neighbours == {
        layout.a.gateway_address: SEGMENT_GATEWAY_MAC,
        SEGMENT_NEXT_HOP: layout.a.gateway_mac,
    }
    (suppressed,) = (change for change in prepared if isinstance(change, SetBridgePort))
    assert suppressed.node == "hvb"
    # It is what its own address is behind that lets the bridge answer everybody but A.
    (own,) = (change for change in prepared if isinstance(change, AddBridgeMac))
    assert (own.node, own.link, own.mac) == ("hvb", suppressed.link, SEGMENT_GATEWAY_MAC)


@every_extension
def test_what_is_for_b_stays_at_b_and_the_rest_goes_to_as_gateway(name: str) -> None:
    prepared = plan(name, Phase.PREPARE)
    local, rest = (change for change in prepared if isinstance(change, AddRule))
    assert (local.destination, local.table) == (context().layout.b.prefix, 254)
    assert local.priority < rest.priority
    (default,) = (c for c in prepared if isinstance(c, AddRoute) and c.destination == "default")
    assert (default.via, default.table) == (SEGMENT_NEXT_HOP, rest.table)


@every_extension
def test_only_the_guests_port_hears_where_its_gateway_is(name: str) -> None:
    released, said = plan(name, Phase.RESUME)
    assert isinstance(released, AddNeighbour)
    assert isinstance(said, Announce)
    assert (said.link, said.mac, said.rarp) == ("hvb-guest", SEGMENT_GATEWAY_MAC, False)


@every_extension
def test_b_sends_to_the_guest_once_it_has_left_a(name: str) -> None:
    assert all(isinstance(change, AddRoute) for change in plan(name, Phase.SWITCH))
    assert {change.node for change in plan(name, Phase.SWITCH)} == {"hvb", "gwb"}
    assert not any(
        isinstance(c, AddRoute) and c.destination == "10.1.0.10/32"
        for c in plan(name, Phase.PREPARE)
    )


def test_without_arp_suppression_the_only_gateway_is_at_a() -> None:
    chosen = Scenario(vxlan=Vxlan(arp_suppression=False))
    prepared = plan("vxlan", Phase.PREPARE, chosen)
    assert plan("vxlan", Phase.SWITCH, chosen) == plan("vxlan", Phase.RESUME, chosen) == Plan()
    assert not any(isinstance(c, AddRule | SetBridgePort | AddNeighbour) for c in prepared)
