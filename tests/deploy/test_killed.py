"""SIGKILL before every single request to the kernel and every write of a setting or a record."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from netcont.deploy.builder import Builder
from netcont.deploy.half import Half
from netcont.deploy.here import Here
from netcont.model.deployment import SideName, Tunnel
from netcont.model.plan import AddTunnel, AddVxlan, Change

from .bench import AT_B, AT_B_IPV6, Gateway, difference, gateway, needs_root
from .effects import Effects
from .files import ANYCAST, ROUTED, SEGMENT, TUNNEL, deployment

pytestmark = needs_root


@dataclass(frozen=True)
class OverVxlan(Half):
    """Guests carried as over GRE, but over what every kernel has."""

    def _tunnel(self, tunnel: Tunnel) -> Iterator[Change]:
        for each in super()._tunnel(tunnel):
            if isinstance(each, AddTunnel):
                vni = each.key or 1
                mac = f"02:00:00:00:00:{vni:02x}"
                yield AddVxlan(self.node, each.name, vni, each.local, 4789, 1400, mac=mac)
            else:
                yield each


GUESTS = """
[side.a]
address = "2001:db8:a::1"
link = "lan0"
prefix = ["10.1.0.0/24", "2001:db8:1::/64"]
[side.b]
address = "2001:db8:b::1"
link = "lan0"
prefix = ["10.2.0.0/24", "2001:db8:2::/64"]
[tunnel]
kind = "gre"
addresses = { a = ["10.255.0.1/30", "2001:db8:ff::1/64"], b = "2001:db8:ff::2/64" }
[[guest]]
address = "10.1.0.10"
from = "a"
gateway = "10.1.0.1"
[[guest]]
address = "2001:db8:1::10"
from = "a"
gateway = "2001:db8:1::1"
neighbours = "2001:db8:1::20"
"""
"""One of each family, over IPv6."""

ROUTED6 = ROUTED.replace('"192.0.2.1"', '"2001:db8:a::1"').replace(
    '"198.51.100.1"', '"2001:db8:b::1"'
)

HALVES = {
    "guests at home": OverVxlan(deployment(GUESTS), SideName.A, "web", switched=True),
    "guests away": OverVxlan(deployment(GUESTS), SideName.B, "web", switched=True),
    "segment on a foreign bridge": Half(deployment(SEGMENT), SideName.A, "web"),
    "segment on an own bridge": Half(deployment(SEGMENT), SideName.B, "web"),
    "segment with a gateway": Half(deployment(ANYCAST), SideName.B, "web", switched=True),
    "two routed segments": Half(deployment(ROUTED6), SideName.A, "web"),
}


@pytest.fixture(params=HALVES)
def half(request: pytest.FixtureRequest) -> Half:
    return HALVES[request.param]


@pytest.fixture
def there(half: Half, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway on the half's side, with IPv6 where that is spoken."""
    ipv6 = half.deployment.family == 6
    with gateway(tmp_path / "state", ipv6=ipv6) as one:
        if half.side is SideName.B:
            one.sh(AT_B_IPV6 if ipv6 else AT_B)
        yield one


def act(host: Gateway, half: Half, verb: str, at: int = 0) -> bool:
    """One command on the gateway, killed before an effect (0: never); whether it was."""

    def inside() -> None:
        Effects(at, host.state).watch()
        with Here() as node:
            engine = Builder(node, host.state, 5, announcing_s=0)
            if verb == "up":
                engine.up(half, "web.toml", switched=half.switched)
            elif verb == "down":
                engine.down(half.name)
            else:
                engine.recover()

    ended = host.run(inside)
    assert ended.status in (0, -signal.SIGKILL), ended.said
    return ended.status != 0


def nearest(found: list[str], *wanted: list[str]) -> list[str]:
    """The difference from the nearest of the snapshots."""
    return min((difference(each, found) for each in wanted), key=len)


def test_up_killed_anywhere_is_taken_back_or_stands(there: Gateway, half: Half) -> None:
    before = there.snapshot()
    at, stood = 0, 0
    after: list[str] = []
    act(there, half, "up")
    after = there.snapshot()
    assert after != before
    act(there, half, "down")
    assert difference(before, there.snapshot()) == []
    while act(there, half, "up", at := at + 1):
        act(there, half, "recover")
        found = there.snapshot()
        assert nearest(found, before, after) == [], at
        if found != before:
            stood += 1
            act(there, half, "down")
            assert difference(before, there.snapshot()) == []
    assert difference(after, there.snapshot()) == []
    # Until the record says that it stands it is taken back.
    assert at > len(half.plan())
    assert stood <= 1


def test_down_killed_anywhere_is_completed_or_never_began(there: Gateway, half: Half) -> None:
    before = there.snapshot()
    act(there, half, "up")
    after = there.snapshot()
    at = 0
    while act(there, half, "down", at := at + 1):
        act(there, half, "recover")
        found = there.snapshot()
        assert nearest(found, before, after) == [], at
        if found != after:
            act(there, half, "up")
            assert difference(after, there.snapshot()) == []
    assert difference(before, there.snapshot()) == []
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
    while act(host, other, "up", at := at + 1):
        act(host, one, "recover")
        found = host.snapshot()
        assert nearest(found, before, after) == [], at
        if found != before:
            act(host, one, "up")
            assert difference(before, host.snapshot()) == []
    assert difference(after, host.snapshot()) == []
    assert at > 10


FIRST = OverVxlan(deployment(TUNNEL), SideName.B, "first", switched=True)
SECOND = OverVxlan(
    deployment(
        TUNNEL.replace("10.1.0.10", "10.1.0.11").replace(
            "key = 42", 'key = 43\nname = "nc-second"\ntable = 999'
        )
    ),
    SideName.B,
    "second",
    switched=True,
)
"""Both need settings of the LAN's."""


def test_settings_that_two_deployments_need_survive_an_up_that_is_killed(host: Gateway) -> None:
    host.sh(AT_B)
    act(host, FIRST, "up")
    before = host.snapshot()
    act(host, SECOND, "up")
    after = host.snapshot()
    act(host, SECOND, "down")
    assert difference(before, host.snapshot()) == []
    at = 0
    while act(host, SECOND, "up", at := at + 1):
        act(host, SECOND, "recover")
        assert nearest(host.snapshot(), before, after) == [], at
        act(host, SECOND, "down")
        assert difference(before, host.snapshot()) == []
    assert at > len(SECOND.plan())


@pytest.mark.parametrize("other_first", [True, False])
def test_settings_go_back_with_the_last_deployment_whatever_was_killed(
    host: Gateway, other_first: bool
) -> None:
    host.sh(AT_B)
    first, second = (SECOND, FIRST) if other_first else (FIRST, SECOND)
    at_first = host.snapshot()
    act(host, first, "up")
    act(host, second, "up")
    before = host.snapshot()
    act(host, FIRST, "down")
    after = host.snapshot()
    act(host, SECOND, "down")
    assert difference(at_first, host.snapshot()) == []
    at, killed = 0, True
    while killed:
        act(host, first, "up")
        act(host, second, "up")
        killed = act(host, FIRST, "down", at := at + 1)
        act(host, FIRST, "recover")
        assert nearest(host.snapshot(), before, after) == [], at
        act(host, FIRST, "down")
        assert difference(after, host.snapshot()) == []
        act(host, SECOND, "down")
        assert difference(at_first, host.snapshot()) == [], at
    assert at > 6


def test_the_next_up_completes_and_the_next_down_takes_back_what_was_killed(host: Gateway) -> None:
    host.sh(AT_B)
    before = host.snapshot()
    act(host, FIRST, "up")
    after = host.snapshot()
    act(host, FIRST, "down")
    at = 3
    while act(host, FIRST, "up", at):
        act(host, FIRST, "up")
        assert difference(after, host.snapshot()) == []
        act(host, FIRST, "down")
        act(host, FIRST, "up", at)
        act(host, FIRST, "down")
        assert difference(before, host.snapshot()) == []
        at += 3
    assert at > 12


def test_recovering_can_be_killed_as_well(host: Gateway) -> None:
    half = replace(FIRST, side=SideName.A)
    before = host.snapshot()
    assert act(host, half, "up", 9)
    at = 0
    while act(host, half, "recover", at := at + 1):
        pass
    assert at > 4
    assert difference(before, host.snapshot()) == []
