from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip.codes import Code
from netcont.mobileip.errors import Blame, MessageError
from netcont.mobileip.extensions import (
    MAX_EXTENSIONS,
    Authentication,
    AuthenticationKind,
    Challenge,
    EncapsulatingDelivery,
    Extension,
    Nai,
    RevocationSupport,
    Unknown,
    parse_extensions,
)

from .wire import extensions

KNOWN_BELOW_128 = {32, 33, 34}


@given(st.lists(extensions, max_size=5).map(tuple))
def test_extensions_come_back_as_they_were_built(several: tuple[Extension, ...]) -> None:
    data = b"".join(one.to_bytes() for one in several)
    assert parse_extensions(data) == several
    assert parse_extensions(b"head" + data, 4) == several


@pytest.mark.parametrize(
    ("extension", "wire"),
    [
        (Authentication(AuthenticationKind.MOBILE_HOME, 256, b"auth"), "2008 00000100 61757468"),
        (Authentication(AuthenticationKind.MOBILE_FOREIGN, 2**32 - 1, b"a"), "2105 ffffffff 61"),
        (Authentication(AuthenticationKind.FOREIGN_HOME, 0, b"a"), "2205 00000000 61"),
        (EncapsulatingDelivery(), "8200"),
        (Nai(b"a@b"), "8303 614062"),
        (Challenge(b"\x00\xff"), "8402 00ff"),
        (RevocationSupport(1, inform=True), "8906 8000 00000001"),
        (RevocationSupport(0x1020304), "8906 0000 01020304"),
        (Unknown(255, b""), "ff00"),
    ],
)
def test_the_bytes_are_those_of_the_standards(extension: Extension, wire: str) -> None:
    assert extension.to_bytes() == bytes.fromhex(wire)


@pytest.mark.parametrize("kind", sorted(set(range(128)) - KNOWN_BELOW_128))
def test_a_message_with_an_unknown_type_below_128_is_dropped_silently(kind: int) -> None:
    for data in (bytes((kind, 0)), bytes((kind, 200)), bytes((kind,))):
        with pytest.raises(MessageError, match=f"extension {kind} is unknown") as caught:
            parse_extensions(data, code=Code.HA_POORLY_FORMED_REQUEST)
        assert caught.value.code is None
        assert caught.value.blame is Blame.REMOTE


def test_an_unknown_type_from_128_on_is_skipped_and_kept() -> None:
    data = bytes.fromhex("c8 02 0102") + Nai(b"n").to_bytes()
    assert parse_extensions(data) == (Unknown(200, b"\x01\x02"), Nai(b"n"))


@pytest.mark.parametrize(
    ("wire", "complaint"),
    [
        ("20", "ends after its type"),
        ("c8", "ends after its type"),
        ("2008 00000100 617574", "longer than the rest"),
        ("c8 05 01", "longer than the rest"),
        ("2004 00000100", "no authenticator"),
        ("2000", "no authenticator"),
        ("8201 00", "1 bytes of data, not none"),
        ("8300", "identifier is empty"),
        ("8400", "challenge is empty"),
        ("8905 8000 000000", "5 bytes of data, not 6"),
        ("8907 8000 00000000 00", "7 bytes of data, not 6"),
        ("8200 00", "extension 0 is unknown"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(wire: str, complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint) as caught:
        parse_extensions(bytes.fromhex(wire), code=Code.HA_POORLY_FORMED_REQUEST)
    assert caught.value.poorly_formed == ("unknown" not in complaint)


def test_a_flood_of_extensions_is_cut_off() -> None:
    allowed = Unknown(200, b"").to_bytes() * MAX_EXTENSIONS
    assert len(parse_extensions(allowed)) == MAX_EXTENSIONS
    with pytest.raises(MessageError, match="over 64 extensions"):
        parse_extensions(allowed + Unknown(200, b"").to_bytes())


@given(st.binary(max_size=600))
def test_arbitrary_bytes_raise_nothing_but_message_errors(data: bytes) -> None:
    try:
        found = parse_extensions(data)
    except MessageError as error:
        assert error.blame is Blame.REMOTE
    else:
        assert len(b"".join(one.to_bytes() for one in found)) == len(data)


@pytest.mark.parametrize(
    "extension",
    [
        Authentication(AuthenticationKind.MOBILE_HOME, 2**32, b"a"),
        Authentication(AuthenticationKind.MOBILE_HOME, -1, b"a"),
        Authentication(AuthenticationKind.MOBILE_HOME, 256, bytes(252)),
        Nai(bytes(256)),
        Challenge(bytes(256)),
        RevocationSupport(2**32),
        RevocationSupport(-1),
        Unknown(256, b""),
        Unknown(-1, b""),
        Unknown(128, bytes(256)),
    ],
)
def test_what_does_not_fit_is_our_own_fault(extension: Extension) -> None:
    with pytest.raises(MessageError) as caught:
        extension.to_bytes()
    assert caught.value.blame is Blame.LOCAL
