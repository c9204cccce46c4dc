from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from netcont.cli.report import report
from netcont.errors import ConfigurationError
from netcont.report import Format, render
from netcont.report.codec import dumps, loads

from .builders import whole


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results directory."""
    (tmp_path / "outcome.json").write_text(dumps(whole()), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("form", Format)
def test_an_old_result_is_printed_again_in_each_format(results: Path, form: Format) -> None:
    done = CliRunner().invoke(report, [str(results), "--format", str(form)])
    assert done.exit_code == 0
    assert done.output == render(loads(dumps(whole())), form)


def test_the_file_itself_may_be_named(results: Path) -> None:
    done = CliRunner().invoke(report, [str(results / "outcome.json"), "--format", "json"])
    assert json.loads(done.output)["schema_version"] == 1


def test_a_missing_result_is_a_configuration_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(report, [str(tmp_path)])
    assert isinstance(done.exception, ConfigurationError)


def test_a_format_that_is_none_is_a_usage_error(results: Path) -> None:
    assert CliRunner().invoke(report, [str(results), "--format", "xml"]).exit_code == 2
