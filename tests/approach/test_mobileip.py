"""Mobile IP as plans: who is told what, in which phase."""

from __future__ import annotations

import importlib

import pytest

from netcont.approach import Context, find
from netcont.model.plan import AddAddress, AddNeighbour, AddRoute, Announce, Leave, Plan, Register
from netcont.model.scenario import Phase, Scenario, Tunnel

CONTROL = "@netcont-foreign"


def context(chosen: Scenario | None = None) -> Context:
    scenario = chosen or Scenario()
    return Context(importlib.import_module("topologies.two_site").layout(scenario), scenario)


def plan(name: str, phase: Phase) -> Plan:
    return find(name).plan(phase, context())


def test_the_guest_is_registered_ahead_while_it_still_runs_at_a() -> None:
    assert plan("mobileip", Phase.PREPARE) == Plan(
        (Register("hvb", CONTROL, "10.1.0.10", ahead=True, wait=True),)
    )


@pytest.mark.parametrize("name", ["mobileip", "mobileip-plain"])
def test_the_switch_is_one_message_that_nobody_waits_for(name: str) -> None:
    known, register = plan(name, Phase.RESUME)
    assert known == AddNeighbour("hvb", "hvb-br", "10.1.0.10", context().layout.guest.mac)
    assert register == Register("hvb", CONTROL, "10.1.0.10", ahead=False, wait=False)


def test_the_plain_variant_prepares_nothing() -> None:
    assert plan("mobileip-plain", Phase.PREPARE) == Plan()


def test_a_co_located_guest_gets_an_address_and_registers_itself() -> None:
    assert plan("mobileip-colocated", Phase.PREPARE) == Plan()
    address, route = plan("mobileip-colocated", Phase.RESUME)
    assert isinstance(address, AddAddress)
    assert (address.node, address.address) == ("guest", context().layout.guest.new_address)
    assert isinstance(route, AddRoute)
    assert route.destination == f"{context().layout.a.wan_address}/32"


@pytest.mark.parametrize("name", ["mobileip", "mobileip-plain", "mobileip-colocated"])
def test_bs_switches_hear_where_the_guest_is(name: str) -> None:
    (said,) = plan(name, Phase.ANNOUNCE)
    assert isinstance(said, Announce)
    assert (said.link, said.address, said.rarp) == ("hvb-br", "10.1.0.10", True)


@pytest.mark.parametrize("phase", [Phase.COPY, Phase.PAUSE, Phase.SWITCH, Phase.RETIRE])
def test_other_phases_change_nothing(phase: Phase) -> None:
    assert plan("mobileip", phase) == Plan()


def test_a_registration_is_undone_by_leaving() -> None:
    (register,) = plan("mobileip", Phase.PREPARE)
    assert register.undo() == Leave("hvb", CONTROL, "10.1.0.10")
    assert register.commands() == (f"netcont agent prepare 10.1.0.10 --control {CONTROL}",)


def test_names_may_be_composed_with_dns() -> None:
    assert find("ddns+mobileip").keeps_address


def test_without_a_reverse_tunnel_bs_gateway_knows_the_guest() -> None:
    direct = context(Scenario(tunnel=Tunnel(reverse=False)))
    *_, route = find("mobileip").plan(Phase.SWITCH, direct)
    assert route == AddRoute("gwb", "10.1.0.10/32", via=direct.layout.b.hypervisor_address)
