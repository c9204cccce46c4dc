"""The plans for a network of IPv6, as values."""

from __future__ import annotations

import importlib

import pytest

from netcont.approach import Context, find
from netcont.model.numbers import SEGMENT_GATEWAY_MAC, SEGMENT_NEXT_HOP_IPV6
from netcont.model.plan import (
    MAIN_TABLE,
    AddAddress,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    AddVxlan,
    Announce,
    DelAddress,
    DelRoute,
    Plan,
    SetSysctl,
    SetUp,
    UpdateRecord,
)
from netcont.model.scenario import Network, Phase, Scenario, Tunnel

GUEST, GATEWAY = "2001:db8:1::10", "2001:db8:1::1"
AWAY, NEW = "2001:db8:2::/64", "2001:db8:2::10"
ON_LINK = ("2001:db8:1::50", "2001:db8:1::2")


def plan(name: str, phase: Phase, topology: str = "two_site", *, reverse: bool = True) -> Plan:
    network = Network(topology=topology, family=6)
    scenario = Scenario(network=network, tunnel=Tunnel(reverse=reverse))
    layout = importlib.import_module(f"topologies.{topology}").layout(scenario)
    return find(name).plan(phase, Context(layout, scenario))


@pytest.mark.parametrize(("name", "key"), [("gre", 42), ("ipip", None)])
def test_a_tunnel_of_ipv6_stands_before_the_pause(name: str, key: int | None) -> None:
    a, b = "2001:db8:ffff::5", "2001:db8:ffff::9"
    way = plan(name, Phase.PREPARE)
    ends = []
    for node, here, there in (("gwa", a, b), ("gwb", b, a)):
        ends += [
            AddTunnel(node, "nc-tun", name, here, there, key=key),
            SetSysctl(node, "net.ipv6.conf.nc-tun.addr_gen_mode", "1"),
            SetSysctl(node, "net.ipv6.conf.nc-tun.disable_ipv6", "0"),
            SetUp(node, "nc-tun"),
        ]
    assert way.changes == (
        *ends,
        AddRule("gwb", 770, f"{GUEST}/128", MAIN_TABLE, destination=AWAY),
        SetSysctl("gwb", "net.ipv6.neigh.gwb-lan.proxy_delay", "0"),
        SetSysctl("gwb", "net.ipv6.conf.all.proxy_ndp", "1"),
        AddNeighbour("gwb", "gwb-lan", GATEWAY, router=True),
        *(AddNeighbour("gwb", "gwb-lan", address) for address in ON_LINK),
        AddRoute("gwb", "::/0", link="nc-tun", table=770),
        AddRule("gwb", 771, f"{GUEST}/128", 770),
    )


def test_the_switch_turns_the_guests_packets_at_both_gateways() -> None:
    assert plan("gre", Phase.SWITCH).changes == (
        AddRoute("gwa", f"{GUEST}/128", link="nc-tun"),
        SetSysctl("gwa", "net.ipv6.neigh.gwa-lan.proxy_delay", "0"),
        SetSysctl("gwa", "net.ipv6.conf.all.proxy_ndp", "1"),
        AddNeighbour("gwa", "gwa-lan", GUEST),
        Announce("gwa", "gwa-lan", GUEST, "02:00:00:00:01:01"),
        AddRoute("gwb", f"{GUEST}/128", link="gwb-lan"),
    )


def test_the_guest_hears_of_its_gateway_as_of_a_router_and_of_its_neighbours_as_of_hosts() -> None:
    said = [change for change in plan("ipip", Phase.RESUME) if isinstance(change, Announce)]
    assert [(c.address, c.router) for c in said] == [
        (GATEWAY, True),
        *((address, False) for address in ON_LINK),
    ]
    assert {(c.node, c.link, c.mac) for c in said} == {("gwb", "gwb-lan", "02:00:00:00:02:01")}


def test_direct_return_takes_only_what_is_for_a_through_the_tunnel() -> None:
    ways = [c for c in plan("gre", Phase.PREPARE, reverse=False) if isinstance(c, AddRoute)]
    assert ways == [AddRoute("gwb", "2001:db8:1::/64", link="nc-tun", table=770)]


@pytest.mark.parametrize("name", ["vlan", "vxlan"])
def test_the_hypervisor_at_b_answers_for_the_gateway(name: str) -> None:
    prepared = plan(name, Phase.PREPARE).changes
    made = prepared.index(SetUp("hvb", "nc-stretch"))
    for needed in (
        SetSysctl("hvb", "net.ipv6.conf.all.forwarding", "1"),
        SetSysctl("hvb", "net.ipv6.conf.nc-stretch.disable_ipv6", "0"),
        AddNeighbour("hvb", "nc-stretch", GATEWAY, SEGMENT_GATEWAY_MAC, router=True),
        AddNeighbour("hvb", "nc-stretch", SEGMENT_NEXT_HOP_IPV6, "02:00:00:00:01:01"),
        AddRoute("hvb", "::/0", via=SEGMENT_NEXT_HOP_IPV6, link="nc-stretch", table=771),
        AddRule("hvb", 772, f"{GUEST}/128", MAIN_TABLE, destination=AWAY),
        AddRule("hvb", 773, f"{GUEST}/128", 771),
    ):
        assert prepared.index(needed) > made


def test_vteps_stand_on_addresses_of_ipv6() -> None:
    vteps = [c for c in plan("vxlan", Phase.PREPARE) if isinstance(c, AddVxlan)]
    assert [v.local for v in vteps] == ["2001:db8:1::2", "2001:db8:2::2"]


def test_a_guest_with_a_new_address_has_a_new_default_route() -> None:
    assert plan("readdress", Phase.ANNOUNCE).changes == (
        AddAddress("guest", "guest-eth0", NEW, 64),
        DelRoute("guest", "::/0", via=GATEWAY),
        AddRoute("guest", "::/0", via="2001:db8:2::1"),
        DelAddress("guest", "guest-eth0", GUEST, 64),
    )


def test_on_a_lan_the_prefix_stays_with_the_second_address() -> None:
    assert plan("readdress", Phase.ANNOUNCE, "lan").changes == (
        AddAddress("guest", "guest-eth0", "2001:db8:1::11", 64),
        DelAddress("guest", "guest-eth0", GUEST, 64),
    )


def test_the_name_gets_an_address_of_ipv6() -> None:
    *_, update = plan("ddns", Phase.ANNOUNCE)
    assert isinstance(update, UpdateRecord)
    assert (update.kind, update.was, update.value) == ("AAAA", GUEST, NEW)
    assert update.server == "2001:db8:3::53"
