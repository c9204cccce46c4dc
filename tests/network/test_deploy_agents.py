"""A guest that two gateways carry by Mobile IP, with agents that `up` starts and `down` stops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from deploy.bench import Gateway, difference
from deploy.files import MOBILE

from netcont.agent import process
from netcont.deploy.builder import Builder
from netcont.deploy.file import load_deployment
from netcont.deploy.half import Half
from netcont.deploy.here import Here
from netcont.errors import NetcontError
from netcont.kernel.namespace import create_namespace
from netcont.model.deployment import SideName

pytestmark = pytest.mark.network(lab="deploy-agents")

A, B = SideName.A, SideName.B
_BOTH = """
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
sysctl -qw net.ipv4.conf.all.rp_filter=0
ip link set lo up
"""


class World:
    """Both gateways, the guest where it will be, and a neighbour of its home."""

    def __init__(self, place: Path, *hosts: Gateway) -> None:
        self.place = place
        self.a, self.b, self.guest, self.neighbour = hosts

    def act(self, side: SideName, verb: str, *, switched: bool | None = None) -> str:
        host = self.a if side is A else self.b
        half = Half(load_deployment(self.place / "web.toml"), side, "web")

        def inside() -> int:
            with Here() as node:
                engine = Builder(node, host.state, announcing_s=0)
                try:
                    if verb == "up":
                        print(engine.up(half, "web.toml", switched=switched))
                    else:
                        engine.down("web")
                except NetcontError as error:
                    print(error)
                    return 1
            return 0

        ended = host.run(inside)
        assert ended.status == 0, ended.said
        return ended.said

    def reaches(self, *, source: Gateway) -> bool:
        """Whether the guest's address answers."""
        return " 0% packet loss" in source.sh("ping -c 3 -W 2 10.1.0.10 || true")


@pytest.fixture
def world(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # The lab's clock jumps while a program is read from the host.
    monkeypatch.setattr(process, "_READY_LIMIT_S", 7200.0)
    for name in ("guest.key", "agents.key"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(name.encode().hex() * 4)
    (tmp_path / "web.toml").write_text(MOBILE)
    with ExitStack() as after:
        made = []
        for name in ("a", "b", "guest", "neighbour"):
            pid = create_namespace()
            after.callback(os.waitpid, pid, 0)
            after.callback(os.kill, pid, 9)
            made.append(Gateway(pid, tmp_path / name))
            made[-1].sh(_BOTH)
        a, b, guest, neighbour = made
        a.sh(f"ip link add wan0 type veth peer name wan0 netns {b.pid}; ip link set wan0 up")
        a.sh(f"ip link add lan0 type veth peer name eth0 netns {neighbour.pid}")
        b.sh(f"ip link add lan0 type veth peer name eth0 netns {guest.pid}")
        b.sh("ip link set wan0 up; ip link set lan0 up")
        a.sh("ip link set lan0 up")
        a.sh("ip addr add 192.0.2.1/24 dev wan0; ip addr add 10.1.0.1/24 dev lan0")
        b.sh("ip addr add 192.0.2.2/24 dev wan0; ip addr add 10.2.0.1/24 dev lan0")
        for host, address in ((guest, "10.1.0.10"), (neighbour, "10.1.0.20")):
            host.sh(f"ip addr add {address}/24 dev eth0; ip link set eth0 up")
            host.sh("ip route add default via 10.1.0.1")
        for host in (a, b):
            # The kernel's fallback device comes with the first tunnel, and stays.
            host.sh("ip link add t0 type ipip local 192.0.2.9; ip link del t0")
        yield World(tmp_path, a, b, guest, neighbour)


def test_a_guest_is_reached_at_the_other_side_by_its_neighbours_and_all_is_taken_back(
    world: World,
) -> None:
    before = [host.snapshot() for host in (world.a, world.b)]
    for side in (B, A):
        world.act(side, "up", switched=False)
    assert not world.reaches(source=world.neighbour)
    for side in (A, B):
        world.act(side, "up", switched=True)
        assert world.act(side, "up") == "False\n"
    assert world.reaches(source=world.neighbour)
    assert world.reaches(source=world.a)
    links = world.a.sh("ip -d link show type ipip")
    assert "local 192.0.2.1" in links.replace("ipip remote 192.0.2.2 local", "local")
    world.act(B, "up", switched=False)
    assert not world.reaches(source=world.neighbour)
    world.act(B, "up", switched=True)
    assert world.reaches(source=world.neighbour)
    for side in (B, A):
        world.act(side, "down")
    for was, host in zip(before, (world.a, world.b), strict=True):
        assert difference(was, host.snapshot()) == []


def test_traffic_outlives_the_agents_and_the_next_down_takes_it_back(world: World) -> None:
    before = [host.snapshot() for host in (world.a, world.b)]
    for side in (A, B):
        world.act(side, "up", switched=True)
    for role, host in (("home", world.a), ("foreign", world.b)):
        (lock,) = host.state.rglob(f"web.{role}.lock")
        os.kill(int(lock.read_text()), 9)
    assert world.reaches(source=world.neighbour)
    for side in (A, B):
        world.act(side, "down")
    for was, host in zip(before, (world.a, world.b), strict=True):
        assert difference(was, host.snapshot()) == []
