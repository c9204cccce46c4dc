from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.errors import ConfigurationError
from netcont.mobileip.authentication import (
    Algorithm,
    AuthenticationError,
    Failure,
    SecurityAssociation,
    covered,
    sign,
    verify,
)
from netcont.mobileip.errors import Blame, MessageError
from netcont.mobileip.extensions import (
    MAX_EXTENSIONS,
    Authentication,
    AuthenticationKind,
    Nai,
    RevocationSupport,
)
from netcont.mobileip.messages import Message, parse

from .wire import (
    ASSOCIATIONS,
    FOREIGN_HOME,
    MOBILE_FOREIGN,
    MOBILE_HOME,
    REPLY,
    REQUEST,
    SIGNED,
    messages,
)

KIND = AuthenticationKind.MOBILE_HOME
REQUEST_SIGNED = SIGNED[0][0]


def failure(data: bytes, kind: AuthenticationKind = KIND, *, sealed: bool = False) -> Failure:
    with pytest.raises(AuthenticationError) as caught:
        verify(data, kind, ASSOCIATIONS, sealed=sealed)
    assert caught.value.kind is kind
    return caught.value.failure


@pytest.mark.parametrize(("data", "kind"), SIGNED)
def test_what_is_signed_verifies_and_parses(data: bytes, kind: AuthenticationKind) -> None:
    association = verify(data, kind, ASSOCIATIONS, sealed=True)
    last = parse(data).extensions[-1]
    assert isinstance(last, Authentication)
    assert (last.kind, last.spi) == (kind, association.spi)


@given(messages, st.sampled_from(AuthenticationKind), st.sampled_from(sorted(ASSOCIATIONS)))
def test_any_message_is_signed_once_and_verified(
    message: Message, kind: AuthenticationKind, spi: int
) -> None:
    association = ASSOCIATIONS[spi]
    if any(isinstance(one, Authentication) and one.kind is kind for one in message.extensions):
        with pytest.raises(MessageError) as caught:
            sign(message, kind, association)
        assert caught.value.blame is Blame.LOCAL
    else:
        data = sign(message, kind, association)
        assert sign(message.to_bytes(), kind, association) == data
        assert verify(data, kind, ASSOCIATIONS, sealed=True) is association


@pytest.mark.parametrize(("data", "kind"), SIGNED)
def test_no_bit_can_be_flipped(data: bytes, kind: AuthenticationKind) -> None:
    for position in range(len(data) * 8):
        spoilt = bytearray(data)
        spoilt[position // 8] ^= 1 << position % 8
        with pytest.raises(AuthenticationError):
            verify(bytes(spoilt), kind, ASSOCIATIONS, sealed=True)


@pytest.mark.parametrize(("data", "kind"), SIGNED)
def test_no_byte_can_be_cut_off(data: bytes, kind: AuthenticationKind) -> None:
    for length in range(len(data)):
        with pytest.raises(AuthenticationError):
            verify(data[:length], kind, ASSOCIATIONS)


def test_each_failure_has_its_name() -> None:
    assert failure(REQUEST.to_bytes()) is Failure.MISSING
    assert failure(b"") is Failure.MISSING
    assert failure(b"\x63" + bytes(60)) is Failure.MISSING
    assert failure(REQUEST_SIGNED + REQUEST_SIGNED[-38:]) is Failure.DUPLICATE
    assert failure(REQUEST_SIGNED[:-1] + bytes((REQUEST_SIGNED[-1] ^ 1,))) is Failure.WRONG
    assert failure(REQUEST_SIGNED + Nai(b"a").to_bytes(), sealed=True) is Failure.UNCOVERED
    stranger = replace(MOBILE_HOME, spi=999)
    assert failure(sign(REQUEST, KIND, stranger)) is Failure.UNKNOWN_SPI


def test_an_authenticator_behind_a_flood_of_extensions_is_not_looked_for() -> None:
    flood = REQUEST.to_bytes() + b"\xc8\x00" * MAX_EXTENSIONS
    assert failure(sign(flood, KIND, MOBILE_HOME)) is Failure.MISSING


def test_a_key_holds_for_its_own_spi_kind_and_algorithm_only() -> None:
    assert failure(sign(REQUEST, KIND, replace(MOBILE_HOME, key=FOREIGN_HOME.key))) is Failure.WRONG
    assert failure(sign(REQUEST, KIND, replace(MOBILE_HOME, spi=257))) is Failure.WRONG
    weaker = replace(MOBILE_HOME, algorithm=Algorithm.HMAC_MD5)
    assert failure(sign(REQUEST, KIND, weaker)) is Failure.WRONG
    retyped = bytearray(REQUEST_SIGNED)
    retyped[-38] = AuthenticationKind.FOREIGN_HOME
    assert failure(bytes(retyped), AuthenticationKind.FOREIGN_HOME) is Failure.WRONG


def test_a_shortened_authenticator_is_wrong() -> None:
    data = bytearray(REQUEST_SIGNED[:-16])
    data[-21] -= 16
    assert parse(bytes(data)).extensions[:-1] == REQUEST.extensions
    assert failure(bytes(data)) is Failure.WRONG


def test_an_agent_on_the_way_may_append_and_only_the_front_is_covered() -> None:
    data = REQUEST_SIGNED + RevocationSupport(1).to_bytes()
    assert verify(data, KIND, ASSOCIATIONS) is MOBILE_HOME
    assert covered(parse(data).extensions, KIND) == REQUEST.extensions
    assert covered(REQUEST.extensions, KIND) == ()


def test_a_foreign_agents_authenticator_covers_the_nodes() -> None:
    kind = AuthenticationKind.FOREIGN_HOME
    data = sign(REQUEST_SIGNED + RevocationSupport(1).to_bytes(), kind, FOREIGN_HOME)
    assert verify(data, KIND, ASSOCIATIONS) is MOBILE_HOME
    assert verify(data, kind, ASSOCIATIONS, sealed=True) is FOREIGN_HOME
    assert covered(parse(data).extensions, kind)[-1] == RevocationSupport(1)


@pytest.mark.parametrize("spi", [-1, 0, 1, 255, 2**32])
def test_reserved_spis_are_refused(spi: int) -> None:
    with pytest.raises(ConfigurationError, match=f"SPI {spi} is reserved"):
        SecurityAssociation(spi, Algorithm.HMAC_SHA256, bytes(32))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the key of SPI 256 has 15 bytes"):
        SecurityAssociation(256, Algorithm.HMAC_SHA256, bytes(15))


def test_keyed_md5_is_refused_unless_allowed() -> None:
    with pytest.raises(ConfigurationError, match="keyed MD5 is broken"):
        SecurityAssociation(256, Algorithm.KEYED_MD5, bytes(16))
    assert SecurityAssociation(256, Algorithm.KEYED_MD5, bytes(16), allow_weak=True)


def test_keys_are_not_printed() -> None:
    assert "mobile" not in repr(MOBILE_HOME)
    assert "key" not in repr(MOBILE_HOME)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
@pytest.mark.parametrize("message", [REQUEST, REPLY])
@pytest.mark.parametrize("association", [MOBILE_HOME, FOREIGN_HOME, MOBILE_FOREIGN])
def test_openssl_computes_the_same_authenticator(
    message: Message, association: SecurityAssociation
) -> None:
    data = sign(message, KIND, association)
    length = association.algorithm.authenticator_bytes
    assert data[-length:] == by_openssl(association, data[:-length])


def by_openssl(association: SecurityAssociation, data: bytes) -> bytes:
    if association.algorithm is Algorithm.KEYED_MD5:
        data = association.key + data + association.key
        options = ["-md5"]
    else:
        name = association.algorithm.value.removeprefix("hmac-")
        key = association.key.hex()
        options = [f"-{name}", "-mac", "HMAC", "-macopt", f"hexkey:{key}"]
    command = ["openssl", "dgst", *options, "-binary"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout
