"""The search for a path MTU, along paths that report honestly, wrongly, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.deploy.path_mtu import ANY_BYTES, FLOOR_BYTES, PathMtu, PathSearch
from netcont.kernel.asking import Answer
from netcont.kernel.heard import Heard, Outcome

ROUTER = "203.0.113.7"

Path = Callable[[int], Answer | None]
"""What becomes of a packet of that size."""


def answered() -> Answer:
    return Answer(Heard(0, Outcome.ANSWERED, 0.0), 0.05)


def too_big(mtu: int, by: str = ROUTER) -> Answer:
    return Answer(Heard(0, Outcome.TOO_BIG, 0.0, mtu, by), 0.05)


def searched(path: Path, needed: int, family: int = 4) -> tuple[PathMtu, int]:
    """What is found, and in how many rounds."""
    search = PathSearch(family, needed)
    for rounds in range(20):
        sizes = search.sizes()
        if not sizes:
            return search.result(), rounds
        assert all(0 < size <= needed for size in sizes)
        for size in sizes:
            answer = path(size)
            if answer is None:
                search.silent(size)
            else:
                search.heard(size, answer)
    raise AssertionError("the search does not end")


def test_a_path_that_is_wide_enough_is_found_with_two_packets() -> None:
    assert searched(lambda size: answered(), 1500) == (PathMtu(1500, 1500), 2)


def test_what_a_router_says_is_tried_and_believed() -> None:
    path: Path = lambda size: answered() if size <= 1400 else too_big(1400)  # noqa: E731
    assert searched(path, 1500) == (PathMtu(1500, 1400, ROUTER), 3)


def test_two_narrow_links_on_one_path_are_both_found() -> None:
    def path(size: int) -> Answer | None:
        return answered() if size <= 1300 else too_big(1400 if size > 1400 else 1300)

    assert searched(path, 1500)[0] == PathMtu(1500, 1300, ROUTER)


@given(st.integers(576, 1499), st.integers(0, 65535))
def test_whatever_a_router_says_the_truth_is_found(mtu: int, said: int) -> None:
    found, _ = searched(lambda size: answered() if size <= mtu else too_big(said), 1500)
    if said == 0 or said >= mtu:
        assert found.mtu_bytes == mtu
    # One that says less than passes is believed: its next packet may take another way.
    assert not found.fits


@given(st.integers(576, 9000))
def test_where_larger_packets_vanish_the_size_is_found_in_a_few_rounds(mtu: int) -> None:
    found, rounds = searched(lambda size: answered() if size <= mtu else None, 9000)
    assert found == PathMtu(9000, mtu)
    assert found.by == ""
    assert rounds <= 7


@given(st.integers(1280, 1499))
def test_the_same_of_ipv6(mtu: int) -> None:
    assert FLOOR_BYTES[6] == 1280
    assert searched(lambda size: answered() if size <= mtu else None, 1500, 6)[0].mtu_bytes == mtu


def test_nothing_is_known_where_nobody_answers() -> None:
    found, rounds = searched(lambda size: None, 1500)
    assert found == PathMtu(1500, None)
    assert not found.fits
    assert rounds == 2


def test_a_host_that_does_not_answer_pings_may_still_have_a_router_before_it() -> None:
    path: Path = lambda size: None if size <= 1400 else too_big(1400)  # noqa: E731
    assert searched(path, 1500)[0] == PathMtu(1500, 1400, ROUTER)


def test_as_much_as_the_own_link_takes_is_no_narrow_path() -> None:
    def path(size: int) -> Answer | None:
        return answered() if size <= 1500 else too_big(1500, by="")

    found, _ = searched(path, ANY_BYTES)
    assert found == PathMtu(1500, 1500)
    assert found.fits


def test_a_host_that_cannot_be_reached_has_no_path() -> None:
    gone = Answer(Heard(0, Outcome.UNREACHABLE, 0.0), 0.05)
    assert searched(lambda size: gone, 1500)[0].mtu_bytes is None


@pytest.mark.parametrize("needed", [60, 575, 576, 577])
def test_little_is_needed_and_little_is_tried(needed: int) -> None:
    assert searched(lambda size: answered(), needed)[0] == PathMtu(needed, needed)
