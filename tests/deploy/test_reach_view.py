"""What is said of the other ends."""

from __future__ import annotations

from netcont.deploy.path_mtu import PathMtu
from netcont.deploy.reach import Reached, State
from netcont.deploy.reach_view import EACH, advice, path_text, reach_text, reach_values

WELL = Reached("nc-tun", "198.51.100.1", State.ANSWERS, 0.0503, True, 1476, True)
SILENT = Reached("nc-2", "198.51.100.1", State.SILENT)
REFUSED = Reached("nc-3", "198.51.100.1", State.REFUSES, why="port unreachable")
UNASKED = Reached("nc-4", "198.51.100.1", State.UNKNOWN, why="it needs CAP_NET_RAW")


def test_an_end_that_answers_is_told_with_its_round_trip_time() -> None:
    assert str(WELL) == "nc-tun: 198.51.100.1 answers, 50.3 ms; packets of 1476 bytes pass"
    assert advice([WELL], "web") == ""


def test_what_was_not_tried_is_not_claimed() -> None:
    past = Reached("nc-tun", "198.51.100.1", State.ANSWERS, 0.001, both_ways=False)
    assert str(past) == (
        "nc-tun: 198.51.100.1 answers, 1.0 ms (what it sends through it was not tried)"
    )


def test_packets_that_do_not_pass_are_not_well() -> None:
    narrow = Reached("nc-tun", "198.51.100.1", State.ANSWERS, 0.001, True, 1476, False, 1376)
    assert not narrow.well
    assert str(narrow).endswith("; but packets of 1476 bytes do not, 1376 at most")


def test_one_that_refuses_needs_no_guessing() -> None:
    assert str(REFUSED) == "nc-3: no end at 198.51.100.1: port unreachable"
    assert advice([WELL, REFUSED], "web") == (
        "run `netcont up` at the other side, then `netcont probe web`"
    )


def test_one_that_is_silent_may_be_behind_a_firewall() -> None:
    assert "firewall" in advice([SILENT], "web")
    assert "rp_filter" not in advice([SILENT], "web")
    bare = Reached("nc-tun", "198.51.100.1", State.SILENT, both_ways=False)
    assert "rp_filter" in advice([bare], "web")


def test_one_that_could_not_be_asked_is_told_so() -> None:
    assert str(UNASKED) == "nc-4: could not be probed: it needs CAP_NET_RAW"
    assert advice([UNASKED], "web") == ""


def test_of_many_only_those_that_are_not_well_are_told_one_by_one() -> None:
    said = reach_text([WELL] * 990 + [SILENT] * 10)
    assert said.well == ["990 of 1000 other ends answer, 50.3 to 50.3 ms"]
    assert said.not_well == [str(SILENT)] * EACH + ["… and 2 links more"]
    assert reach_text([SILENT] * 9).well == []


def test_values_for_programs_have_null_where_nothing_is_known() -> None:
    values = reach_values([WELL, SILENT])
    assert values["nc-tun"]["rtt_s"] == 0.0503
    assert values["nc-2"] == {
        "remote": "198.51.100.1",
        "state": "silent",
        "rtt_s": None,
        "both_ways": True,
        "full_bytes": None,
        "passes": None,
        "why": "",
    }


def test_a_path_is_told_with_who_says_so() -> None:
    path = ("192.0.2.1", "198.51.100.1")
    way = "path MTU from 192.0.2.1 to 198.51.100.1: "
    assert path_text(path, PathMtu(1500, 1500)) == f"{way}1500, as much as this host's link takes"
    assert path_text(path, PathMtu(1500, 1400, "203.0.113.7")) == f"{way}1400, as 203.0.113.7 says"
    assert (
        path_text(path, PathMtu(1500, 1400)) == f"{way}1400, larger packets vanish without a word"
    )
    assert path_text(path, PathMtu(1500, None)).startswith(f"{way}not known")
