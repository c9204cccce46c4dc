"""SIGKILL before and after every request to the kernel and every write of a record."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from netcont.deploy.engine import Engine
from netcont.deploy.half import Half
from netcont.deploy.here import Here
from netcont.model.deployment import SideName, Tunnel
from netcont.model.plan import AddVxlan, Change, SetSysctl, SetUp
from netcont.model.value import value

from .bench import AT_B, Gateway, difference, needs_root
from .files import ROUTED, SEGMENT, TUNNEL, deployment

pytestmark = needs_root


@value
class OverVxlan(Half):
    """Guests carried as over GRE, but over what every kernel has."""

    def _tunnel(self, tunnel: Tunnel) -> Iterator[Change]:
        here = self.deployment.at(self.side).address
        yield AddVxlan(self.node, tunnel.name, 42, here, 4789, 1450, mac="02:00:00:00:00:42")
        yield self.alias(tunnel.name)
        yield SetSysctl(self.node, f"net.ipv4.conf.{tunnel.name}.rp_filter", "0")
        yield SetUp(self.node, tunnel.name)


def apart(found: list[str], *wanted: list[str]) -> list[str]:
    """The difference from the nearest of the snapshots."""
    return min((difference(each, found) for each in wanted), key=len)


HALVES = {
    "guest at home": OverVxlan(deployment(TUNNEL), SideName.A, "web", switched=True),
    "guest away": OverVxlan(deployment(TUNNEL), SideName.B, "web", switched=True),
    "segment on a foreign bridge": Half(deployment(SEGMENT), SideName.A, "web"),
    "segment on an own bridge": Half(deployment(SEGMENT), SideName.B, "web"),
    "two routed segments": Half(deployment(ROUTED), SideName.A, "web"),
}


def placed(host: Gateway, case: str) -> Half:
    """The half, with the gateway on its side."""
    half = HALVES[case]
    if half.side is SideName.B:
        host.sh(AT_B)
    return half


@dataclass
class Killer:
    """Kills its process at the step of that number."""

    at: int
    passed: int = field(default=0)

    def __call__(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def act(host: Gateway, half: Half, verb: str, at: int = 0) -> int:
    """One command on the gateway, killed at a step (0: never); its exit status."""

    def inside() -> None:
        with Here() as node:
            engine = Engine(node, host.state, 5, Killer(at), chunk=1, announcing_s=0)
            if verb == "up":
                engine.up(half, "web.toml", switched=half.switched)
            elif verb == "down":
                engine.down(half.name)
            else:
                engine.recover()

    ended = host.run(inside)
    assert ended.status in (0, -signal.SIGKILL), ended.said
    return ended.status


@pytest.mark.parametrize("case", HALVES)
def test_up_killed_anywhere_is_taken_back_or_stands(host: Gateway, case: str) -> None:
    half = placed(host, case)
    before = host.snapshot()
    act(host, half, "up")
    after = host.snapshot()
    assert after != before
    act(host, half, "down")
    assert difference(before, host.snapshot()) == []
    at, stood = 0, 0
    while True:
        at += 1
        killed = act(host, half, "up", at) != 0
        act(host, half, "recover")
        found = host.snapshot()
        assert apart(found, before, after) == [], at
        stood += found == after
        if found == after:
            act(host, half, "down")
            assert host.snapshot() == before
        if not killed:
            break
    # Only once the record says that it stands, it does.
    assert at > 2 * len(half.plan())
    assert stood == 2


@pytest.mark.parametrize("case", HALVES)
def test_down_killed_anywhere_is_completed_or_never_began(host: Gateway, case: str) -> None:
    half = placed(host, case)
    before = host.snapshot()
    act(host, half, "up")
    after = host.snapshot()
    at = 0
    while True:
        at += 1
        killed = act(host, half, "down", at) != 0
        act(host, half, "recover")
        found = host.snapshot()
        assert apart(found, before, after) == [], at
        if not killed:
            break
        act(host, half, "up")
        assert host.snapshot() == after
    assert found == before
    assert at > 4


def test_an_update_killed_anywhere_is_taken_back_or_stands(host: Gateway) -> None:
    one = Half(deployment(ROUTED), SideName.A, "web")
    text = ROUTED.replace("10.3.", "10.4.").replace("vni = 101", "vni = 102")
    other = Half(deployment(text), SideName.A, "web")
    act(host, other, "up")
    after = host.snapshot()
    act(host, one, "up")
    before = host.snapshot()
    at = 0
    while True:
        at += 1
        killed = act(host, other, "up", at) != 0
        act(host, one, "recover")
        found = host.snapshot()
        assert apart(found, before, after) == [], at
        if not killed:
            break
        act(host, one, "up")
    assert difference(after, found) == []
    assert at > 10


def test_the_next_up_completes_and_the_next_down_takes_back_what_was_killed(host: Gateway) -> None:
    half = placed(host, "guest away")
    before = host.snapshot()
    act(host, half, "up")
    after = host.snapshot()
    act(host, half, "down")
    for at in range(3, 20, 4):
        assert act(host, half, "up", at) != 0
        act(host, half, "up")
        assert host.snapshot() == after
        act(host, half, "down")
        assert act(host, half, "up", at) != 0
        act(host, half, "down")
        assert host.snapshot() == before


def test_recovering_can_be_killed_as_well(host: Gateway) -> None:
    half = placed(host, "guest at home")
    before = host.snapshot()
    assert act(host, half, "up", 13) != 0
    at = 0
    while act(host, half, "recover", at := at + 1) != 0:
        pass
    assert at > 4
    assert host.snapshot() == before
