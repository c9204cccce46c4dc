from __future__ import annotations

import pytest

from netcont.mobileip.codes import Code, describe, is_by_foreign, is_by_home


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_words_and_one_speaker(code: Code) -> None:
    assert "unknown" not in describe(code) or "UNKNOWN" in code.name
    assert [code.accepted, code.by_foreign, code.by_home].count(True) == 1
    assert code.by_foreign == code.name.startswith("FA_")
    assert code.by_home == code.name.startswith("HA_")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "registration accepted"),
        (66, "denied by the foreign agent: insufficient resources"),
        (133, "denied by the home agent: the identification does not match"),
        (120, "denied by the foreign agent: unknown code 120"),
        (190, "denied by the home agent: unknown code 190"),
        (40, "unknown code 40"),
        (255, "unknown code 255"),
    ],
)
def test_any_code_is_told_in_words(code: int, text: str) -> None:
    assert describe(code) == text
    if code in list(Code):
        assert Code(code).text == text


def test_a_code_that_we_do_not_know_still_says_who_denied() -> None:
    assert is_by_foreign(125)
    assert not is_by_home(125)
    assert is_by_home(150)
    assert not is_by_foreign(150)


def test_the_codes_of_the_standards_have_their_numbers() -> None:
    # RFC 5944 section 3.4, RFC 3024 section 3.4
    assert (Code.FA_POORLY_FORMED_REQUEST, Code.HA_POORLY_FORMED_REQUEST) == (70, 134)
    assert (Code.FA_ENCAPSULATION_UNAVAILABLE, Code.HA_ENCAPSULATION_UNAVAILABLE) == (72, 139)
    assert (Code.FA_REVERSE_TUNNEL_UNAVAILABLE, Code.HA_REVERSE_TUNNEL_UNAVAILABLE) == (74, 137)
    assert (Code.FA_REVERSE_TUNNEL_MANDATORY, Code.HA_REVERSE_TUNNEL_MANDATORY) == (75, 138)
    assert Code.HA_MOBILE_NODE_FAILED_AUTHENTICATION == 131
    assert Code.HA_IDENTIFICATION_MISMATCH == 133
