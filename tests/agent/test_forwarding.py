"""What bindings and visitors ask of the kernel, line by line."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from netcont.agent import forwarding
from netcont.model.plan import Plan

HOME = IPv4Address("10.0.0.50")
AGENT = IPv4Address("10.0.0.1")
CARE_OF = IPv4Address("192.0.2.1")
MAC = "02:00:00:00:00:01"


def lines(plan: Plan) -> list[str]:
    return [line for change in plan for line in change.commands()]


@pytest.mark.parametrize(
    ("gre", "name", "device"),
    [
        (False, "nci-c0000201", "type ipip mode ipip local 10.0.0.1 remote 192.0.2.1 ttl 64"),
        (True, "ncg-c0000201", "type gre local 10.0.0.1 remote 192.0.2.1 ttl 64"),
    ],
)
def test_a_tunnel_takes_only_what_is_routed_back_into_it(gre: bool, name: str, device: str) -> None:
    plan = forwarding.tunnel("ha", AGENT, CARE_OF, gre=gre)
    assert lines(plan) == [
        f"ip link add {name} {device}",
        f"sysctl -w net.ipv4.conf.{name}.rp_filter=1",
        f"ip link set {name} up",
    ]


def test_a_tunnel_with_an_address_takes_any_inner_source() -> None:
    plan = forwarding.tunnel("fa", CARE_OF, AGENT, gre=False, address=CARE_OF)
    assert lines(plan)[1:3] == [
        f"ip addr add {CARE_OF}/32 dev nci-0a000001",
        "sysctl -w net.ipv4.conf.nci-0a000001.rp_filter=2",
    ]


def test_names_of_tunnels_fit_and_differ() -> None:
    remotes = [IPv4Address(number) for number in (1, 2**31, 2**32 - 1)]
    names = {forwarding.tunnel_name(one, gre=gre) for one in remotes for gre in (True, False)}
    assert len(names) == 6
    assert all(len(name) <= 15 for name in names)


def test_the_route_of_a_home_address_is_replaced_not_added() -> None:
    (line,) = lines(forwarding.route_to("ha", HOME, "nci-c0000201"))
    assert line.startswith("ip route replace 10.0.0.50/32 dev nci-c0000201")


def test_the_home_agent_stands_in_for_the_node_and_says_so() -> None:
    neighbour, announcement = forwarding.claim("ha", "eth0", MAC, HOME)
    assert neighbour.commands() == ("ip neigh add proxy 10.0.0.50 dev eth0",)
    undo = neighbour.undo()
    assert undo is not None
    assert undo.commands() == ("ip neigh del proxy 10.0.0.50 dev eth0",)
    (again,) = forwarding.release("ha", "eth0", MAC, HOME)
    assert again == announcement


def test_an_agents_link_forwards_and_answers_without_delay() -> None:
    assert lines(forwarding.answering("ha", "eth0", filtered=True)) == [
        "sysctl -w net.ipv4.conf.eth0.rp_filter=2",
        "sysctl -w net.ipv4.ip_forward=1",
        "sysctl -w net.ipv4.neigh.eth0.proxy_delay=0",
        "sysctl -w net.ipv4.conf.eth0.send_redirects=0",
    ]
    unfiltered = lines(forwarding.answering("ha", "eth0", filtered=False))
    assert not any("rp_filter" in line for line in unfiltered)


@pytest.mark.parametrize(("only", "to"), [(None, "default"), ("10.0.0.0/24", "10.0.0.0/24")])
def test_the_way_back_of_a_visitor_has_a_table_of_its_own(only: str | None, to: str) -> None:
    route, rule = lines(forwarding.way_back("fa", HOME, "nci-0a000001", table=1003, only=only))
    assert route.startswith(f"ip route add {to} dev nci-0a000001")
    assert "table 1003" in route
    assert rule.startswith("ip rule add pref 780 from 10.0.0.50/32 lookup 1003")


def test_a_node_reaches_the_world_and_its_home_network_through_its_foreign_agent() -> None:
    network = IPv4Network("10.0.0.0/24")
    told = lines(forwarding.through_agent("mn", "eth0", HOME, network, CARE_OF))
    assert told[0].startswith("ip route add 192.0.2.1/32 dev eth0")
    ways = {line.split()[3] for line in told[1:-1] if " via 192.0.2.1 " in line}
    halves = {"0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/25", "10.0.0.128/25"}
    assert ways == {*halves, "default"}
    assert told[-1].startswith("ip rule add pref 780 from 10.0.0.50/32")


def test_at_home_the_home_network_is_on_the_link_whatever_its_route_says() -> None:
    told = lines(forwarding.to_home("mn", "eth0", IPv4Network("10.0.0.0/24")))
    assert [line.split()[3:6] for line in told] == [
        ["10.0.0.0/25", "dev", "eth0"],
        ["10.0.0.128/25", "dev", "eth0"],
    ]


def test_a_guest_finds_its_old_neighbours_behind_its_new_host() -> None:
    assert lines(forwarding.hosting("fa", "br0")) == ["sysctl -w net.ipv4.conf.br0.proxy_arp=1"]
    known = [IPv4Address("10.0.0.254"), IPv4Address("10.0.0.7")]
    plan = forwarding.greeting("fa", "br0", MAC, known)
    assert len(plan) == 2
    assert all(change.undo() is None for change in plan)


def test_every_change_but_announcements_can_be_taken_back() -> None:
    # Sysctls and the state of links know what they were only once they are applied.
    plans = forwarding.way_back("n", HOME, "l", table=1) + forwarding.route_to("n", HOME, "l")
    tunnel, *_ = forwarding.tunnel("n", AGENT, CARE_OF, gre=False)
    assert all(change.undo() is not None for change in (*plans, tunnel))
