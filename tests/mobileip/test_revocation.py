from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from netcont.mobileip.errors import Blame, MessageError
from netcont.mobileip.revocation import Revocation, RevocationAck

from .wire import ACK, REVOCATION, acks, revocations


@given(revocations)
def test_a_revocation_comes_back_as_it_was_built(revocation: Revocation) -> None:
    assert Revocation.from_bytes(revocation.to_bytes()) == revocation


@given(acks)
def test_an_acknowledgement_comes_back_as_it_was_built(ack: RevocationAck) -> None:
    assert RevocationAck.from_bytes(ack.to_bytes()) == ack


def test_the_bytes_are_those_of_the_standard() -> None:
    # RFC 3543 sections 3.3 and 3.4
    revocation = "07 00 c000 0a010007 0a010001 c0000209 e8d54321"
    assert REVOCATION.to_bytes() == bytes.fromhex(revocation)
    assert ACK.to_bytes() == bytes.fromhex("0f 00 8000 0a010007 e8d54321")


def test_reserved_bits_are_ignored() -> None:
    data = bytearray(REVOCATION.to_bytes())
    data[1] = 0xFF
    data[2:4] = b"\xff\xff"
    assert Revocation.from_bytes(bytes(data)) == REVOCATION


@pytest.mark.parametrize("message", [REVOCATION, ACK])
def test_a_message_cut_short_or_of_another_type_is_dropped(
    message: Revocation | RevocationAck,
) -> None:
    data = message.to_bytes()
    for bad in (*(data[:length] for length in range(len(data))), b"\x01" + data[1:]):
        with pytest.raises(MessageError) as caught:
            type(message).from_bytes(bad)
        assert caught.value.code is None


@pytest.mark.parametrize("message", [REVOCATION, ACK])
@pytest.mark.parametrize("identifier", [-1, 2**32])
def test_an_identifier_over_32_bits_is_our_own_fault(
    message: Revocation | RevocationAck, identifier: int
) -> None:
    with pytest.raises(MessageError) as caught:
        dataclasses.replace(message, revocation_identifier=identifier).to_bytes()
    assert caught.value.blame is Blame.LOCAL
