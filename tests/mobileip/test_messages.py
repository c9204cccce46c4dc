from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip.codes import Code
from netcont.mobileip.errors import Blame, MessageError
from netcont.mobileip.messages import (
    Flags,
    Message,
    RegistrationReply,
    RegistrationRequest,
    parse,
)

from .mutation import mutated
from .wire import (
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    REPLY,
    REQUEST,
    messages,
    requests,
)

BARE = RegistrationRequest(
    Flags(0), 300, HOME_ADDRESS, HOME_AGENT, CARE_OF_ADDRESS, 0x1122334455667788
)


@given(messages)
def test_every_message_comes_back_as_it_was_built(message: Message) -> None:
    assert parse(message.to_bytes()) == message


def test_a_request_has_the_bytes_of_the_standard() -> None:
    # RFC 5944 section 3.3
    wire = "01 00 012c 0a010007 0a010001 c0000209 1122334455667788"
    assert BARE.to_bytes() == bytes.fromhex(wire)


def test_a_reply_has_the_bytes_of_the_standard() -> None:
    # RFC 5944 section 3.4
    reply = RegistrationReply(133, 300, HOME_ADDRESS, HOME_AGENT, 0x1122334455667788)
    assert reply.to_bytes() == bytes.fromhex("03 85 012c 0a010007 0a010001 1122334455667788")


@pytest.mark.parametrize(
    ("letter", "bit"), [(letter, 0x80 >> place) for place, letter in enumerate("SBDMGrTx")]
)
def test_every_flag_is_the_bit_of_the_standard(letter: str, bit: int) -> None:
    flags = Flags[letter]
    assert dataclasses.replace(BARE, flags=flags).to_bytes()[1] == bit
    assert (
        RegistrationRequest.from_bytes(dataclasses.replace(BARE, flags=flags).to_bytes()).flags
        is flags
    )


def test_a_code_that_we_know_comes_back_as_a_code_and_others_as_numbers() -> None:
    known = dataclasses.replace(REPLY, code=133).to_bytes()
    assert RegistrationReply.from_bytes(known).code is Code.HA_IDENTIFICATION_MISMATCH
    unknown = dataclasses.replace(REPLY, code=199).to_bytes()
    assert RegistrationReply.from_bytes(unknown).code == 199


@pytest.mark.parametrize("message", [REQUEST, REPLY])
def test_a_message_cut_short_anywhere_is_refused_or_loses_whole_extensions(
    message: Message,
) -> None:
    data = message.to_bytes()
    whole = {len(dataclasses.replace(message, extensions=()).to_bytes())}
    for extension in message.extensions:
        whole.add(max(whole) + len(extension.to_bytes()))
    for length in range(len(data)):
        if length in whole:
            parse(data[:length])
        else:
            with pytest.raises(MessageError):
                parse(data[:length])


def test_a_poorly_formed_request_says_which_denial_each_agent_sends() -> None:
    with pytest.raises(MessageError) as caught:
        parse(BARE.to_bytes() + b"\x83\x09short")
    assert caught.value.code is Code.HA_POORLY_FORMED_REQUEST
    assert caught.value.foreign_code is Code.FA_POORLY_FORMED_REQUEST
    assert caught.value.poorly_formed


def test_a_denial_of_a_poorly_formed_request_is_made_from_its_head() -> None:
    data = BARE.to_bytes() + b"\x83\x09short"
    assert RegistrationRequest.head_from_bytes(data) == BARE
    with pytest.raises(MessageError):
        RegistrationRequest.head_from_bytes(data[:23])


def test_a_poorly_formed_reply_is_denied_by_the_foreign_agent_only() -> None:
    with pytest.raises(MessageError) as caught:
        parse(REPLY.to_bytes() + b"\x83")
    assert caught.value.code is Code.FA_POORLY_FORMED_REPLY
    assert caught.value.foreign_code is Code.FA_POORLY_FORMED_REPLY
    assert not caught.value.poorly_formed


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01", b"\x02" + bytes(40), b"\x04" + bytes(40)])
def test_no_message_at_all_is_dropped_silently(data: bytes) -> None:
    with pytest.raises(MessageError) as caught:
        parse(data)
    assert caught.value.code is None
    assert caught.value.blame is Blame.REMOTE


@pytest.mark.parametrize("kind", [RegistrationRequest, RegistrationReply])
def test_bytes_of_another_type_are_refused(
    kind: type[RegistrationRequest] | type[RegistrationReply],
) -> None:
    with pytest.raises(MessageError):
        kind.from_bytes(b"\x07" + bytes(60))


@pytest.mark.parametrize(
    "change",
    [{"lifetime_s": 65536}, {"lifetime_s": -1}, {"identification": 2**64}, {"identification": -1}],
)
@pytest.mark.parametrize("message", [REQUEST, REPLY])
def test_what_does_not_fit_is_our_own_fault(message: Message, change: dict[str, int]) -> None:
    with pytest.raises(MessageError) as caught:
        dataclasses.replace(message, **change).to_bytes()
    assert caught.value.blame is Blame.LOCAL


def test_a_code_over_a_byte_does_not_fit() -> None:
    with pytest.raises(MessageError):
        dataclasses.replace(REPLY, code=256).to_bytes()


@given(st.integers(0, 16), st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_message_errors(first: int, rest: bytes) -> None:
    for data in (rest, bytes((first,)) + rest):
        try:
            parse(data)
        except MessageError as error:
            assert error.blame is Blame.REMOTE


@given(requests, st.randoms(use_true_random=False))
def test_spoilt_messages_raise_nothing_but_message_errors(
    sent: RegistrationRequest, chance: random.Random
) -> None:
    try:
        parse(mutated(sent.to_bytes(), chance))
    except MessageError as error:
        assert error.blame is Blame.REMOTE
