"""Guests of both families carried over IPv6 tunnels, and a segment; judged by ip and ping."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from deploy.bench import Gateway, difference
from deploy.files import deployment

from netcont.deploy.half import Half
from netcont.kernel.namespace import create_namespace
from netcont.model.deployment import SideName
from netcont.model.numbers import ALL_MACS

from .test_deploy import do

pytestmark = pytest.mark.network(lab="deploy")

_ALL = """
for each in all default; do
    sysctl -qw net.ipv6.conf.$each.accept_dad=0 net.ipv6.conf.$each.accept_ra=0
done
ip link set lo up
"""
_GATEWAYS = """
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv6.conf.all.forwarding=1
"""

_SIDES = """
[side.a]
address = "{a}"
link = "lan0"
prefix = ["10.1.0.0/24", "2001:db8:1::/64"]
[side.b]
address = "{b}"
link = "lan0"
prefix = ["10.2.0.0/24", "2001:db8:2::/64"]
"""
OVER_IPV4 = _SIDES.format(a="192.0.2.1", b="192.0.2.2")
OVER_IPV6 = _SIDES.format(a="2001:db8:f::1", b="2001:db8:f::2")

_GUESTS = """
[[guest]]
address = "2001:db8:1::10"
from = "a"
gateway = "2001:db8:1::1"
neighbours = "2001:db8:1::20"
reverse = {reverse}
[[guest]]
address = "10.1.0.10"
from = "a"
gateway = "10.1.0.1"
"""
GUESTS, DIRECT = (_GUESTS.format(reverse=word) for word in ("true", "false"))

TUNNELS = {
    "ip6gre": OVER_IPV6 + '[tunnel]\nkind = "gre"\n' + GUESTS,
    "ip6gre with a key": OVER_IPV6
    + '[tunnel]\nkind = "gre"\nkey = 42\nttl = 17\ntos = 16'
    + GUESTS,
    "ip6tnl": OVER_IPV6 + '[tunnel]\nkind = "ipip"\n' + GUESTS,
    "ip6tnl, direct returns": OVER_IPV6 + '[tunnel]\nkind = "ipip"\nttl = 0\ntos = 1' + DIRECT,
    "gre": OVER_IPV4 + '[tunnel]\nkind = "gre"\n' + GUESTS,
}
OVERHEAD = {
    "ip6gre": 44,
    "ip6gre with a key": 48,
    "ip6tnl": 40,
    "ip6tnl, direct returns": 40,
    "gre": 24,
}

SEGMENT = (
    OVER_IPV6
    + """
[extension]
kind = "vxlan"
vni = 100
bridge = { a = "br0", b = "nc-stretch" }
arp_suppression = true
fragment = true
"""
)


class Hosts:
    """Gateways A and B, a client in A's LAN, and the guest, in B's LAN already."""

    def __init__(self, a: Gateway, b: Gateway, client: Gateway, guest: Gateway) -> None:
        self.a, self.b, self.client, self.guest = a, b, client, guest
        self.gateways = ((a, SideName.A), (b, SideName.B))

    def up(self, text: str) -> None:
        for switched in (False, True):
            for host, side in self.gateways:
                do(host, Half(deployment(text), side, "web", switched), "up")

    def down(self, text: str) -> None:
        for host, side in self.gateways:
            do(host, Half(deployment(text), side, "web"), "down")


@pytest.fixture
def hosts(lab: Path, tmp_path: Path) -> Iterator[Hosts]:
    with ExitStack() as after:
        made = []
        for name in ("a", "b", "client", "guest"):
            pid = create_namespace()
            after.callback(os.waitpid, pid, 0)
            after.callback(os.kill, pid, 9)
            made.append(Gateway(pid, tmp_path / name))
            made[-1].sh(_ALL)
        a, b, client, guest = made
        a.sh(_GATEWAYS)
        b.sh(_GATEWAYS)
        a.sh(f"ip link add wan0 type veth peer name wan0 netns {b.pid}; ip link set wan0 up")
        for host, other in ((a, client), (b, guest)):
            host.sh(f"ip link add lan0 type veth peer name eth0 netns {other.pid}")
            host.sh("ip link set lan0 up")
            other.sh("ip link set eth0 up")
        b.sh("ip link set wan0 up")
        for host, one in ((a, "1"), (b, "2")):
            host.sh(f"ip addr add 192.0.2.{one}/24 dev wan0; ip addr add 10.{one}.0.1/24 dev lan0")
            host.sh(f"ip addr add 2001:db8:f::{one}/64 dev wan0 nodad")
            host.sh(f"ip addr add 2001:db8:{one}::1/64 dev lan0 nodad")
        b.sh("ip -6 route add default via 2001:db8:f::1")
        for host, one in ((client, "20"), (guest, "10")):
            host.sh(f"ip addr add 10.1.0.{one}/24 dev eth0; ip route add default via 10.1.0.1")
            host.sh(f"ip addr add 2001:db8:1::{one}/64 dev eth0 nodad")
            host.sh("ip -6 route add default via 2001:db8:1::1")
        for host in (a, b):
            settle(host, "lan0", "wan0")
        yield Hosts(a, b, client, guest)


def settle(host: Gateway, *links: str) -> None:
    """Each link's own address comes with its carrier, in the kernel's own time."""
    for link in links:
        asked = f"ip -6 addr show dev {link} scope link | grep -q fe80"
        host.sh(f"timeout 10 sh -c 'until {asked}; do sleep 0.02; done'")


def made(host: Gateway, link: str) -> dict[str, Any]:
    found = json.loads(host.sh(f"ip -d -j link show {link}"))
    assert len(found) == 1
    return dict(found[0])


@pytest.mark.parametrize("case", TUNNELS)
def test_guests_of_both_families_are_reached_at_the_other_side(hosts: Hosts, case: str) -> None:
    kind = case.partition(" ")[0].rstrip(",")
    # The kernel's fallback devices come with the first tunnel, and stay.
    for host, _ in hosts.gateways:
        host.sh(f"ip link add t0 type {kind} local {'192.0.2.9' if kind == 'gre' else '::9'}")
        host.sh("ip link del t0")
    before = [host.snapshot() for host, _ in hosts.gateways]
    hosts.up(TUNNELS[case])
    for host, _ in hosts.gateways:
        link = made(host, "nc-tun")
        assert link["linkinfo"]["info_kind"] == kind
        assert link["mtu"] == 1500 - OVERHEAD[case]
    # From the gateway, from a neighbour at home that the guest knows, and from the guest.
    for host, address in (
        (hosts.a, "2001:db8:1::10"),
        (hosts.a, "10.1.0.10"),
        (hosts.client, "2001:db8:1::10"),
        (hosts.client, "10.1.0.10"),
        (hosts.guest, "2001:db8:1::20"),
        (hosts.guest, "2001:db8:1::1"),
        (hosts.guest, "10.1.0.20"),
    ):
        host.sh(f"ping -c 3 -W 2 {address}")
    hosts.down(TUNNELS[case])
    for was, (host, _) in zip(before, hosts.gateways, strict=True):
        assert difference(was, host.snapshot()) == []


def test_a_neighbour_that_is_asked_directly_whether_it_is_there_says_so(hosts: Hosts) -> None:
    """As hosts do that have not heard of a neighbour for a while (RFC 4861 §7.3.3)."""
    hosts.up(TUNNELS["ip6tnl"])
    for host, neighbour in ((hosts.client, "2001:db8:1::10"), (hosts.guest, "2001:db8:1::1")):
        host.sh(f"ping -c 1 -W 2 {neighbour}")
        host.sh("sysctl -qw net.ipv6.neigh.eth0.base_reachable_time_ms=500")
        host.sh("sysctl -qw net.ipv6.neigh.eth0.delay_first_probe_time=1")
        # The kernel counts a neighbour as reachable while TCP says so; ping does not.
        host.sh(
            f"ip neigh replace {neighbour} lladdr $(ip neigh show {neighbour} | cut -d' ' -f5)"
            " dev eth0 nud probe"
        )
        host.sh("sleep 4")
        assert "FAILED" not in host.sh(f"ip neigh show {neighbour}")
        host.sh(f"ping -c 1 -W 2 {neighbour}")


def test_a_segment_over_ipv6_joins_both_lans(hosts: Hosts) -> None:
    a, b = hosts.a, hosts.b
    # At A the client's link is a port of a bridge; at B the guest is a port of netcont's.
    a.sh("ip link add br0 type bridge forward_delay 0 mcast_snooping 0; ip link set br0 up")
    a.sh("ip link set lan0 master br0")
    settle(a, "br0")
    before = [host.snapshot() for host, _ in hosts.gateways]
    for host, side in hosts.gateways:
        do(host, Half(deployment(SEGMENT), side, "web"), "up")
    b.sh("ip link set lan0 master nc-stretch")
    data = made(a, "nc-vx100")["linkinfo"]["info_data"]
    assert (data["id"], data["local6"]) == (100, "2001:db8:f::1")
    fdb = json.loads(a.sh("bridge -j fdb show dev nc-vx100"))
    assert [each["dst"] for each in fdb if each["mac"] == ALL_MACS] == ["2001:db8:f::2"]
    for address in ("10.1.0.10", "2001:db8:1::10"):
        hosts.client.sh(f"ping -c 3 -W 2 {address}")
        hosts.client.sh(f"ping -c 3 -W 2 -s 1300 {address}")
    b.sh("ip link set lan0 nomaster")
    hosts.down(SEGMENT)
    a.sh("ip link set br0 type bridge fdb_flush")
    for was, (host, _) in zip(before, hosts.gateways, strict=True):
        assert difference(was, host.snapshot()) == []
