"""Echo packets, made and taken apart; judged by scapy."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

from netcont.kernel.heard import MARK_BYTES, Mark
from netcont.kernel.icmp import (
    Echo,
    Failure,
    echo_request,
    failure_in,
    internet_checksum,
    ip_packet,
    payload_of,
    reply_in,
    request_in,
)

ECHO = Echo(0x1234, 7, b"abc" * 15)
ENDS = {4: ("192.0.2.1", "198.51.100.1"), 6: ("2001:db8::1", "2001:db8:1::2")}


def dissected(family: int, packet: bytes) -> IP | IPv6:
    """What scapy makes of a packet; with scapy's own checksums it must be the same bytes."""
    found = (IP if family == 4 else IPv6)(packet)
    again = found.copy()
    if family == 4:
        del again.chksum
        del again[ICMP].chksum
    else:
        del again[ICMPv6EchoRequest].cksum
    assert bytes(again) == packet
    return found


@pytest.mark.parametrize("family", [4, 6])
def test_an_echo_request_in_a_packet_is_one_with_right_checksums(family: int) -> None:
    message = echo_request(family, ECHO, ENDS[family])
    packet = dissected(family, ip_packet(family, *ENDS[family], message))
    assert (packet.src, packet.dst) == ENDS[family]
    request = packet[ICMP if family == 4 else ICMPv6EchoRequest]
    assert (request.type, request.id, request.seq) == (8 if family == 4 else 128, 0x1234, 7)


def test_a_packet_may_not_be_fragmented_on_its_way() -> None:
    packet = IP(ip_packet(4, *ENDS[4], echo_request(4, ECHO)))
    assert str(packet.flags) == "DF"
    assert packet.ttl == 64


def test_a_raw_socket_is_left_ipv6s_checksum() -> None:
    assert echo_request(6, ECHO)[2:4] == b"\0\0"


REPLIES = {
    4: (IP(src="198.51.100.1") / ICMP(type=0, id=0x1234, seq=7) / ECHO.data),
    6: (IPv6(src="2001:db8::2") / ICMPv6EchoReply(id=0x1234, seq=7, data=ECHO.data)),
}


@pytest.mark.parametrize("family", [4, 6])
def test_a_reply_is_taken_apart(family: int) -> None:
    message = payload_of(family, bytes(REPLIES[family]))
    assert reply_in(family, message) == ECHO
    assert request_in(family, message) is None
    assert failure_in(family, message) is None


def test_a_header_with_options_is_skipped() -> None:
    packet = bytes(IP(options=b"\x94\x04\0\0") / ICMP(type=0, id=0x1234, seq=7) / ECHO.data)
    assert reply_in(4, payload_of(4, packet)) == ECHO


QUOTED = b"what was sent, or its head"
FAILURES = {
    "no such protocol": (4, 3, 2, Failure("protocol unreachable", True, QUOTED)),
    "no such port": (4, 3, 3, Failure("port unreachable", True, QUOTED)),
    "no such host": (4, 3, 1, Failure("host unreachable", False, QUOTED)),
    "a firewall": (4, 3, 13, Failure("administratively prohibited", False, QUOTED)),
    "too big": (4, 3, 4, None),
    "time exceeded": (4, 11, 0, None),
    "no such port, IPv6": (6, 1, 4, Failure("port unreachable", True, QUOTED)),
    "no such header, IPv6": (6, 4, 1, Failure("next header unknown", True, QUOTED)),
    "no such host, IPv6": (6, 1, 3, Failure("address unreachable", False, QUOTED)),
    "too big, IPv6": (6, 2, 0, None),
}


@pytest.mark.parametrize("case", FAILURES)
def test_why_a_packet_was_not_delivered_is_read(case: str) -> None:
    family, kind, code, expected = FAILURES[case]
    assert failure_in(family, bytes([kind, code]) + bytes(6) + QUOTED) == expected


@pytest.mark.parametrize("length", range(8))
def test_what_is_cut_is_nothing(length: int) -> None:
    for family in (4, 6):
        message = payload_of(family, bytes(REPLIES[family]))[:length]
        assert reply_in(family, message) is None
        assert failure_in(family, bytes([3, 3, 0, 0, 0, 0, 0, 0])[:length]) is None
        assert payload_of(family, b"") == b""


def test_a_checksum_over_its_own_message_is_zero() -> None:
    assert internet_checksum(echo_request(4, ECHO)) == 0
    assert internet_checksum(b"\x01") == internet_checksum(b"\x01\x00")


def test_a_mark_is_found_wherever_it_stands() -> None:
    mark = Mark()
    data = mark.data(70000, 40)
    assert len(data) == 40
    assert mark.number_in(b"x" * 50 + data) == 70000
    assert mark.number_in(data[: MARK_BYTES - 1]) is None
    assert mark.number_in(Mark().data(1)) is None
