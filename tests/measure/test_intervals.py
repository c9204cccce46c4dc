from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.measure.intervals import Interval, length_s, overlap, shifted, union, without

instant = st.integers(min_value=-50, max_value=50).map(float)
span = st.tuples(instant, instant)
disjoint = st.lists(span, max_size=6).map(union)


def test_the_overlap_of_two_spans_is_what_they_share() -> None:
    assert overlap([(0, 10)], [(5, 20)]) == ((5, 10),)
    assert overlap([(0, 1)], [(2, 3)]) == ()


def test_a_hole_cuts_a_span_in_two() -> None:
    assert without([(0, 10)], (4, 6)) == ((0, 4), (6, 10))


def test_an_inverted_hole_cuts_nothing() -> None:
    assert without([(0, 10)], (6, 4)) == ((0, 10),)


def test_overlapping_spans_are_counted_once() -> None:
    assert union([(3, 5), (0, 4), (9, 9)]) == ((0, 5),)
    assert overlap([(0, 10)], [(1, 3), (2, 4)]) == ((1, 4),)


def test_shifting_moves_both_ends() -> None:
    assert shifted([(1, 2)], 0.5) == ((1.5, 2.5),)


@given(disjoint, span)
def test_what_is_cut_out_and_what_is_left_make_the_whole(
    spans: tuple[Interval, ...], hole: Interval
) -> None:
    together = length_s(without(spans, hole)) + length_s(overlap(spans, [hole]))
    assert together == pytest.approx(length_s(spans))
