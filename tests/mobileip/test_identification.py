"""Identifications only grow, tell requests apart, and come into step with the home agent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip import ntp, replay
from netcont.mobileip.identification import Identifications
from netcont.mobileip.replay import Replay

from .machines import NOW


@given(st.lists(st.sampled_from((0.0, 0.0, 1.0, 2.0, -3.0, 0.125)), max_size=40))
def test_they_grow_whatever_the_clock_does(steps: list[float]) -> None:
    one, now, last = Identifications(Replay.TIMESTAMP), NOW, None
    for step in steps:
        now += step
        number = one.next(now)
        assert last is None or ntp.is_newer(number, last)
        last = number


def test_requests_a_whole_second_apart_differ_in_their_low_halves() -> None:
    one = Identifications(Replay.TIMESTAMP)
    assert len({replay.low(one.next(NOW + second)) for second in range(100)}) == 100


def test_they_follow_a_clock_that_is_behind() -> None:
    one = Identifications(Replay.TIMESTAMP)
    refused = one.next(NOW + 1000)
    there = replay.join(replay.high(ntp.to_ntp(NOW)), replay.low(refused))
    one.resynchronise(there, NOW + 1000)
    again = one.next(NOW + 1000)
    assert abs(ntp.difference_s(again, ntp.to_ntp(NOW))) <= 1
    assert one.lead_s == 0


def test_who_is_in_step_and_refused_runs_ahead_but_never_out_of_reach() -> None:
    one = Identifications(Replay.TIMESTAMP)
    leads = []
    for _ in range(5):
        refused = one.next(NOW)
        one.resynchronise(replay.join(replay.high(ntp.to_ntp(NOW)), replay.low(refused)), NOW)
        leads.append(one.lead_s)
        assert replay.check(one.next(NOW), None, NOW).ok
    assert leads == [2, 4, 5, 5, 5]


def test_nonces_come_from_replies() -> None:
    one = Identifications(Replay.NONCE)
    first = one.next(NOW)
    assert replay.high(first) == 0
    one.answered(first, replay.join(77, replay.low(first)), accepted=False)
    second = one.next(NOW)
    assert replay.high(second) == 77
    assert replay.low(second) != replay.low(first)
    one.resynchronise(replay.join(99, 0), NOW)
    assert one.offset_s == 0
