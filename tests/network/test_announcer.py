"""Announcements as they arrive at the other end of a cable, and what they do to ARP caches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from netcont.errors import KernelError
from netcont.model.plan import Announce

from .bench import OTHER_MAC, Bench, bench, sh
from .tools import dissect, recording

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("lab")]

GUEST, GUEST_MAC = "10.9.0.77", "02:00:00:00:00:77"
OLD_MAC = "02:00:00:00:00:66"
LAST_S = 1.25
FIELDS = (
    "frame.time_epoch",
    "eth.src",
    "eth.dst",
    "eth.type",
    "arp.opcode",
    "arp.src.hw_mac",
    "arp.src.proto_ipv4",
    "arp.dst.hw_mac",
    "arp.dst.proto_ipv4",
)


@pytest.fixture(scope="module")
def stand() -> Iterator[Bench]:
    with bench() as stand:
        yield stand


@pytest.fixture(scope="module")
def heard(stand: Bench, tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What tshark makes of one announcement with all its repeats, as recorded at the far end."""
    pcap: Path = tmp_path_factory.mktemp("announcement") / "b0.pcap"
    with recording(stand.other, "b0", pcap, at_least=12):
        stand.apply(Announce("own", "a0", GUEST, GUEST_MAC, rarp=True))
        time.sleep(LAST_S + 0.5)
    return dissect(pcap, FIELDS, f"eth.src == {GUEST_MAC}")


def test_arp_caches_are_told_by_a_gratuitous_request(heard: list[list[str]]) -> None:
    requests = [frame[1:] for frame in heard if frame[3] == "0x0806"]
    assert len(requests) == 6
    expected = [
        GUEST_MAC,
        "ff:ff:ff:ff:ff:ff",
        "0x0806",
        "1",
        GUEST_MAC,
        GUEST,
        "00:00:00:00:00:00",
        GUEST,
    ]
    assert all(request == expected for request in requests)


def test_switches_are_told_by_rarp(heard: list[list[str]]) -> None:
    requests = [frame[1:] for frame in heard if frame[3] == "0x8035"]
    assert len(requests) == 6
    assert all(
        request[:5] == [GUEST_MAC, "ff:ff:ff:ff:ff:ff", "0x8035", "3", GUEST_MAC]
        for request in requests
    )


def test_they_come_in_the_rhythm_of_qemu(heard: list[list[str]]) -> None:
    times = [float(frame[0]) for frame in heard if frame[3] == "0x0806"]
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx(
        [0.05, 0.15, 0.25, 0.35, 0.45], abs=0.01
    )


def test_a_neighbour_that_knew_the_old_mac_learns_the_new_one(stand: Bench) -> None:
    sh(stand.other, f"ip neigh replace {GUEST} lladdr {OLD_MAC} dev b0 nud stale")
    stand.apply(Announce("own", "a0", GUEST, GUEST_MAC, rounds=0))
    time.sleep(0.1)
    assert f"lladdr {GUEST_MAC}" in sh(stand.other, f"ip neigh show {GUEST}")


def test_a_neighbour_that_never_asked_learns_nothing(stand: Bench) -> None:
    sh(stand.other, "ip neigh flush dev b0")
    stand.apply(Announce("own", "a0", "10.9.0.78", GUEST_MAC, rounds=0))
    time.sleep(0.1)
    assert sh(stand.other, "ip neigh show 10.9.0.78") == ""


def test_rarp_alone_would_leave_arp_caches_stale(stand: Bench) -> None:
    sh(stand.other, f"ip neigh replace 10.9.0.79 lladdr {OLD_MAC} dev b0 nud stale")
    stand.apply(Announce("own", "a0", "10.9.0.80", GUEST_MAC, rarp=True, rounds=0))
    time.sleep(0.1)
    assert f"lladdr {OLD_MAC}" in sh(stand.other, "ip neigh show 10.9.0.79")


def test_a_bridge_learns_the_new_port(stand: Bench) -> None:
    sh(stand.other, "ip link add br1 type bridge forward_delay 0; ip link set br1 up")
    sh(stand.other, "ip link set b0 master br1")
    try:
        stand.apply(Announce("own", "a0", GUEST, GUEST_MAC, rarp=True, rounds=0))
        time.sleep(0.1)
        assert f"{GUEST_MAC} dev b0" in sh(stand.other, "bridge fdb show br br1")
    finally:
        sh(stand.other, "ip link set b0 nomaster; ip link del br1")


def test_a_link_that_is_not_there_is_told(stand: Bench) -> None:
    with pytest.raises(KernelError, match=r"announce 10\.9\.0\.77 on nope: No such device"):
        stand.apply(Announce("own", "nope", GUEST, GUEST_MAC))


def test_a_link_that_is_down_is_told(stand: Bench) -> None:
    with pytest.raises(KernelError, match="Network is down"):
        stand.apply(Announce("own", "p1", GUEST, GUEST_MAC))


def test_a_link_that_goes_away_meanwhile_ends_the_announcing_quietly(stand: Bench) -> None:
    sh(stand.own, "ip link add gone type dummy; ip link set gone up")
    stand.apply(Announce("own", "gone", GUEST, OTHER_MAC))
    sh(stand.own, "ip link del gone")
    time.sleep(LAST_S)
