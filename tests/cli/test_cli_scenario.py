"""netcont scenario list, show, schema and check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netcont.cli.main import main
from netcont.scenarios import builtin_names, builtin_text, scenario_schema


def test_list_names_every_scenario_with_its_description(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["scenario", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(builtin_names())
    assert all(len(line.split()) > 3 for line in lines)


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "list", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == list(builtin_names())
    assert all(entry["description"] for entry in listed)


@pytest.mark.parametrize("name", builtin_names())
def test_show_prints_the_text_as_it_stands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "show", name]) == 0
    assert capsys.readouterr().out == builtin_text(name)


def test_show_as_json_prints_every_value_in_si(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["scenario", "show", "default", "--format", "json", "--set", "seed=7"]
    assert main(arguments) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["seed"] == 7
    assert shown["network"]["a_b"]["delay_s"] == 0.025
    assert shown["network"]["circuit"] is None
    assert shown["client"][0]["kind"] == "tcp-echo"


def test_show_of_a_text_with_set_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "show", "default", "--set", "seed=7"]) == 2
    assert "add --format json" in capsys.readouterr().err


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == scenario_schema()


def test_check_of_a_right_file_says_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.toml").write_text(
        'approaches = ["ipip"]\n[[client]]\nkind = "request"\ncount = 3\n', encoding="utf-8"
    )
    assert main(["scenario", "check", "my.toml"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "my.toml: right: 1 run, 3 clients\n"
    assert captured.err == ""


def test_check_of_several_files_names_what_is_wrong_in_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.toml").write_text("sed = 1\n", encoding="utf-8")
    Path("two.toml").write_text("[vlan]\nvlan_id = 0\n", encoding="utf-8")
    assert main(["scenario", "check", "one.toml", "default", "two.toml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "default: right: 11 runs, 20 clients\n"
    assert captured.err == (
        "netcont: error: one.toml: sed: unknown key; write seed\n"
        "two.toml: vlan.vlan_id: 0 is out of range;"
        " write a whole number, at least 1 and at most 4094\n"
    )
