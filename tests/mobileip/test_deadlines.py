"""Deadlines come up exactly when they should, in order, and leave nothing behind."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from netcont.mobileip.deadlines import Deadlines

KEYS = st.integers(0, 5)
TIMES = st.one_of(st.integers(0, 50).map(float), st.just(math.inf))
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, TIMES),
        st.tuples(st.just("discard"), KEYS, st.just(0.0)),
        st.tuples(st.just("take"), st.just(0), st.integers(0, 50).map(float)),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_they_behave_as_a_plain_dictionary_would(actions: list[tuple[str, int, float]]) -> None:
    deadlines: Deadlines[int] = Deadlines()
    plain: dict[int, float] = {}
    for what, key, at in actions:
        if what == "set":
            deadlines.set(key, at)
            plain[key] = at
        elif what == "discard":
            deadlines.discard(key)
            plain.pop(key, None)
        else:
            due = deadlines.take_due(at)
            assert sorted(due) == sorted(one for one, when in plain.items() if when <= at)
            assert [plain[one] for one in due] == sorted(plain[one] for one in due)
            for one in due:
                del plain[one]
        finite = [when for when in plain.values() if not math.isinf(when)]
        assert deadlines.next() == min(finite, default=None)
        assert len(deadlines) == len(plain)


def test_what_is_moved_again_and_again_takes_no_more_room() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for turn in range(20_000):
        deadlines.set(turn % 10, 1e6 - turn)
        deadlines.set(turn % 10, 1e6 + turn)
        if turn % 7 == 0:
            deadlines.discard(turn % 10)
    assert len(deadlines._heap) <= 2 * 10 + 64
