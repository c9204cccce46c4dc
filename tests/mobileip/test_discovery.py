from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip.discovery import (
    COMMON_TRAFFIC,
    AgentAdvertisement,
    AgentFlags,
    AgentSolicitation,
    Router,
    checksum,
    parse,
)
from netcont.mobileip.errors import Blame, MessageError
from netcont.mobileip.extensions import Unknown

from .mutation import mutated
from .wire import CARE_OF_ADDRESS, SOLICITATION, advertisements

BARE = AgentAdvertisement(1, AgentFlags.F, 600, (CARE_OF_ADDRESS,), lifetime_s=30)


def sealed(data: bytes) -> bytes:
    """The message with a right checksum."""
    blank = data[:2] + bytes(2) + data[4:]
    return data[:2] + checksum(blank).to_bytes(2, "big") + data[4:]


@given(advertisements)
def test_every_advertisement_comes_back_as_it_was_built(advertisement: AgentAdvertisement) -> None:
    data = advertisement.to_bytes()
    assert parse(data) == advertisement
    assert len(data) % 2 == 0
    assert checksum(data) == 0


def test_an_advertisement_has_the_bytes_of_the_standards() -> None:
    # RFC 1256 section 4.1, RFC 5944 section 2.1.1
    head, mobility = "09 10 0000 00 02 001e", "10 0a 0001 0258 1000 c0000209"
    assert BARE.to_bytes() == sealed(bytes.fromhex(head + mobility))


@pytest.mark.parametrize(
    ("letter", "bit"), [(letter, 0x8000 >> place) for place, letter in enumerate("RBHFMGrTUXI")]
)
def test_every_flag_is_the_bit_of_the_standards(letter: str, bit: int) -> None:
    data = replace(BARE, flags=AgentFlags[letter]).to_bytes()
    assert data[14:16] == bit.to_bytes(2, "big")


def test_a_solicitation_has_the_bytes_of_the_standard() -> None:
    assert SOLICITATION.to_bytes() == bytes.fromhex("0a00 f5ff 00000000")
    assert parse(SOLICITATION.to_bytes()) == AgentSolicitation()


def test_what_follows_a_solicitation_is_ignored() -> None:
    assert AgentSolicitation.from_bytes(sealed(SOLICITATION.to_bytes() + b"more"))


def test_longer_router_entries_of_later_versions_are_understood() -> None:
    # RFC 1256 section 5.2: at least two words an entry; what else is in one is skipped.
    head = bytes.fromhex("09 00 0000 01 03 001e") + bytes.fromhex("c0000201 00000007 deadbeef")
    found = AgentAdvertisement.from_bytes(sealed(head + BARE.to_bytes()[8:]))
    assert found.routers == (Router(IPv4Address("192.0.2.1"), 7),)
    assert found.code == COMMON_TRAFFIC


def test_padding_is_one_byte_anywhere() -> None:
    data = BARE.to_bytes()
    assert parse(sealed(data + b"\0")) == BARE
    assert parse(sealed(data[:8] + b"\0" + data[8:])) == BARE


def test_unknown_extensions_are_skipped_from_128_on_and_fatal_below() -> None:
    data = BARE.to_bytes()
    found = parse(sealed(data + b"\xc8\x01?"))
    assert found == replace(BARE, others=(Unknown(200, b"?"),))
    with pytest.raises(MessageError, match="extension 25 is unknown"):
        parse(sealed(data + b"\x19\x00"))


def test_reserved_bits_are_ignored() -> None:
    data = bytearray(BARE.to_bytes())
    data[15] |= 0x1F
    assert parse(sealed(bytes(data))) == BARE


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "no Agent Advertisement"),
        (b"\x08" + bytes(20), "no Agent Advertisement"),
        (bytes.fromhex("0900 f6e1 0002 001e"), "checksum is wrong"),
        (sealed(bytes.fromhex("0900 0000 0002 001e")), "without the mobility agent"),
        (sealed(bytes.fromhex("0901 0000 0002 001e")), "code 1"),
        (sealed(bytes.fromhex("0900 0000 0102 001e")), "1 routers of 2 words do not fit"),
        (sealed(bytes.fromhex("0900 0000 0101 001e c0000201")), "1 routers of 1 words"),
        (sealed(bytes.fromhex("0900 0000 0000 001e")), "0 routers of 0 words"),
        (sealed(BARE.to_bytes() + b"\x18"), "extension 24 is longer"),
        (sealed(BARE.to_bytes() + b"\x18\x02a"), "extension 24 is longer"),
        (sealed(BARE.to_bytes() + b"\x18\x00"), "challenge is empty"),
        (sealed(BARE.to_bytes() + b"\xc8\x00" * 64), "over 64 extensions"),
        (sealed(BARE.to_bytes() + bytes(64)), "over 64 extensions"),
        (sealed(BARE.to_bytes() + b"\x13\x01\x18"), "1 prefix lengths for 0 routers"),
        (sealed(BARE.to_bytes() + BARE.to_bytes()[8:]), "extension 16 is there twice"),
        (sealed(BARE.to_bytes()[:-4] + b"\x18\x01a"), "extension 16 is longer"),
        (sealed(bytes.fromhex("0900 0000 0002 001e 1004 0001 0258")), "extension of 4 bytes"),
        (
            sealed(bytes.fromhex("0900 0000 0002 001e 1007 0001 0258 1000 c0")),
            "extension of 7 bytes",
        ),
        (
            sealed(
                bytes.fromhex("0900 0000 0102 001e c0000201 00000000 1006 0001 0258 1000 130121")
            ),
            "prefix length over 32",
        ),
    ],
)
def test_a_wrong_form_is_dropped_and_says_why(data: bytes, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint) as caught:
        parse(data)
    assert caught.value.blame is Blame.REMOTE
    assert caught.value.code is None


@pytest.mark.parametrize("data", ["", "0a00f5ff", "0a01f5fe00000000", "0a00f5fe00000000"])
def test_a_wrong_solicitation_is_dropped(data: str) -> None:
    with pytest.raises(MessageError):
        AgentSolicitation.from_bytes(bytes.fromhex(data))


@pytest.mark.parametrize(
    "advertisement",
    [
        replace(BARE, sequence=65536),
        replace(BARE, registration_lifetime_s=-1),
        replace(BARE, lifetime_s=65536),
        replace(BARE, code=256),
        replace(BARE, care_of_addresses=(CARE_OF_ADDRESS,) * 63),
        replace(BARE, routers=(Router(CARE_OF_ADDRESS),) * 256),
        replace(BARE, routers=(Router(CARE_OF_ADDRESS, 2**31),)),
        replace(BARE, routers=(Router(CARE_OF_ADDRESS, 0, 33),)),
        replace(BARE, routers=(Router(CARE_OF_ADDRESS, 0, 24), Router(CARE_OF_ADDRESS))),
        replace(BARE, challenge=bytes(256)),
    ],
)
def test_what_does_not_fit_is_our_own_fault(advertisement: AgentAdvertisement) -> None:
    with pytest.raises(MessageError) as caught:
        advertisement.to_bytes()
    assert caught.value.blame is Blame.LOCAL


@given(st.sampled_from((b"\x09", b"\x0a", b"")), st.binary(max_size=80))
def test_arbitrary_bytes_raise_nothing_but_message_errors(first: bytes, rest: bytes) -> None:
    for data in (first + rest, sealed(first + rest)):
        try:
            parse(data)
        except MessageError as error:
            assert error.blame is Blame.REMOTE


@given(advertisements, st.randoms(use_true_random=False))
def test_spoilt_advertisements_raise_nothing_but_message_errors(
    advertisement: AgentAdvertisement, chance: random.Random
) -> None:
    try:
        found = parse(sealed(mutated(advertisement.to_bytes(), chance)))
    except MessageError as error:
        assert error.blame is Blame.REMOTE
    else:
        assert parse(found.to_bytes()) == found


@given(st.binary(min_size=2, max_size=64))
def test_the_checksum_finds_every_single_flipped_bit(data: bytes) -> None:
    whole = data[:2] + checksum(data[:2] + bytes(2) + data[4:]).to_bytes(2, "big") + data[4:]
    assert checksum(whole) == 0
    for position in range(len(whole) * 8):
        spoilt = bytearray(whole)
        spoilt[position // 8] ^= 1 << position % 8
        assert checksum(bytes(spoilt)) != 0
