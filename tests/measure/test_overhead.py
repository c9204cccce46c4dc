from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from netcont.measure.frames import Marked, marked
from netcont.measure.overhead import overhead
from netcont.model.samples import Frame

HEAD_BYTES = 192


def datagram(number: int = 0) -> Packet:
    """A marked datagram from a client to the guest."""
    payload = (b"netcont-overhead-%02d" % number).ljust(200 + number, b".")
    return IP(src="10.3.0.50", dst="10.1.0.10") / UDP(sport=4000, dport=7007) / Raw(payload)


def datagram6(number: int = 0) -> Packet:
    """The same over IPv6."""
    payload = (b"netcont-overhead-%02d" % number).ljust(200 + number, b".")
    addresses = IPv6(src="2001:db8:3::50", dst="2001:db8:1::10")
    return addresses / UDP(sport=4000, dport=7007) / Raw(payload)


def ether() -> Packet:
    """A link's header."""
    return Ether(src="02:00:00:00:01:01", dst="02:00:00:00:02:01")


def outer() -> Packet:
    """From A's gateway to B's."""
    return IP(src="192.0.2.5", dst="192.0.2.9")


def outer6() -> Packet:
    """The same over IPv6."""
    return IPv6(src="2001:db8:ffff::5", dst="2001:db8:ffff::9")


def frame(packet: Packet) -> Frame:
    """As the capture hands it over: the length of all, the head of the bytes."""
    wire = bytes(packet)
    return Frame(0.0, "wan", len(wire), wire[:HEAD_BYTES].hex())


ENCAPSULATIONS = {
    "plain": (lambda p: ether() / p, 0, "ethernet/ipv4/udp"),
    "ipip": (lambda p: ether() / outer() / p, 20, "ethernet/ipv4/ipv4/udp"),
    "gre": (lambda p: ether() / outer() / GRE() / p, 24, "ethernet/ipv4/gre/ipv4/udp"),
    "gre with key": (
        lambda p: ether() / outer() / GRE(key_present=1, key=42) / p,
        28,
        "ethernet/ipv4/gre-key/ipv4/udp",
    ),
    "vxlan": (
        lambda p: ether() / outer() / UDP(dport=4789) / VXLAN(vni=100, flags=8) / ether() / p,
        50,
        "ethernet/ipv4/udp/vxlan/ethernet/ipv4/udp",
    ),
    "vlan": (lambda p: ether() / Dot1Q(vlan=100) / p, 4, "ethernet/802.1q/ipv4/udp"),
}


ENCAPSULATIONS_IPV6 = {
    "plain": (lambda p: ether() / p, 0, "ethernet/ipv6/udp"),
    "ip6tnl": (lambda p: ether() / outer6() / p, 40, "ethernet/ipv6/ipv6/udp"),
    "ip6tnl with encapsulation limit": (
        lambda p: ether() / outer6() / IPv6ExtHdrDestOpt() / p,
        48,
        "ethernet/ipv6/ipv6/udp",
    ),
    "ip6gre": (lambda p: ether() / outer6() / GRE() / p, 44, "ethernet/ipv6/gre/ipv6/udp"),
    "ip6gre with key": (
        lambda p: ether() / outer6() / GRE(key_present=1, key=42) / p,
        48,
        "ethernet/ipv6/gre-key/ipv6/udp",
    ),
    "6in4": (lambda p: ether() / outer() / p, 20, "ethernet/ipv4/ipv6/udp"),
    "vxlan": (
        lambda p: ether() / outer6() / UDP(dport=4789) / VXLAN(vni=100, flags=8) / ether() / p,
        70,
        "ethernet/ipv6/udp/vxlan/ethernet/ipv6/udp",
    ),
    "vlan": (lambda p: ether() / Dot1Q(vlan=100) / p, 4, "ethernet/802.1q/ipv6/udp"),
}


@pytest.mark.parametrize("name", ENCAPSULATIONS_IPV6)
def test_the_overhead_is_what_the_encapsulation_adds_to_ipv6(name: str) -> None:
    wrap, extra, layers = ENCAPSULATIONS_IPV6[name]
    before = [frame(ether() / datagram6(n)) for n in range(5)]
    after = [frame(wrap(datagram6(n))) for n in range(5)]
    found = overhead(before, after)
    assert found is not None
    assert found.bytes_per_packet == extra
    assert "/".join(found.layers) == layers
    assert found.agreed


@pytest.mark.parametrize(
    "header", [IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrRouting, IPv6ExtHdrFragment]
)
def test_headers_between_ipv6_and_its_payload_are_passed_over(header: type[Packet]) -> None:
    plain = datagram6()
    packet = IPv6(src=plain.src, dst=plain.dst) / header() / header() / plain[UDP]
    assert marked(frame(ether() / packet).head) == Marked(0, 200, ("ethernet", "ipv6", "udp"))


def test_later_fragments_of_ipv6_carry_no_mark() -> None:
    packet = ether() / outer6() / IPv6ExtHdrFragment(offset=100, nh=41) / datagram6()
    assert marked(frame(packet).head) is None


def test_a_chain_of_headers_that_does_not_end_says_nothing() -> None:
    head = bytes(ether() / IPv6(nh=0)) + bytes(8 * 100)
    assert marked(head.hex()) is None


@pytest.mark.parametrize("name", ENCAPSULATIONS)
def test_the_overhead_is_what_the_encapsulation_adds(name: str) -> None:
    wrap, extra, layers = ENCAPSULATIONS[name]
    before = [frame(ether() / datagram(n)) for n in range(5)]
    after = [frame(wrap(datagram(n))) for n in range(5)]
    found = overhead(before, after)
    assert found is not None
    assert found.bytes_per_packet == extra
    assert "/".join(found.layers) == layers
    assert found.agreed


def test_vxlan_is_recognised_on_the_port_that_it_uses() -> None:
    packet = ether() / outer() / UDP(dport=8472) / VXLAN(vni=1, flags=8) / ether() / datagram()
    assert marked(frame(packet).head) is None
    assert marked(frame(packet).head, vxlan_port=8472) is not None


def test_a_datagram_seen_plain_and_wrapped_counts_as_wrapped() -> None:
    plain = frame(ether() / datagram(7))
    wrapped = frame(ether() / outer() / datagram(7))
    found = overhead([plain], [plain, wrapped, plain])
    assert found is not None
    assert found.bytes_per_packet == 20


def test_only_the_same_datagram_is_compared() -> None:
    assert overhead([frame(ether() / datagram(1))], [frame(ether() / datagram(2))]) is None
    assert overhead([], [frame(ether() / datagram(2))]) is None


def test_most_datagrams_decide_where_they_disagree() -> None:
    before = [frame(ether() / datagram(n)) for n in range(3)]
    after = [frame(ether() / outer() / datagram(n)) for n in range(2)]
    after.append(frame(ether() / outer() / GRE() / datagram(2)))
    found = overhead(before, after)
    assert found is not None
    assert found.bytes_per_packet == 20
    assert not found.agreed


def test_other_traffic_is_ignored() -> None:
    other = ether() / IP() / UDP(dport=53) / Raw(b"not marked, but long enough to be read at all")
    assert marked(frame(other).head) is None
    assert marked("zz") is None
    assert marked("") is None


def test_a_head_that_ends_too_early_says_nothing() -> None:
    head = frame(ether() / outer() / datagram()).head
    assert marked(head) == Marked(0, 200, ("ethernet", "ipv4", "ipv4", "udp"))
    assert all(marked(head[: 2 * n]) is None for n in range(14 + 20 + 20 + 8 + 18))


def test_later_fragments_carry_no_mark() -> None:
    packet = ether() / outer() / datagram()
    packet[IP].frag = 100
    assert marked(frame(packet).head) is None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_crash_the_reader(data: bytes) -> None:
    marked(data.hex())


@given(st.text(max_size=80))
def test_arbitrary_text_never_crashes_the_reader(text: str) -> None:
    marked(text)


REAL = [
    *(bytes.fromhex(frame(wrap(datagram())).head) for wrap, _, _ in ENCAPSULATIONS.values()),
    *(bytes.fromhex(frame(wrap(datagram6())).head) for wrap, _, _ in ENCAPSULATIONS_IPV6.values()),
]


@given(
    st.sampled_from(REAL),
    st.lists(st.tuples(st.integers(0, HEAD_BYTES - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, HEAD_BYTES),
)
def test_damaged_frames_never_crash_the_reader(
    data: bytes, damage: list[tuple[int, int]], length: int
) -> None:
    damaged = bytearray(data)
    for position, value in damage:
        damaged[position % len(damaged)] = value
    marked(bytes(damaged[:length]).hex())
