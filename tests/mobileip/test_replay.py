from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip import ntp
from netcont.mobileip.replay import Check, answers, check, check_nonce, high, join, low

NOW_S = 1_800_000_000.0
ERA_1_S = 2_085_978_496.0

bits32 = st.integers(0, 2**32 - 1)
bits64 = st.integers(0, 2**64 - 1)


def test_the_first_request_is_fresh_if_the_clocks_agree() -> None:
    now = ntp.to_ntp(NOW_S)
    assert check(now, None, NOW_S) == Check(True, now)


@pytest.mark.parametrize("away_s", [-7.0, -6.9, 0.0, 6.9, 7.0])
def test_clocks_may_be_seven_seconds_apart(away_s: float) -> None:
    assert check(ntp.to_ntp(NOW_S + away_s), None, NOW_S).ok


@pytest.mark.parametrize("away_s", [-1e8, -7.1, 7.1, 1e8])
def test_a_skewed_clock_is_told_the_agents_time(away_s: float) -> None:
    sent = ntp.to_ntp(NOW_S + away_s) | 0xABC
    verdict = check(sent, None, NOW_S)
    assert not verdict.ok
    assert high(verdict.reply_identification) == high(ntp.to_ntp(NOW_S))
    assert low(verdict.reply_identification) == low(sent)
    assert answers(verdict.reply_identification, sent)


def test_the_tolerance_is_the_callers() -> None:
    assert check(ntp.to_ntp(NOW_S - 60), None, NOW_S, tolerance_s=60).ok
    assert not check(ntp.to_ntp(NOW_S - 2), None, NOW_S, tolerance_s=1).ok


@given(bits64, st.floats(0, 2**33))
def test_a_request_is_never_fresh_twice(identification: int, now_s: float) -> None:
    assert not check(identification, identification, now_s).ok


@given(bits64, bits64, st.floats(0, 2**33))
def test_every_accepted_identification_is_newer_than_the_last(
    identification: int, last: int, now_s: float
) -> None:
    if check(identification, last, now_s).ok:
        assert ntp.is_newer(identification, last)


def test_a_request_that_was_overtaken_is_a_replay() -> None:
    last = ntp.to_ntp(NOW_S)
    assert not check(ntp.to_ntp(NOW_S - 1), last, NOW_S).ok
    assert check(last + 1, last, NOW_S).ok


def test_requests_are_fresh_across_2036() -> None:
    last = None
    for step in range(-3, 4):
        sent = ntp.to_ntp(ERA_1_S + step)
        assert check(sent, last, ERA_1_S + step + 0.5) == Check(True, sent)
        last = sent
    assert not check(ntp.to_ntp(ERA_1_S - 1), last, ERA_1_S + 3).ok


@given(bits32, bits32, bits32)
def test_the_right_nonce_is_fresh_and_the_reply_brings_the_next(
    given_last: int, own: int, fresh: int
) -> None:
    verdict = check_nonce(join(given_last, own), given_last, fresh)
    assert verdict == Check(True, join(fresh, own))


@given(bits64, st.none() | bits32, bits32)
def test_a_wrong_nonce_is_refused_with_one_to_go_on_with(
    identification: int, expected: int | None, fresh: int
) -> None:
    if expected == high(identification):
        return
    verdict = check_nonce(identification, expected, fresh)
    assert not verdict.ok
    assert answers(verdict.reply_identification, identification)
    resent = join(high(verdict.reply_identification), low(identification))
    assert check_nonce(resent, fresh, 0).ok


def test_halves_are_cut_to_32_bits() -> None:
    assert join(-1, 1 << 40 | 5) == 0xFFFF_FFFF_0000_0005
