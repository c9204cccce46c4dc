"""What a home agent believes once, and never again."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip import ntp, replay
from netcont.mobileip.freshness import Freshness
from netcont.mobileip.replay import Replay

from .machines import HOME, NOW

NODE = int(HOME)


def freshness() -> Freshness:
    nonces = count(100)
    return Freshness(7.0, lambda: next(nonces))


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 4)), max_size=30))
def test_accepted_timestamps_strictly_grow(asked: list[tuple[float, float]]) -> None:
    one, now, accepted = freshness(), NOW, []
    for skew_s, passed_s in asked:
        now += passed_s
        number = ntp.to_ntp(now + skew_s)
        if one.check(number, NODE, now, Replay.TIMESTAMP).ok:
            accepted.append(number)
            assert abs(skew_s) <= 7.001
        assert not one.check(number, NODE, now, Replay.TIMESTAMP).ok
    assert accepted == sorted(set(accepted))


def test_what_is_refused_is_not_remembered() -> None:
    one = freshness()
    assert not one.check(ntp.to_ntp(NOW + 100), NODE, NOW, Replay.TIMESTAMP).ok
    assert one.snapshot() == ((), ())
    assert one.check(ntp.to_ntp(NOW), NODE, NOW, Replay.TIMESTAMP).ok


def test_a_floor_holds_for_nodes_that_were_never_heard_and_for_old_numbers() -> None:
    one = freshness()
    one.check(ntp.to_ntp(NOW - 50), NODE, NOW - 50, Replay.TIMESTAMP)
    one.refuse_until(NOW)
    for home in (NODE, NODE + 1):
        assert not one.check(ntp.to_ntp(NOW - 1), home, NOW + 1, Replay.TIMESTAMP).ok
        assert one.check(ntp.to_ntp(NOW + 1), home, NOW + 1, Replay.TIMESTAMP).ok


def test_a_replay_does_not_change_the_nonce() -> None:
    one = freshness()
    given = one.check(5, NODE, NOW, Replay.NONCE)
    assert not given.ok
    before = one.snapshot()
    again = one.check(5, NODE, NOW, Replay.NONCE)
    assert not again.ok
    assert again.reply_identification == given.reply_identification
    assert one.snapshot() == before
    number = replay.join(replay.high(given.reply_identification), 6)
    assert one.check(number, NODE, NOW, Replay.NONCE).ok
    assert not one.check(number, NODE, NOW, Replay.NONCE).ok


def test_a_forgotten_node_starts_anew_and_a_restored_one_does_not() -> None:
    one, other = freshness(), freshness()
    number = ntp.to_ntp(NOW)
    one.check(number, NODE, NOW, Replay.TIMESTAMP)
    other.restore(*one.snapshot())
    assert not other.check(number, NODE, NOW, Replay.TIMESTAMP).ok
    one.forget(NODE)
    assert one.check(number, NODE, NOW, Replay.TIMESTAMP).ok
