"""Two gateways with a GRE or IP-in-IP tunnel between them: a guest's address is carried."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from deploy.bench import Gateway, difference

from netcont.deploy.builder import Builder
from netcont.deploy.converge import Kernel
from netcont.deploy.half import Half
from netcont.deploy.here import Here
from netcont.deploy.standing import Standing, state
from netcont.kernel.namespace import create_namespace
from netcont.model.deployment import Deployment, Guest, Side, SideName, Sides, Tunnel, TunnelKind

pytestmark = pytest.mark.network(lab="deploy")

_BOTH = """
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
ip link set lo up
"""

TUNNELS = {
    "gre": Tunnel(TunnelKind.GRE, key=42),
    "gre without a key": Tunnel(TunnelKind.GRE, ttl=17, tos=16, mtu_bytes=1400),
    "gre that fragments": Tunnel(TunnelKind.GRE, key=0, ttl=0, tos=1, pmtudisc=False),
    "ipip": Tunnel(TunnelKind.IPIP),
}


def deployment(tunnel: Tunnel) -> Deployment:
    return Deployment(
        Sides(
            Side("192.0.2.1", "lan0", ("10.1.0.0/24",)),
            Side("192.0.2.2", "lan0", ("10.2.0.0/24",)),
        ),
        tunnel=(tunnel,),
        guest=(Guest("10.1.0.10", SideName.A, gateway="10.1.0.1"),),
    )


@pytest.fixture
def hosts(lab: Path, tmp_path: Path) -> Iterator[tuple[Gateway, Gateway, Gateway]]:
    """Gateway A, gateway B, and the guest on B's LAN."""
    with ExitStack() as after:
        made = []
        for name in ("a", "b", "guest"):
            pid = create_namespace()
            after.callback(os.waitpid, pid, 0)
            after.callback(os.kill, pid, 9)
            made.append(Gateway(pid, tmp_path / name))
            made[-1].sh(_BOTH)
        a, b, guest = made
        a.sh(f"ip link add wan0 type veth peer name wan0 netns {b.pid}; ip link set wan0 up")
        a.sh("ip link add lan0 type veth peer name lan1; ip link set lan0 up; ip link set lan1 up")
        b.sh(f"ip link add lan0 type veth peer name eth0 netns {guest.pid}")
        b.sh("ip link set wan0 up; ip link set lan0 up")
        a.sh("ip addr add 192.0.2.1/24 dev wan0; ip addr add 10.1.0.1/24 dev lan0")
        b.sh("ip addr add 192.0.2.2/24 dev wan0; ip addr add 10.2.0.1/24 dev lan0")
        guest.sh("ip addr add 10.1.0.10/24 dev eth0; ip link set eth0 up")
        guest.sh("ip route add default via 10.1.0.1")
        yield a, b, guest


def do(host: Gateway, half: Half, verb: str) -> None:
    def inside() -> None:
        with Here() as node:
            engine = Builder(node, host.state, announcing_s=0)
            if verb == "up":
                assert engine.up(half, "web.toml", switched=half.switched)
                assert not engine.up(half, "web.toml")
                facts = Kernel(node, "").facts(half.plan())
                for change in half.plan():
                    assert state(change, facts).standing is Standing.PRESENT, change
            else:
                assert engine.down(half.name)

    ended = host.run(inside)
    assert ended.status == 0, ended.said


@pytest.mark.parametrize("case", TUNNELS)
def test_a_guest_is_reached_at_the_other_side_and_all_is_taken_back(
    hosts: tuple[Gateway, Gateway, Gateway], case: str
) -> None:
    a, b, _ = hosts
    both = [(a, SideName.A), (b, SideName.B)]
    # The kernel's fallback devices come with the first tunnel, and stay.
    for host, _ in both:
        host.sh(f"ip link add t0 type {TUNNELS[case].kind.value} local 192.0.2.9; ip link del t0")
    before = [host.snapshot() for host, _ in both]
    for switched in (False, True):
        for host, side in both:
            do(host, Half(deployment(TUNNELS[case]), side, "web", switched), "up")
    a.sh("ping -c 3 -W 2 -I 10.1.0.1 10.1.0.10")
    for host, side in both:
        do(host, Half(deployment(TUNNELS[case]), side, "web"), "down")
    for was, (host, _) in zip(before, both, strict=True):
        assert difference(was, host.snapshot()) == []


def test_a_loose_filter_drops_direct_returns_of_a_tunnel_without_an_address(
    hosts: tuple[Gateway, Gateway, Gateway],
) -> None:
    a, b, _ = hosts
    wanted = deployment(TUNNELS["gre"])
    wanted = replace(wanted, guest=(wanted.guest[0]._replace(reverse=False),))
    for host, side in ((a, SideName.A), (b, SideName.B)):
        do(host, Half(wanted, side, "web", switched=True), "up")
    a.sh("ip addr add 10.8.0.8/32 dev lo")
    b.sh("ip route add 10.8.0.8/32 via 192.0.2.1; sysctl -qw net.ipv4.conf.wan0.rp_filter=0")
    ping = "ping -c 2 -W 1 -I 10.8.0.8 10.1.0.10"
    a.sh(ping)
    b.sh("sysctl -qw net.ipv4.conf.all.rp_filter=2")
    a.sh(f"! {ping}")
