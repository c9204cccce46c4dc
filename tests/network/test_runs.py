"""What becomes of connections under each approach, near and far."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from netcont.lab import run as lab_run
from netcont.model.outcome import Fate
from netcont.model.scenario import Client, ClientKind

from .moves import DATAGRAMS, STREAMS, assert_sound, make, of, scenario

pytestmark = [
    pytest.mark.network(lab="runs"),
    pytest.mark.usefixtures("nothing_is_left"),
]

USUAL_RTT_S = 0.05
RTTS_S = (0.01, USUAL_RTT_S, 0.2)
NAMED = (Client(ClientKind.REQUEST),)
TUNNELS = ("ipip", "gre", "ddns+ipip")
EXTENSIONS = ("vlan", "vxlan")
MARGIN_S = {**dict.fromkeys(TUNNELS, 0.025), **dict.fromkeys(EXTENSIONS, 0.075)}
OVERHEAD_BYTES = {"ipip": 20, "gre": 28, "vlan": 4, "vxlan": 50}


@pytest.mark.parametrize("rtt_s", RTTS_S)
@pytest.mark.parametrize("approach", MARGIN_S)
def test_no_connection_breaks_anywhere(approach: str, rtt_s: float, lab: Path) -> None:
    kinds = STREAMS if rtt_s == USUAL_RTT_S else STREAMS[:1]
    _, run = make(scenario((*kinds, *DATAGRAMS), rtt_s=rtt_s), approach, lab)
    assert_sound(run, approach)
    assert {c.name: c.fate for c in run.clients} == {c.name: Fate.SURVIVED for c in run.clients}
    assert len({client.place for client in of(run, STREAMS)}) == 3
    late = {
        client.name: (client.longest_gap_s, client.floor_s)
        for client in of(run, DATAGRAMS)
        if client.longest_gap_s > client.floor_s + MARGIN_S[approach]
    }
    assert not late, "UDP gaps over the floor by more than the approach may cost"
    assert run.overhead_bytes_per_packet == OVERHEAD_BYTES.get(approach, 20)


@pytest.mark.parametrize("approach", ["readdress", "blackhole"])
def test_without_help_every_established_connection_breaks(approach: str, lab: Path) -> None:
    _, run = make(scenario(more=NAMED), approach, lab)
    assert_sound(run, approach)
    broken = {Fate.TIMED_OUT, Fate.RESET}
    assert {c.name: c.fate for c in of(run, STREAMS) if c.fate not in broken} == {}
    assert {c.fate for c in of(run, DATAGRAMS)} == {Fate.STALLED}
    assert run.new_connections is not None
    assert run.new_connections.unreachable_s is None, "nobody was told where the guest is now"


@pytest.mark.parametrize("rtt_s", RTTS_S)
def test_dns_brings_new_connections_only(rtt_s: float, lab: Path) -> None:
    chosen = scenario((ClientKind.TCP_ECHO,), rtt_s=rtt_s, more=NAMED)
    _, run = make(chosen, "ddns", lab)
    assert_sound(run, "ddns")
    broken = {Fate.TIMED_OUT, Fate.RESET}
    assert {c.name: c.fate for c in of(run, STREAMS) if c.fate not in broken} == {}
    assert run.new_connections is not None
    assert run.new_connections.unreachable_s is not None
    assert run.new_connections.unreachable_s <= chosen.dns.ttl_s + 1


def test_the_same_run_again_is_the_same(lab: Path) -> None:
    chosen = scenario((ClientKind.TCP_ECHO, ClientKind.UDP_UP))
    # A gap is as long as its probes are apart: the pause keeps milliseconds away from their turns.
    chosen = replace(chosen, timing=replace(chosen.timing, warmup_s=1.215))
    first, second = (make(chosen, "gre", lab)[1] for _ in range(2))
    assert [c.fate for c in first.clients] == [c.fate for c in second.clients]
    gaps = zip(first.clients, second.clients, strict=True)
    assert all(abs(a.longest_gap_s - b.longest_gap_s) <= 0.005 for a, b in gaps)


def test_the_guest_goes_on_writing_into_the_memory_at_its_new_site(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []

    def digests() -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in images()}

    def images() -> list[Path]:
        return sorted(lab.glob("blackhole-1/*.mem"))

    mark = lab_run._Run._mark

    def between(self: lab_run._Run, at_s: float, *, first: bool) -> object:
        """Around the wait for the last marked packets the guest has its new memory."""
        if first:
            return mark(self, at_s, first=first)
        seen.append(digests())
        frames = mark(self, at_s, first=first)
        seen.append(digests())
        return frames

    monkeypatch.setattr(lab_run._Run, "_mark", between)
    make(scenario((ClientKind.UDP_UP,)), "blackhole", lab)
    before, after = seen
    assert sorted(before) == sorted(after) == ["a.mem", "b.mem"]
    assert after["a.mem"] == before["a.mem"], "the source's image is not the guest's any more"
    assert after["b.mem"] != before["b.mem"]
