"""A move within one LAN: one announcement, and addresses of the same prefix."""

from __future__ import annotations

import importlib

import pytest

from netcont.approach import Context, find, guest_bridge, require_suited
from netcont.errors import ConfigurationError
from netcont.model.plan import (
    AddAddress,
    Announce,
    DelAddress,
    Plan,
    SetSysctl,
    UpdateRecord,
)
from netcont.model.scenario import Network, Phase, Scenario


def context(topology: str = "lan") -> Context:
    scenario = Scenario(network=Network(topology=topology))
    return Context(importlib.import_module(f"topologies.{topology}").layout(scenario), scenario)


def test_the_hypervisor_at_b_announces_the_guest_once_it_runs() -> None:
    said = find("announce").plan(Phase.ANNOUNCE, context())
    assert said == Plan((Announce("hvb", "hvb-br", "10.1.0.10", "02:00:00:00:01:0a", rarp=True),))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.ANNOUNCE])
def test_nothing_else_happens(phase: Phase) -> None:
    assert find("announce").plan(phase, context()) == Plan()


def test_the_guest_keeps_its_address_and_joins_the_bridge_of_the_lan() -> None:
    approach = find("announce")
    assert approach.keeps_address and not approach.stretches
    assert guest_bridge(approach, context().layout) == "hvb-br"


def test_an_address_of_the_same_lan_survives_the_removal_of_the_old_one() -> None:
    assert find("readdress").plan(Phase.ANNOUNCE, context()) == Plan(
        (
            SetSysctl("guest", "net.ipv4.conf.guest-eth0.promote_secondaries", "1"),
            AddAddress("guest", "guest-eth0", "10.1.0.11", 24),
            DelAddress("guest", "guest-eth0", "10.1.0.10", 24),
        )
    )


def test_dns_points_to_the_new_address_of_the_lan() -> None:
    *_, update = find("ddns").plan(Phase.ANNOUNCE, context())
    assert isinstance(update, UpdateRecord)
    assert (update.node, update.was, update.value) == ("gwa", "10.1.0.10", "10.1.0.11")


@pytest.mark.parametrize("name", ["ipip", "gre", "vlan", "vxlan", "ddns+ipip"])
def test_what_joins_two_sites_is_refused_on_one_lan(name: str) -> None:
    with pytest.raises(ConfigurationError, match="A and B are one") as caught:
        require_suited(name, Network(topology="lan"))
    assert "announce" in caught.value.remedy
    require_suited(name, Network())
    require_suited(name, Network(topology="three_site"))


@pytest.mark.parametrize("name", ["readdress", "blackhole", "announce", "ddns", "ddns+announce"])
def test_what_needs_no_second_site_is_allowed_on_one_lan(name: str) -> None:
    require_suited(name, Network(topology="lan"))
