"""netcont announce: what arrives at the far end of a cable, and what it does to neighbours."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from netcont.cli.main import main
from netcont.kernel.announcer import delays_s
from netcont.kernel.namespace import Namespace, create_namespace
from netcont.model.plan import Announce

from .bench import OWN, OWN_MAC, Bench, sh
from .tools import dissect, recording

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("lab")]

GUEST, GUEST_MAC = "2001:db8::77", "02:00:00:00:00:77"
OLD_MAC = "02:00:00:00:00:66"
PR_CAPBSET_DROP, CAP_NET_RAW = 24, 13
FIELDS = (
    "frame.time_epoch",
    "eth.src",
    "eth.dst",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.hlim",
    "icmpv6.type",
    "icmpv6.checksum.status",
    "icmpv6.nd.na.flag.r",
    "icmpv6.nd.na.flag.s",
    "icmpv6.nd.na.flag.o",
    "icmpv6.nd.na.target_address",
    "icmpv6.opt.linkaddr",
)


@pytest.fixture(scope="module")
def stand() -> Iterator[Bench]:
    """Two nodes on a cable, a0 to b0, with IPv6; of another one's ends p1 is down."""
    with ExitStack() as stack:
        own, other = (stack.enter_context(_node(name)) for name in ("own", "other"))
        sh(
            own,
            f"ip link add a0 address {OWN_MAC} type veth peer name b0 netns {other.pid}; "
            "ip link add p0 type veth peer name p1; ip link set a0 up; ip addr add "
            f"{OWN}/24 dev a0; ip addr add 2001:db8::1/64 dev a0 nodad",
        )
        sh(other, "ip link set b0 up; ip addr add 2001:db8::2/64 dev b0 nodad")
        yield Bench(own, other)


@contextmanager
def _node(name: str) -> Iterator[Namespace]:
    pid = create_namespace()
    try:
        with Namespace(name, pid) as node:
            yield node
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def announce(stand: Bench, *arguments: str) -> int:
    with stand.own.entered():
        return main(["announce", *arguments])


@pytest.fixture(scope="module")
def heard(stand: Bench, tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What tshark makes of one announcement of an IPv6 address, with its repeats."""
    pcap: Path = tmp_path_factory.mktemp("announcement") / "b0.pcap"
    with recording(stand.other, "b0", pcap, f"ether src {GUEST_MAC}", at_least=6):
        assert announce(stand, GUEST, "--dev", "a0", "--mac", GUEST_MAC) == 0
    return dissect(pcap, FIELDS, f"eth.src == {GUEST_MAC}")


def test_an_ipv6_address_is_announced_to_all_nodes_with_the_override_flag(
    heard: list[list[str]],
) -> None:
    assert len(heard) == 6
    expected = [GUEST_MAC, "33:33:00:00:00:01", GUEST, "ff02::1", "255", "136", "1"]
    for frame in heard:
        assert frame[1:8] == expected
        assert [flag in ("1", "True") for flag in frame[8:11]] == [False, False, True]
        assert frame[11:] == [GUEST, GUEST_MAC]


def test_it_comes_in_the_rhythm_of_qemu(heard: list[list[str]]) -> None:
    times = [float(frame[0]) for frame in heard]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == pytest.approx([0.05, 0.15, 0.25, 0.35, 0.45], abs=0.03)


def test_the_pauses_grow_no_longer_than_550_ms() -> None:
    assert delays_s(8)[-3:] == [0.55, 0.55, 0.55]


def test_an_ipv6_neighbour_that_knew_the_old_mac_learns_the_new_one(stand: Bench) -> None:
    sh(stand.other, f"ip neigh replace {GUEST} lladdr {OLD_MAC} dev b0 nud stale")
    assert announce(stand, GUEST, "--dev", "a0", "--mac", GUEST_MAC, "--rounds", "0") == 0
    time.sleep(0.1)
    assert f"lladdr {GUEST_MAC}" in sh(stand.other, f"ip neigh show {GUEST}")


def test_a_plan_announces_ipv6_addresses_as_well(stand: Bench) -> None:
    sh(stand.other, f"ip neigh replace {GUEST} lladdr {OLD_MAC} dev b0 nud stale")
    stand.apply(Announce("own", "a0", GUEST, GUEST_MAC, rounds=0))
    time.sleep(0.1)
    assert f"lladdr {GUEST_MAC}" in sh(stand.other, f"ip neigh show {GUEST}")


def test_an_ipv4_address_is_announced_as_the_links_own(
    stand: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pcap = tmp_path / "b0.pcap"
    with recording(stand.other, "b0", pcap, "arp or rarp", at_least=4):
        assert announce(stand, OWN, "--dev", "a0", "--rounds", "1") == 0
    frames = dissect(pcap, ("eth.type", "eth.src", "arp.src.proto_ipv4"))
    assert [frame[:2] for frame in frames] == [["0x0806", OWN_MAC], ["0x8035", OWN_MAC]] * 2
    assert [frame[2] for frame in frames if frame[0] == "0x0806"] == [OWN, OWN]
    shown = capsys.readouterr()
    assert f"announced {OWN} at {OWN_MAC} on a0 by gratuitous ARP and RARP, 2 times" in shown.out
    assert shown.err == ""


def test_a_dry_run_sends_nothing(
    stand: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pcap = tmp_path / "b0.pcap"
    with recording(stand.other, "b0", pcap, "arp or rarp"):
        assert announce(stand, "10.9.0.77", "--dev", "a0", "--dry-run") == 0
        time.sleep(0.2)
    assert dissect(pcap, ("eth.type",)) == []
    shown = capsys.readouterr()
    assert "would announce 10.9.0.77" in shown.out
    assert "50, 150, 250, 350, 450 ms" in shown.out
    assert "note: a0 does not have 10.9.0.77" in shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("10.9.0.77", "--dev", "nope"), 2, "there is no link 'nope' here"),
        (("10.9.0.77", "--dev", "p1"), 1, "the link p1 is down"),
        (("10.9.0.77", "--dev", "lo"), 2, "the link lo is no Ethernet"),
        (("224.0.0.1", "--dev", "a0"), 2, "224.0.0.1 is not the address of one host"),
        (("10.9.0", "--dev", "a0"), 2, "'10.9.0' is no address"),
        (("10.9.0.77", "--dev", "a0", "--mac", "01:00:5e:00:00:01"), 2, "the MAC of one host"),
    ],
)
def test_what_cannot_be_announced_is_refused_with_a_remedy(
    stand: Bench,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    assert announce(stand, *arguments) == code
    err = capsys.readouterr().err
    assert said in err
    assert "remedy: " in err


def test_without_the_privilege_it_is_refused_with_the_remedy() -> None:
    libc = ctypes.CDLL(None)
    done = subprocess.run(
        [sys.executable, "-m", "netcont", "announce", "10.9.0.77", "--dev", "lo"],
        preexec_fn=lambda: libc.prctl(PR_CAPBSET_DROP, CAP_NET_RAW),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5
    assert "needs the privilege CAP_NET_RAW" in done.stderr
    assert "remedy: run the command as root" in done.stderr


def test_a_link_that_goes_away_meanwhile_is_told(
    stand: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    sh(stand.own, "ip link add g0 type veth peer name g1; ip link set g0 up; ip link set g1 up")
    thread = threading.Thread(target=lambda: (time.sleep(0.3), sh(stand.own, "ip link del g0")))
    thread.start()
    assert announce(stand, "10.9.0.77", "--dev", "g0") == 0
    thread.join()
    assert "note: g0 went away after that" in capsys.readouterr().err
