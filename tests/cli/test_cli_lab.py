"""netcont lab, as far as it comes without a lab."""

from __future__ import annotations

import pytest

from netcont.cli.main import main


class NoTerminal:
    """A standard stream that nobody types on."""

    def isatty(self) -> bool:
        return False


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netcont.lab.shell.require_terminal", lambda: None)


def test_the_shell_without_a_terminal_names_the_command_that_needs_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", NoTerminal())
    assert main(["lab", "shell"]) == 2
    said = capsys.readouterr().err
    assert "needs a terminal" in said and "netcont lab run -- COMMAND" in said


@pytest.mark.usefixtures("terminal")
def test_an_unknown_topology_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lab", "shell", "three_sites"]) == 2
    assert 'write "three_site"' in capsys.readouterr().err


@pytest.mark.usefixtures("terminal")
def test_a_wrong_value_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lab", "shell", "lan", "--set", "network.a_b.delay_s=soon"]) == 2
    assert "network.a_b.delay_s" in capsys.readouterr().err


def test_there_is_nothing_to_run_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "run"]) == 2
    assert "Missing argument 'COMMAND...'" in capsys.readouterr().err
