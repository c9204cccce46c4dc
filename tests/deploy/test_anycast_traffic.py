"""A gateway that each side of a segment has for itself: hosts in namespaces, judged by tcpdump."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from netcont.kernel.namespace import create_namespace

from .bench import Gateway, environment, needs_root
from .files import ANYCAST
from .pair import Pair, addresses, pair
from .test_up_and_down import right, written

pytestmark = needs_root

ANYCAST6 = """
[side.a]
address = "192.0.2.1"
prefix = "2001:db8:1::/64"
[side.b]
address = "198.51.100.1"
prefix = "2001:db8:2::/64"
[extension]
kind = "vxlan"
vni = 100
bridge = { a = "br0", b = "nc-stretch" }
anycast_gateway = "2001:db8:1::1"
addresses = { a = "2001:db8:ff::1/64", b = "2001:db8:ff::2/64" }
fragment = true
[guest]
address = "2001:db8:1::10"
from = "a"
mac = "02:00:00:00:00:10"
"""

FILES = {4: ANYCAST, 6: ANYCAST6}
GATEWAY = {4: "10.1.0.1", 6: "2001:db8:1::1"}
HOST_A = {4: "10.1.0.20", 6: "2001:db8:1::20"}
GUEST = {4: "10.1.0.10", 6: "2001:db8:1::10"}
AT_B_LAN = {4: "10.2.0.50", 6: "2001:db8:2::50"}
CLIENT = {4: "192.0.2.254", 6: "2001:db8:a::fe"}


@dataclass(frozen=True)
class Segment:
    """Two gateways with a segment, a host of it that stays at A, a guest, and a host on B's LAN."""

    two: Pair
    host: Gateway
    guest: Gateway
    neighbour: Gateway
    family: int
    file: str

    def up(self, *words: str) -> None:
        """Both sides."""
        for gateway, side in ((self.two.b, "b"), (self.two.a, "a")):
            right(gateway.cli("up", self.file, "--side", side, *words))

    def move(self) -> None:
        """The guest, by its cable, from A's bridge to B's; B is told first."""
        self.two.a.sh(f"ip link set guest0 netns {self.two.b.pid}")
        self.up("--switch")
        self.two.b.sh("ip link set guest0 master nc-stretch up")
        # What `up --switch` said went by while the guest was frozen.
        right(
            self.two.b.cli("announce", GATEWAY[self.family], "--dev", "nc-stretch", "--rounds", "1")
        )

    def mac(self, side: str) -> str:
        """That of the gateway there."""
        gateway, bridge = {"a": (self.two.a, "br0"), "b": (self.two.b, "nc-stretch")}[side]
        (link,) = json.loads(gateway.sh(f"ip -j link show {bridge}"))
        return str(link["address"])

    def known(self, who: Gateway) -> str:
        """Which MAC somebody takes for the gateway's."""
        (entry,) = json.loads(who.sh(f"ip -j neigh show to {GATEWAY[self.family]}"))
        return str(entry["lladdr"])


def reaches(who: Gateway, address: str) -> bool:
    return "\nok" in who.sh(f"ping -nqc2 -W4 -i0.2 {address} && echo ok || true")


_LANS = """
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
sysctl -qw net.ipv6.conf.all.router_solicitations=0 net.ipv6.conf.default.router_solicitations=0
"""


@pytest.fixture(params=[4, 6])
def stretched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Segment]:
    family = int(request.param)
    with stretch(family, FILES[family], tmp_path) as one:
        yield one


@contextmanager
def stretch(family: int, text: str, tmp_path: Path) -> Iterator[Segment]:
    """The guest is at A, and nothing is deployed yet. text: of the file. A circuit c0 is there."""
    lan, length = {4: ("10.1.0.", 24), 6: ("2001:db8:1::", 64)}[family]
    other = {4: "10.2.0.", 6: "2001:db8:2::"}[family]
    with pair(tmp_path) as two, ExitStack() as after:
        made = []
        for name in ("host", "guest", "neighbour"):
            pid = create_namespace()
            after.callback(os.waitpid, pid, 0)
            after.callback(os.kill, pid, 9)
            made.append(Gateway(pid, tmp_path / name))
            made[-1].sh(_LANS + "ip link set lo up")
        host, guest, neighbour = made
        for who, port, at, end, address, way in (
            (host, "host0", two.a, "20", f"{lan}20", f"{lan}1"),
            (guest, "guest0", two.a, "10", f"{lan}10", f"{lan}1"),
            (neighbour, "lan0", two.b, "50", f"{other}50", f"{other}1"),
        ):
            who.sh(
                f"ip link add eth0 address 02:00:00:00:00:{end} type veth peer {port}"
                f" netns {at.pid}"
            )
            who.sh(f"ip addr add {address}/{length} dev eth0; ip link set eth0 up")
            who.sh(f"ip route add {'::/0' if family == 6 else 'default'} via {way}")
            at.sh(f"ip link set {port} up")
        two.a.sh("ip link add br0 type bridge forward_delay 0 mcast_snooping 0; ip link set br0 up")
        two.a.sh("ip link set host0 master br0; ip link set guest0 master br0")
        two.a.sh(f"ip addr add {lan}1/{length} dev br0")
        two.b.sh(f"ip addr add {other}1/{length} dev lan0")
        for prefix, gateway in zip((lan, other), addresses(family), strict=True):
            network = f"{prefix}{'' if family == 6 else '0'}/{length}"
            two.router.sh(f"ip route add {network} via {gateway}")
        two.a.sh(f"ip link add c0 up type veth peer name c0 netns {two.b.pid}")
        two.b.sh("ip link set c0 up")
        yield Segment(two, host, guest, neighbour, family, written(tmp_path, text))


@contextmanager
def recorded(where: Gateway, link: str, pcap: Path) -> Iterator[None]:
    """tcpdump, from when it listens."""
    words = ["nsenter", f"--net=/proc/{where.pid}/ns/net", "tcpdump", "-Z", "root", "-nU"]
    words += ["--immediate-mode", "-i", link, "-w", str(pcap)]
    with subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            while "listening on" not in (line := process.stderr.readline()):
                assert line
            yield
        finally:
            process.terminate()
            process.stderr.read()


def frames(where: Gateway, pcap: Path, expression: str) -> list[str]:
    return where.sh(f"tcpdump -Z root -ner {pcap} '{expression}'").splitlines()


def about_gateway(segment: Segment, pcap: Path) -> list[str]:
    """Frames that say or ask who the gateway is."""
    if segment.family == 4:
        return frames(segment.two.a, pcap, "arp and (arp[14:4]=0x0a010001 or arp[24:4]=0x0a010001)")
    every = frames(segment.two.a, pcap, "icmp6 and (ip6[40]=135 or ip6[40]=136)")
    return [each for each in every if f"{GATEWAY[6]}," in each]


@pytest.mark.parametrize("suppression", [False, True])
def test_each_side_has_its_own_gateway_and_nothing_is_said_about_it_across(
    stretched: Segment, tmp_path: Path, suppression: bool
) -> None:
    one, two, family = stretched, stretched.two, stretched.family
    if suppression:
        file = Path(one.file)
        file.write_text(file.read_text().replace("[guest]", "arp_suppression = true\n[guest]"))
    assert reaches(one.guest, CLIENT[family])
    one.up()
    pcap = tmp_path / "across.pcap"
    with recorded(two.a, "nc-vx100", pcap):
        one.move()
        for who in (one.host, one.guest):
            who.sh("ip neigh flush dev eth0")
        assert reaches(one.host, GATEWAY[family])
        assert reaches(one.guest, GATEWAY[family])
        assert (one.known(one.host), one.known(one.guest)) == (one.mac("a"), one.mac("b"))
        # Both gateways ask for hosts on the other side, and find them.
        for gateway, bridge in ((two.a, "br0"), (two.b, "nc-stretch")):
            gateway.sh(f"ip neigh flush dev {bridge}")
        assert reaches(two.router, GUEST[family])
        assert reaches(one.guest, HOST_A[family])
        assert reaches(one.guest, AT_B_LAN[family])
        assert reaches(one.neighbour, GUEST[family])
        assert (one.known(one.host), one.known(one.guest)) == (one.mac("a"), one.mac("b"))
    assert frames(two.a, pcap, "arp" if family == 4 else "icmp6 and ip6[40]=135")
    assert about_gateway(one, pcap) == []


@pytest.mark.parametrize("remembers", [True, False])
def test_a_guest_that_moved_finds_its_gateway_and_its_neighbours_without_the_wan(
    stretched: Segment, remembers: bool
) -> None:
    one, two, family = stretched, stretched.two, stretched.family
    one.up()
    one.move()
    one.guest.sh("ip neigh flush dev eth0")
    if remembers:
        one.guest.sh(
            f"ip neigh replace {GATEWAY[family]} lladdr {one.mac('a')} dev eth0 nud reachable"
        )
        right(two.b.cli("announce", GATEWAY[family], "--dev", "nc-stretch", "--rounds", "1"))
    two.router.sh("ip link set to-b down")
    assert reaches(one.guest, AT_B_LAN[family])
    assert one.known(one.guest) == one.mac("b")
    assert reaches(one.neighbour, GUEST[family])


def test_a_guest_that_missed_the_announcement_asks_again_and_hears_its_own_side(
    stretched: Segment,
) -> None:
    one, family = stretched, stretched.family
    one.up()
    one.move()
    stale = f"lladdr {one.mac('a')} dev eth0 nud stale"
    one.guest.sh(f"ip neigh replace {GATEWAY[family]} {stale}")
    one.guest.sh("sysctl -qw net.ipv4.neigh.eth0.delay_first_probe_time=0")
    one.guest.sh("sysctl -qw net.ipv6.neigh.eth0.delay_first_probe_time=0")
    # Until then A's gateway takes what it sends.
    asked = f"ip neigh show to {GATEWAY[family]} | grep -q {one.mac('b')}"
    ping = f"ping -nqc1 -W1 -i0.2 {AT_B_LAN[family]} || true"
    one.guest.sh(f"timeout 30 sh -c 'until {asked}; do {ping}; done'")
    assert one.known(one.guest) == one.mac("b")


def test_what_a_vtep_without_netcont_says_about_the_gateway_is_not_heard(
    stretched: Segment,
) -> None:
    one, two, family = stretched, stretched.two, stretched.family
    one.up()
    one.move()
    assert reaches(one.guest, AT_B_LAN[family])
    two.a.sh("nft flush ruleset")
    right(two.a.cli("announce", GATEWAY[family], "--dev", "br0", "--rounds", "1"))
    assert one.known(one.guest) == one.mac("b")
    dropped = two.b.sh("nft list chain bridge nc-vx100 in")
    assert re.search(r"packets [1-9]\d* bytes \d+ drop", dropped)


def test_what_a_guest_sends_to_others_goes_home_and_to_its_new_lan_it_does_not(
    stretched: Segment, tmp_path: Path
) -> None:
    one, two, family = stretched, stretched.two, stretched.family
    one.up()
    one.move()
    with recorded(two.b, "nc-vx100", tmp_path / "b.pcap"):
        assert reaches(one.guest, CLIENT[family])
        assert reaches(one.guest, AT_B_LAN[family])
    echo = "icmp" if family == 4 else "icmp6 and (ip6[40]=128 or ip6[40]=129)"
    home = frames(two.a, tmp_path / "b.pcap", f"{echo} and host {CLIENT[family]}")
    # Out by the gateway at A, and the answers from there straight to the guest.
    assert len([each for each in home if one.mac("b") in each.split(",")[0]]) == 2
    assert len(home) == 4
    assert frames(two.a, tmp_path / "b.pcap", f"{echo} and host {AT_B_LAN[family]}") == []


def test_a_guest_that_came_home_has_its_old_gateway(stretched: Segment) -> None:
    one, two, family = stretched, stretched.two, stretched.family
    one.up()
    one.move()
    assert reaches(one.guest, CLIENT[family])
    two.b.sh(f"ip link set guest0 nomaster; ip link set guest0 netns {two.a.pid}")
    one.up("--no-switch")
    two.a.sh("ip link set guest0 master br0 up")
    right(two.a.cli("announce", GATEWAY[family], "--dev", "br0", "--rounds", "1"))
    assert reaches(one.guest, CLIENT[family])
    assert one.known(one.guest) == one.mac("a")


def test_what_does_not_fit_passes_in_fragments_or_its_sender_is_told(stretched: Segment) -> None:
    one, family = stretched, stretched.family
    one.up()
    one.move()
    whole = 1472 if family == 4 else 1452
    ping = f"ping -nqW2 -i0.2 -s {{size}} -c{{count}} -M {{may}} {HOST_A[family]} || true"
    said = one.guest.sh(ping.format(size=whole, count=2, may="do"))
    assert " 0 received" in said
    (told,) = json.loads(one.guest.sh(f"ip -j route get {HOST_A[family]}"))
    assert told["metrics"][0]["mtu"] == 1450
    fits = one.guest.sh(ping.format(size=whole - 50, count=2, may="do"))
    assert " 0% packet loss" in fits
    one.guest.sh("ip route flush cache; ip -6 route flush cache")
    # Of IPv6 the first ones are lost: their sender makes the fragments itself, once it is told.
    one.guest.sh(ping.format(size=whole, count=2, may="dont"))
    assert " 0% packet loss" in one.guest.sh(ping.format(size=whole, count=2, may="dont"))
