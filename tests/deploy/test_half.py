"""One side's plan, as a value; and that it is what the lab measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netcont.approach import find
from netcont.approach.base import Context
from netcont.deploy.half import Half
from netcont.model.deployment import SideName
from netcont.model.layout import GuestPort, Layout, NameService, Site
from netcont.model.plan import (
    AddAddress,
    AddBridge,
    AddFdb,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    AddVlan,
    AddVxlan,
    Announce,
    Change,
    Plan,
    SetSysctl,
    SetUp,
    TsigKey,
)
from netcont.model.scenario import Phase, Scenario, Tunnel

from .files import ROUTED, SEGMENT, SEGMENT6, TUNNEL, TUNNEL6, deployment


def site(name: str, prefix: str, wan: str) -> Site:
    return Site(
        prefix=prefix,
        prefixlen=24,
        gateway=name,
        gateway_lan="lan0",
        gateway_wan="wan0",
        gateway_address=f"{prefix[:-4]}1",
        gateway_mac="",
        wan_address=wan,
        hypervisor=f"h{name}",
        hypervisor_address=f"{prefix[:-4]}2",
        bridge="br0",
        guest_port="tap0",
        circuit=None,
        nodes=(name,),
    )


LAYOUT = Layout(
    a=site("a", "10.1.0.0/24", "192.0.2.1"),
    b=site("b", "10.2.0.0/24", "198.51.100.1"),
    guest=GuestPort("g", "eth0", "02:00:00:00:00:01", "10.1.0.10", 24, "10.1.0.1", "10.2.0.10"),
    names=NameService("", "", "", "", "", "", 5, TsigKey("", "", "")),
    on_link=(),
    mtu_bytes=1500,
)


LAYOUT6 = replace(
    LAYOUT,
    a=site("a", "2001:db8:1::/64", "2001:db8:a::1"),
    b=site("b", "2001:db8:2::/64", "2001:db8:b::1"),
    guest=GuestPort(
        "g", "eth0", "02:00:00:00:00:01", "2001:db8:1::10", 64, "2001:db8:1::1", "2001:db8:2::10"
    ),
    on_link=("2001:db8:1::20",),
)

ALONE6 = """
[side.a]
address = "2001:db8:a::1"
link = "lan0"
prefix = "2001:db8:1::/64"
[side.b]
address = "2001:db8:b::1"
link = "lan0"
prefix = "2001:db8:2::/64"
[tunnel]
kind = "gre"
key = 42
[guest]
address = "2001:db8:1::10"
from = "a"
gateway = "2001:db8:1::1"
neighbours = "2001:db8:1::20"
"""

NETWORKS = {4: (TUNNEL, LAYOUT), 6: (ALONE6, LAYOUT6)}


def measured(
    layout: Layout, kind: str, side: str, phases: tuple[Phase, ...], *, reverse: bool
) -> set[Change]:
    """What the lab does on that side's gateway, announcements left out."""
    scenario = Scenario(tunnel=Tunnel(key=42, reverse=reverse))
    approach, context = find(kind), Context(layout, scenario)
    plans = [approach.plan(phase, context).on([side]) for phase in phases]
    return {each for plan in plans for each in plan if not isinstance(each, Announce)}


@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("switched", [False, True])
@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize("kind", ["gre", "ipip"])
@pytest.mark.parametrize("family", NETWORKS)
def test_a_gateway_gets_what_the_lab_measured(
    family: int, kind: str, side: str, switched: bool, reverse: bool
) -> None:
    text, layout = NETWORKS[family]
    text = text if kind == "gre" else text.replace('"gre"\nkey = 42', '"ipip"')
    text += f"reverse = {str(reverse).lower()}\n"
    half = Half(deployment(text), SideName(side), "web", switched=switched, node=side)
    phases = (Phase.PREPARE, Phase.SWITCH) if switched else (Phase.PREPARE,)
    deployed = [
        replace(each, alias=None) if isinstance(each, SetUp) else each for each in half.plan()
    ]
    assert set(deployed) == measured(layout, kind, side, phases, reverse=reverse)
    assert len(deployed) == len(set(deployed))


def test_a_guest_that_is_at_home_on_the_other_side_is_carried_the_other_way() -> None:
    turned = TUNNEL.replace('from = "a"', 'from = "b"').replace("10.1.0.1", "10.2.0.1")
    plan = Half(deployment(turned), SideName.A, "web").plan()
    assert any(isinstance(each, AddRule) for each in plan)
    assert not any(
        isinstance(each, AddRule) for each in Half(deployment(turned), SideName.B, "web").plan()
    )


def test_nothing_is_announced_before_the_switch() -> None:
    half = Half(deployment(TUNNEL), SideName.A, "web")
    assert not half.announcements()
    at_home = replace(half, switched=True).announcements()
    assert at_home.changes == (Announce("host", "lan0", "10.1.0.10", ""),)
    away = replace(half, switched=True, side=SideName.B).announcements()
    assert away.changes == (Announce("host", "lan0", "10.1.0.1", "", router=True),)


def test_an_extension_floods_to_the_other_side_and_to_the_head_end_list() -> None:
    plan = Half(deployment(SEGMENT), SideName.A, "web").plan()
    remotes = [each.remote for each in plan if isinstance(each, AddVxlan | AddFdb)]
    assert remotes == ["198.51.100.1", "203.0.113.9"]


def test_only_a_bridge_of_netconts_name_is_made() -> None:
    made = {
        side: [
            each.name
            for each in Half(deployment(SEGMENT), side, "web").plan()
            if isinstance(each, AddBridge)
        ]
        for side in SideName
    }
    assert made == {SideName.A: [], SideName.B: ["nc-stretch"]}


def test_routes_over_a_segment_go_by_the_other_end() -> None:
    plan = Half(deployment(ROUTED), SideName.A, "web").plan()
    routes = [(each.destination, each.via) for each in plan if isinstance(each, AddRoute)]
    assert routes == [("10.2.0.0/16", "10.255.0.2"), ("10.3.0.0/16", "10.255.0.6")]


def test_routes_over_a_segment_go_by_the_other_end_of_their_own_family() -> None:
    both = SEGMENT6.replace('"2001:db8:ff::2/64"', '["2001:db8:ff::2/64", "10.255.0.2/30"]')
    both = both.replace('"2001:db8:3::/48"]', '"10.3.0.0/16"]')
    plan = Half(deployment(both), SideName.A, "web").plan()
    routes = [(each.destination, each.via) for each in plan if isinstance(each, AddRoute)]
    assert routes == [("2001:db8:2::/48", "2001:db8:ff::2"), ("10.3.0.0/16", "10.255.0.2")]
    assert AddAddress("host", "nc-vx100", "2001:db8:ff::1", 64) in plan.changes


def test_a_vlan_is_a_tag_on_the_circuit() -> None:
    text = SEGMENT.replace(
        'kind = "vxlan"\nvni = 100', 'kind = "vlan"\nvlan_id = 7\nparent = { a = "e1", b = "e2" }'
    ).replace('head_end = ["203.0.113.9"]\n', "")
    plan = Half(deployment(text), SideName.B, "web").plan()
    assert AddVlan("host", "nc-vlan7", "e2", 7) in plan.changes


def test_two_sides_and_two_links_have_different_addresses_higher_than_any_vendors() -> None:
    from netcont.deploy.segments import port_mac

    macs = {port_mac("web", side, link) for side in SideName for link in ("nc-a", "nc-b")}
    assert len(macs) == 4
    assert all(mac.startswith("fe:") for mac in macs)


GUEST6 = "2001:db8:1::10"


def about(plan: Plan, *words: str) -> list[Change]:
    """The changes that speak of one of these."""
    return [each for each in plan if any(word in str(each) for word in words)]


def test_a_tunnel_of_both_families_has_the_settings_of_both() -> None:
    plan = Half(deployment(TUNNEL6), SideName.A, "web").plan()
    tunnel = next(each for each in plan if isinstance(each, AddTunnel))
    assert (tunnel.link_kind, tunnel.local) == ("ip6tnl", "2001:db8:a::1")
    settings = {each.key for each in plan if isinstance(each, SetSysctl)}
    assert settings == {
        "net.ipv4.conf.nc-tun.rp_filter",
        "net.ipv6.conf.nc-tun.addr_gen_mode",
        "net.ipv6.conf.nc-tun.disable_ipv6",
    }


def test_at_home_an_ipv6_guest_is_routed_away_and_answered_for() -> None:
    one = Half(deployment(TUNNEL6), SideName.A, "web", switched=True)
    assert about(one.plan(), GUEST6) == [
        AddRoute("host", f"{GUEST6}/128", link="nc-tun"),
        AddNeighbour("host", "lan0", GUEST6),
    ]
    assert SetSysctl("host", "net.ipv6.conf.all.proxy_ndp", "1") in one.plan().changes
    assert Announce("host", "lan0", GUEST6, "") in one.announcements().changes


@pytest.mark.parametrize("reverse", [True, False])
def test_away_an_ipv6_guest_finds_those_whom_it_knew_and_its_way_back(reverse: bool) -> None:
    text = (
        TUNNEL6.rstrip()
        + f"""
neighbours = ["2001:db8:1::20", "fe80::20"]
reverse = {str(reverse).lower()}
"""
    )
    one = Half(deployment(text), SideName.B, "web", switched=True)
    guest = f"{GUEST6}/128"
    assert about(one.plan(), GUEST6, "2001:db8:1::1'", "::20", "table=770") == [
        AddRoute("host", "default", link="nc-tun", table=770),
        AddRule("host", 771, "10.1.0.10/32", 770),
        AddRule("host", 770, guest, 254, "2001:db8:2::/64"),
        AddNeighbour("host", "lan0", "2001:db8:1::1", router=True),
        AddNeighbour("host", "lan0", "2001:db8:1::20"),
        AddNeighbour("host", "lan0", "fe80::20"),
        AddRoute("host", "::/0" if reverse else "2001:db8:1::/64", link="nc-tun", table=770),
        AddRule("host", 771, guest, 770),
        AddRoute("host", guest, link="lan0"),
    ]
    assert one.announcements().changes == (
        Announce("host", "lan0", "2001:db8:1::1", "", router=True),
        Announce("host", "lan0", "2001:db8:1::20", ""),
        Announce("host", "lan0", "fe80::20", ""),
    )


def test_a_segments_default_route_of_ipv6_goes_by_the_other_end() -> None:
    text = SEGMENT6.replace("2001:db8:3::/48", "::/0").replace("2001:db8:c::1", "192.0.2.3")
    text = text.replace("2001:db8:a::1", "192.0.2.1").replace("2001:db8:b::1", "192.0.2.2")
    plan = Half(deployment(text), SideName.A, "web").plan()
    routes = {each.destination: each.via for each in plan if isinstance(each, AddRoute)}
    assert routes == {"2001:db8:2::/48": "2001:db8:ff::2", "::/0": "2001:db8:ff::2"}
