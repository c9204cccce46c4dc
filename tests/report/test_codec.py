from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.errors import ConfigurationError
from netcont.model.outcome import Fate, Outcome
from netcont.report.codec import dumps, load, loads, plain

from .builders import client, outcome, run, whole


def test_an_outcome_comes_back_as_it_was_written() -> None:
    text = dumps(whole())
    assert json.loads(dumps(loads(text))) == json.loads(text)
    assert loads(dumps(loads(text))) == loads(text)
    assert isinstance(loads(text), Outcome)
    assert loads(text).runs[0].clients[2].fate is Fate.TIMED_OUT


def test_json_has_the_fields_that_other_tools_rely_on() -> None:
    data = json.loads(dumps(outcome()))
    assert {"schema_version", "scenario", "environment", "runs"} <= data.keys()
    assert {"clock", "lab", "kernel", "wall_s", "virtual_s"} <= data["environment"].keys()
    one = data["runs"][0]
    expected = """approach seed status downtime_s migration_s bytes_moved memory_equal floor_s
        clients new_connections overhead_bytes_per_packet"""
    assert set(expected.split()) <= one.keys()
    assert {"attempted", "failed", "unreachable_s"} <= one["new_connections"].keys()
    expected = """name kind place fate longest_gap_s floor_s gap lost duplicated reordered
        retransmissions rtt_before_s rtt_after_s"""
    assert set(expected.split()) <= one["clients"][0].keys()
    assert one["clients"][0]["gap"] == {
        "freeze_s": 0.2,
        "convergence_s": 0.0523,
        "backoff_s": 0.160046,
        "stale_dns_s": None,
        "lost_state_s": None,
    }


def test_numbers_are_rounded_to_microseconds_and_words_are_words() -> None:
    one = json.loads(dumps(outcome()))["runs"][0]
    assert one["clients"][0]["longest_gap_s"] == 0.412346
    assert (one["status"], one["clients"][0]["kind"]) == ("ok", "tcp-echo")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_unknown(value: float) -> None:
    text = dumps(outcome(run(client(longest_gap_s=value))))
    assert json.loads(text)["runs"][0]["clients"][0]["longest_gap_s"] is None


@given(st.floats())
def test_rounding_is_stable(value: float) -> None:
    assert plain(plain(value)) == plain(value)


def test_a_type_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no form in JSON"):
        plain(b"")


def test_fields_of_a_later_writer_are_passed_over() -> None:
    data = json.loads(dumps(outcome()))
    data["runs"][0]["new_field"] = 1
    assert loads(json.dumps(data)) == loads(dumps(outcome()))


def _changed(path: str, value: object) -> str:
    """A good outcome with one value changed; numbers in path are indices."""
    data = json.loads(dumps(outcome()))
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = data
    for key in way:
        place = place[key]
    place[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "old.json is not JSON"),
        ("[1, 2", "old.json is not JSON"),
        ("[" * 100_000, "old.json is not JSON"),
        ('{"schema_version": NaN}', "NaN is no JSON number"),
        ("[]", "old.json has no schema_version"),
        ("{}", "old.json has no schema_version"),
        ('{"schema_version": 99}', "schema_version 99; this netcont reads 1"),
        ('{"schema_version": true}', "schema_version True; this netcont reads 1"),
        ('{"schema_version": 1}', "old.json is not an outcome: scenario: Field required"),
        (_changed("runs.0.clients.0.fate", "fine"), "runs.0.clients.0.fate: Input should be"),
        (_changed("scenario.sead", 1), "scenario.sead"),
        (_changed("runs.0.downtime_s", "soon"), "runs.0.downtime_s"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loads(text, "old.json")
    assert message in str(caught.value)
    assert caught.value.remedy


def test_a_directory_stands_for_the_outcome_in_it(tmp_path: Path) -> None:
    (tmp_path / "outcome.json").write_text(dumps(whole()), encoding="utf-8")
    assert load(tmp_path) == load(tmp_path / "outcome.json")


def test_a_missing_or_unreadable_file_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no .*outcome\.json"):
        load(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(binary)


def test_names_in_other_scripts_stay_readable() -> None:
    text = dumps(outcome(run(replace(client(), name="klient-ł"))))
    assert "klient-ł" in text
