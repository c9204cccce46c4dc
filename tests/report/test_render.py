from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from netcont.model.outcome import Status
from netcont.model.scenario import Scenario
from netcont.report import Format, render
from netcont.report.markdown import summary

from .builders import broken, client, outcome, run, whole


def test_the_table_groups_like_clients_and_shows_the_worst() -> None:
    clients = (client(), client("tcp-echo@remote#2", longest_gap_s=0.5), broken())
    table = render(outcome(run(*clients)), Format.TABLE)
    rows = [" ".join(line.split()) for line in table.splitlines() if line.startswith("ipip")]
    assert rows == [
        "ipip tcp-echo@remote ×2 survived 0.500 0.152 0.200 0.052 0.160 – –",
        "ipip tcp-echo@remote stalled 1208.3 0.152 0.200 – – – 1208.1",
        "ipip ok 1 of 3 1.700 0.200 0.077 2.00 20 B 1 of 24 0.500",
    ]


@pytest.mark.parametrize("width", [100, 120])
def test_the_table_fits_its_width_and_has_no_colours_in_a_pipe(width: int) -> None:
    table = render(whole(), "table", width=width)
    assert max(map(len, table.splitlines())) <= width
    assert "\x1b" not in table
    assert not any(line.endswith(" ") for line in table.splitlines())
    assert table.endswith("\n")


def test_nothing_is_cut_off_in_a_hundred_columns() -> None:
    table = render(whole(), "table")
    assert "…" not in table
    for word in ("timed-out", "12345.6", "1208.1", "unknown", "readdress", "unreachable"):
        assert word in table
    # A long name is folded: all its words are there, markup and all.
    assert "[red]" in table


def test_colours_are_for_terminals() -> None:
    assert "\x1b[32m" in render(outcome(), "table", colour=True)


def test_remarks_stand_below_the_table() -> None:
    shown = replace(run(missed=("ipip: too slow",)), errors=("a client died",), notes=("so",))
    table = render(outcome(shown), "table")
    assert "Errors:\n  ipip: a client died\n" in table
    assert "Missed:\n  ipip: too slow\n" in table
    assert "Notes:\n  ipip: so\n" in table


def test_repeated_runs_are_told_apart() -> None:
    table = render(outcome(run(), run(), run(approach="gre")), "table")
    assert "ipip#1" in table
    assert "ipip#2" in table
    assert "gre#1" not in table
    slow = run(missed=("ipip: the downtime was 9 s",))
    assert "  ipip#2: the downtime was 9 s\n" in render(outcome(run(), slow), "table")


def test_what_is_unknown_is_never_shown_as_zero() -> None:
    empty = replace(
        run(broken(fate=None)),
        status=Status.PARTIAL,
        downtime_s=None,
        migration_s=None,
        floor_s=None,
        path_stretch=None,
        overhead_bytes_per_packet=None,
        new_connections=None,
    )
    line = render(outcome(empty), "table").split("unreachable\n")[1].splitlines()[0]
    assert line.split() == ["ipip", "partial", "0", "of", "1", *"–" * 7]


def test_a_comparison_without_runs_is_still_shown() -> None:
    nothing = replace(outcome(), runs=())
    for form in Format:
        assert render(nothing, form)


def test_csv_has_a_line_for_each_client_and_leaves_the_unknown_empty() -> None:
    lines = list(csv.DictReader(io.StringIO(render(whole(), Format.CSV))))
    assert len(lines) == 6
    assert lines[2]["fate"] == "timed-out"
    assert lines[2]["gap_lost_state_s"] == "1208.1"
    assert lines[2]["gap_backoff_s"] == ""
    assert (lines[0]["run_floor_s"], lines[0]["floor_s"]) == ("0.0774", "0.1524")
    assert lines[4]["name"] == "nightly [red] export of the whole | database"


def test_markdown_tables_have_as_many_cells_in_each_line() -> None:
    text = render(whole(), Format.MARKDOWN)
    for grid in text.split("\n\n"):
        if grid.startswith("|"):
            cells = {line.replace("\\|", "").count("|") for line in grid.splitlines()}
            assert len(cells) == 1
    assert "nightly \\[red\\] export of the whole \\| database" in text
    assert "- ddns+ipip: the downtime was 0.200 s" in text


def test_the_summary_says_what_was_compared_and_with_what() -> None:
    text = summary(outcome(scenario=Scenario(name="relocation", description="A slow link.")))
    assert text.startswith("# relocation\n\nA slow link.\n\nrelocation: 1 run, seed 1")
    assert "netcont 0.1.0; bind 9.18, qemu 7.2." in text


def test_json_is_what_the_codec_writes() -> None:
    assert json.loads(render(outcome(), "json"))["schema_version"] == 1


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="xml"):
        render(outcome(), "xml")
