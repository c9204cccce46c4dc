"""What is concluded from several looks at the connection table."""

from __future__ import annotations

from dataclasses import replace

from netcont.deploy.quiet import Quiet
from netcont.kernel.flow import Flow
from netcont.kernel.stations import Port, Station

FLOW = Flow("tcp", "203.0.113.5", 4711, "10.1.0.10", 80, "established", 1000)


def idle_s(expires_s: list[int | None], state: str = "established", known: int | None = None):  # type: ignore[no-untyped-def]
    """What is said after looks of which each was a second later."""
    quiet, found = Quiet(), []
    for now_s, left_s in enumerate(expires_s):
        flow = replace(FLOW, expires_s=left_s, state=state, idle_s=known)
        found.append(quiet.told([flow], 50.0 + now_s)[0].idle_s)
    return found


def test_an_entry_that_only_loses_time_is_idle_since_it_was_seen_first() -> None:
    assert idle_s([1000, 999, 998, 997, 996, 995]) == [None, None, None, 1, 2, 3]


def test_one_that_is_used_now_and_then_is_not() -> None:
    assert idle_s([1000, 999, 998, 997, 1000, 999])[-1] is None


def test_one_that_is_used_all_the_time_is_never_idle_for_more_than_a_second() -> None:
    assert all((each or 0) <= 1 for each in idle_s([999] * 600))


def test_one_that_was_shortened_was_used() -> None:
    assert idle_s([1000, 999, 998, 997, 300, 299])[-1] is None


def test_what_is_known_already_is_not_made_less() -> None:
    assert idle_s([1000, 999, 998, 997], known=7000)[-1] == 7000
    assert idle_s([1000, 999, 998, 997, 996, 995], known=0)[-1] == 3


def test_where_packets_do_not_renew_the_entry_nothing_is_concluded() -> None:
    assert set(idle_s([None] * 10)) == {None}
    assert set(idle_s(list(range(100, 90, -1)), "syn-sent")) == {None}


def test_another_state_is_a_sign_of_life() -> None:
    quiet = Quiet()
    for now_s in range(10):
        quiet.told([replace(FLOW, expires_s=1000 - now_s)], now_s)
    assert quiet.told([replace(FLOW, expires_s=990, state="fin-wait")], 10)[0].idle_s is None


def silent_s(idle_s: list[float | None], remembers_s: float = 5, since_s: float = 1000):  # type: ignore[no-untyped-def]
    """What is said of a port, where a look follows each second; None: nobody is known then."""
    quiet, found = Quiet(), []
    for now_s, each in enumerate(idle_s):
        stations = () if each is None else (Station("02:00:00:00:00:0b", None, each, each),)
        port = Port("nc-vx100", "br0", stations, since_s, remembers_s)
        found.append(quiet.silent({"nc-vx100": port}, 50.0 + now_s)["nc-vx100"])
    return found


def test_a_segment_is_silent_for_longer_than_its_bridge_remembers_if_it_is_watched() -> None:
    assert silent_s([3, 4, None, None, None, None]) == [3, 4, 5, 6, 7, 8]
    assert silent_s([None, None, None]) == [5, 6, 7]


def test_a_station_that_speaks_ends_the_silence() -> None:
    assert silent_s([None, None, 0.5, 1.5]) == [5, 6, 0.5, 1.5]


def test_a_bridge_that_forgets_between_two_looks_is_not_relied_on() -> None:
    assert silent_s([None] * 4, remembers_s=0.5) == [0.5] * 4
    assert silent_s([None] * 4, since_s=0.5) == [0.5] * 4
