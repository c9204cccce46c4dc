from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip.ntp import difference_s, from_ntp, is_newer, to_ntp

ERA_1_S = datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC).timestamp()
"""When the seconds since 1900 wrap (RFC 5905 figure 4)."""

HALF_ERA_S = 2**31


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        # RFC 5905 figure 4
        (datetime(1970, 1, 1, tzinfo=UTC), 2_208_988_800),
        (datetime(1999, 12, 31, tzinfo=UTC), 3_155_587_200),
        (datetime(2036, 2, 7, 6, 28, 15, tzinfo=UTC), 2**32 - 1),
        (datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC), 0),
        (datetime(2036, 2, 8, tzinfo=UTC), 63_104),
    ],
)
def test_dates_have_the_timestamps_of_the_standard(date: datetime, seconds: int) -> None:
    assert to_ntp(date.timestamp()) == seconds << 32


def test_fractions_are_binary() -> None:
    assert to_ntp(0.5) - to_ntp(0.0) == 1 << 31
    assert to_ntp(-0.25) == to_ntp(0.0) - (1 << 30)


@given(st.floats(0, 2**34), st.floats(-HALF_ERA_S + 1, HALF_ERA_S - 1, exclude_min=True))
def test_a_timestamp_comes_back_in_the_era_nearest_to_now(now_s: float, away_s: float) -> None:
    then_s = now_s + away_s
    assert from_ntp(to_ntp(then_s), near_unix_s=now_s) == pytest.approx(then_s, abs=1e-5, rel=0)


@given(st.floats(0, 2**34), st.floats(0.001, HALF_ERA_S - 1))
def test_later_is_newer_in_every_era(start_s: float, step_s: float) -> None:
    earlier, later = to_ntp(start_s), to_ntp(start_s + step_s)
    assert is_newer(later, earlier)
    assert not is_newer(earlier, later)


def test_increasing_survives_2036() -> None:
    before, after = to_ntp(ERA_1_S - 1), to_ntp(ERA_1_S + 1)
    assert after < before
    assert is_newer(after, before)
    assert not is_newer(before, after)
    assert difference_s(after, before) == 2
    assert from_ntp(after, near_unix_s=ERA_1_S - 1) == ERA_1_S + 1
    assert from_ntp(before, near_unix_s=ERA_1_S + 1) == ERA_1_S - 1


def test_nothing_is_newer_than_itself() -> None:
    assert not is_newer(to_ntp(1e9), to_ntp(1e9))
