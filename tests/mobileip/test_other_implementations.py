"""Our bytes as tshark and scapy read them."""

from __future__ import annotations

import os
import struct
import subprocess
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from scapy.layers.mobileip import MobileIP, MobileIPRRP, MobileIPRRQ

from netcont.errors import PrerequisiteError
from netcont.lab.cache import find_lab_files, find_program, lab_environment
from netcont.mobileip import ntp
from netcont.mobileip.codes import Code
from netcont.mobileip.discovery import checksum
from netcont.mobileip.messages import (
    PORT,
    Flags,
    RegistrationReply,
    RegistrationRequest,
)

from .wire import (
    ACK,
    ADVERTISEMENT,
    CARE_OF_ADDRESS,
    FOREIGN_HOME,
    HOME_ADDRESS,
    HOME_AGENT,
    IDENTIFICATION,
    MOBILE_HOME,
    REPLY,
    REQUEST,
    REVOCATION,
    SIGNED,
    SOLICITATION,
    replies,
    requests,
)

UDP, ICMP = 17, 1

EVERY_FLAG = tuple(
    RegistrationRequest(flag, 0xFFFF, HOME_ADDRESS, HOME_AGENT, CARE_OF_ADDRESS, IDENTIFICATION)
    for flag in Flags
)
EVERY_CODE = tuple(
    RegistrationReply(code, 1, HOME_ADDRESS, HOME_AGENT, IDENTIFICATION) for code in Code
)

FRAMES: tuple[tuple[int, bytes], ...] = (
    *((UDP, data) for data, _ in SIGNED),
    (ICMP, ADVERTISEMENT.to_bytes()),
    (ICMP, SOLICITATION.to_bytes()),
    *((UDP, message.to_bytes()) for message in (*EVERY_FLAG, *EVERY_CODE)),
)


def ip_packet(protocol: int, data: bytes) -> bytes:
    if protocol == UDP:
        data = struct.pack("!HHHH", PORT, PORT, 8 + len(data), 0) + data
    fields = (0x45, 0, 20 + len(data), 0, 0, 64, protocol)
    addresses = CARE_OF_ADDRESS.packed + HOME_AGENT.packed
    head = struct.pack("!BBHHHBB", *fields)
    return head + checksum(head + bytes(2) + addresses).to_bytes(2, "big") + addresses + data


def write_capture(path: Path, frames: tuple[tuple[int, bytes], ...]) -> None:
    raw_ip = 101
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, raw_ip)]
    for second, (protocol, data) in enumerate(frames):
        packet = ip_packet(protocol, data)
        parts.append(struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet)
    path.write_bytes(b"".join(parts))


class Frame:
    """What tshark says about one frame."""

    def __init__(self, packet: ElementTree.Element) -> None:
        self.text = ElementTree.tostring(packet, encoding="unicode")
        self._fields = list(packet.iter("field"))

    def values(self, name: str) -> list[str]:
        return [field.get("show", "") for field in self._fields if field.get("name") == name]

    def numbers(self, name: str) -> list[int]:
        """As numbers, for fields that are shown in hexadecimal, in decimal or as yes and no."""
        words = {"True": 1, "False": 0}
        return [words[one] if one in words else int(one, 0) for one in self.values(name)]

    def addresses(self, name: str) -> list[IPv4Address]:
        return [IPv4Address(one) for one in self.values(name)]

    def raw(self, name: str) -> list[bytes]:
        return [
            bytes.fromhex(field.get("value", ""))
            for field in self._fields
            if field.get("name") == name
        ]

    def said(self, name: str) -> bool:
        """Whether a flag of this name is there and set."""
        return self.numbers(name) == [1]


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    """Every frame of ours as tshark reads it; one start of tshark for all of them."""
    try:
        files = find_lab_files()
    except PrerequisiteError:
        files = None
    tshark = find_program("tshark", files)
    if tshark is None:
        pytest.skip("needs tshark")
    capture = tmp_path_factory.mktemp("tshark") / "mobileip.pcap"
    write_capture(capture, FRAMES)
    done = subprocess.run(
        [tshark, "-r", capture, "-V", "-T", "pdml", "-o", "ip.check_checksum:TRUE"],
        env={**os.environ, **(lab_environment(files) if files else {})},
        capture_output=True,
        check=True,
    )
    return [Frame(packet) for packet in ElementTree.fromstring(done.stdout).iter("packet")]


def test_tshark_finds_nothing_malformed(decoded: list[Frame]) -> None:
    assert len(decoded) == len(FRAMES)
    for frame in decoded:
        assert "alformed" not in frame.text
        assert "_ws.expert" not in frame.text
        assert ("mip.type" in frame.text) or ("icmp.type" in frame.text)


def test_tshark_reads_our_request(decoded: list[Frame]) -> None:
    frame = decoded[0]
    assert frame.numbers("mip.type") == [1]
    bits = {name: frame.numbers(f"mip.{name}") for name in "sbdmgvtx"}
    assert bits == {name: [1] if name in "sdt" else [0] for name in "sbdmgvtx"}
    assert frame.numbers("mip.life") == [REQUEST.lifetime_s]
    assert frame.addresses("mip.homeaddr") == [REQUEST.home_address]
    assert frame.addresses("mip.haaddr") == [REQUEST.home_agent]
    assert frame.addresses("mip.coa") == [REQUEST.care_of_address]
    assert frame.raw("mip.ident") == [REQUEST.identification.to_bytes(8, "big")]
    assert frame.numbers("mip.ext.type") == [130, 131, 132, 200, 32]
    assert frame.values("mip.nai") == ["node@example.net"]
    assert frame.numbers("mip.auth.spi") == [MOBILE_HOME.spi]
    assert frame.raw("mip.auth.auth") == [SIGNED[0][0][-32:]]


def test_tshark_reads_our_time(decoded: list[Frame]) -> None:
    unix_s = ntp.from_ntp(IDENTIFICATION, near_unix_s=1_700_000_000)
    shown = datetime.fromtimestamp(int(unix_s), UTC).strftime("%b %d, %Y %H:%M:%S")
    assert decoded[0].values("mip.ident")[0].startswith(shown)


def test_tshark_reads_our_reply(decoded: list[Frame]) -> None:
    frame = decoded[1]
    assert frame.numbers("mip.type") == [3]
    assert frame.numbers("mip.code") == [REPLY.code]
    assert frame.numbers("mip.life") == [REPLY.lifetime_s]
    assert frame.addresses("mip.homeaddr") == [REPLY.home_address]
    assert frame.addresses("mip.haaddr") == [REPLY.home_agent]
    assert frame.raw("mip.ident") == [REPLY.identification.to_bytes(8, "big")]
    assert frame.numbers("mip.ext.type") == [137, 32]
    assert frame.numbers("mip.ext.rev.i") == [1]


def test_tshark_reads_every_authenticator(decoded: list[Frame]) -> None:
    for frame, (_, kind) in zip(decoded, SIGNED, strict=False):
        assert frame.numbers("mip.ext.type")[-1] == kind
    assert decoded[2].numbers("mip.ext.type")[-2:] == [32, 33]
    assert decoded[3].numbers("mip.auth.spi") == [MOBILE_HOME.spi, FOREIGN_HOME.spi]
    assert decoded[3].raw("mip.auth.auth")[1] == SIGNED[3][0][-16:]


def test_tshark_reads_our_revocation_and_its_acknowledgement(decoded: list[Frame]) -> None:
    revocation, ack = decoded[4], decoded[5]
    assert (revocation.numbers("mip.type"), ack.numbers("mip.type")) == ([7], [15])
    assert (revocation.numbers("mip.rev.a"), revocation.numbers("mip.rev.i")) == ([1], [1])
    assert revocation.addresses("mip.homeaddr") == [REVOCATION.home_address]
    assert revocation.addresses("mip.rev.hda") == [REVOCATION.home_domain_address]
    assert revocation.addresses("mip.rev.fda") == [REVOCATION.foreign_domain_address]
    assert revocation.numbers("mip.revid") == [REVOCATION.revocation_identifier]
    assert ack.numbers("mip.ack.i") == [1]
    assert ack.addresses("mip.homeaddr") == [ACK.home_address]
    assert ack.numbers("mip.revid") == [ACK.revocation_identifier]


def test_tshark_reads_our_advertisement(decoded: list[Frame]) -> None:
    frame = decoded[len(SIGNED)]
    assert frame.numbers("icmp.type") == [9]
    assert frame.numbers("icmp.checksum.status") == [1]
    assert frame.numbers("icmp.code") == [ADVERTISEMENT.code]
    assert frame.numbers("icmp.lifetime") == [ADVERTISEMENT.lifetime_s]
    routers = [router.address for router in ADVERTISEMENT.routers]
    assert frame.addresses("icmp.router_address") == routers
    assert frame.numbers("icmp.pref_level") == [one.preference for one in ADVERTISEMENT.routers]
    assert frame.numbers("icmp.mip.type") == [16, 19, 24, 0]
    assert frame.numbers("icmp.mip.seq") == [ADVERTISEMENT.sequence]
    assert frame.numbers("icmp.mip.life") == [ADVERTISEMENT.registration_lifetime_s]
    assert frame.numbers("icmp.mip.flags") == [ADVERTISEMENT.flags]
    flags = ("r", "b", "h", "f", "m", "g", "v", "rt", "u", "x")
    assert [name for name in flags if frame.said(f"icmp.mip.{name}")] == ["r", "f", "g", "rt", "x"]
    assert tuple(frame.addresses("icmp.mip.coa")) == ADVERTISEMENT.care_of_addresses
    lengths = [router.prefix_length for router in ADVERTISEMENT.routers]
    assert frame.numbers("icmp.mip.prefixlength") == lengths
    assert frame.raw("icmp.mip.challenge") == [ADVERTISEMENT.challenge]


def test_tshark_reads_our_solicitation(decoded: list[Frame]) -> None:
    frame = decoded[len(SIGNED) + 1]
    assert frame.numbers("icmp.type") == [10]
    assert frame.numbers("icmp.checksum.status") == [1]


def test_tshark_knows_every_flag_and_code(decoded: list[Frame]) -> None:
    flags = decoded[len(SIGNED) + 2 :][: len(EVERY_FLAG)]
    letters = [[name for name in "sbdmgvtx" if one.numbers(f"mip.{name}") == [1]] for one in flags]
    assert letters == [[name] for name in "sbdmgvtx"]
    codes = decoded[len(SIGNED) + 2 + len(EVERY_FLAG) :]
    assert [one.numbers("mip.code") for one in codes] == [[code] for code in Code]


@given(requests)
def test_scapy_reads_the_same_request(request_: RegistrationRequest) -> None:
    head = MobileIP(request_.to_bytes())[MobileIPRRQ]
    assert head.flags == request_.flags
    assert head.lifetime == request_.lifetime_s
    assert IPv4Address(head.homeaddr) == request_.home_address
    assert IPv4Address(head.haaddr) == request_.home_agent
    assert IPv4Address(head.coaddr) == request_.care_of_address
    assert head.id == request_.identification


@given(replies)
def test_scapy_reads_the_same_reply(reply: RegistrationReply) -> None:
    head = MobileIP(reply.to_bytes())[MobileIPRRP]
    assert head.code == reply.code
    assert head.lifetime == reply.lifetime_s
    assert IPv4Address(head.homeaddr) == reply.home_address
    assert IPv4Address(head.haaddr) == reply.home_agent
    assert head.id == reply.identification


def test_we_read_what_scapy_builds() -> None:
    built = MobileIP() / MobileIPRRQ(
        flags=0x82, lifetime=9, homeaddr="1.2.3.4", haaddr="2.3.4.5", coaddr="3.4.5.6", id=7
    )
    assert RegistrationRequest.from_bytes(bytes(built)) == RegistrationRequest(
        Flags.S | Flags.T,
        9,
        IPv4Address("1.2.3.4"),
        IPv4Address("2.3.4.5"),
        IPv4Address("3.4.5.6"),
        7,
    )
