"""The command netcont: its subcommands, its exit codes, and how it says errors."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from netcont import __version__
from netcont.cli.main import COMMANDS, Entry, main
from netcont.errors import ConfigurationError, MigrationError, PrerequisiteError

Install = Callable[[Callable[[], object]], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a function in the table of commands, as "netcont try"."""

    def installed(function: Callable[[], object]) -> None:
        module = types.ModuleType("netcont_made_up")
        module.command = click.command()(function)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "netcont_made_up", module)
        monkeypatch.setitem(COMMANDS, "try", Entry("netcont_made_up:command", "Made up."))

    return installed


def raising(error: BaseException) -> Callable[[], object]:
    def command() -> None:
        raise error

    return command


def test_help_names_every_command_without_importing_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "broken", Entry("netcont_no_such:x", "Cannot be imported."))
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert name in out
        assert entry.summary in out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"netcont {__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            ConfigurationError("a.toml: seed: missing", remedy="add it"),
            2,
            "netcont: error: a.toml: seed: missing\n  remedy: add it\n",
        ),
        (
            PrerequisiteError("no qemu", remedy="apt install qemu-system-x86"),
            5,
            "netcont: error: no qemu\n  remedy: apt install qemu-system-x86\n",
        ),
        (MigrationError("cut", phase="copy"), 1, "netcont: error: cut\n"),
        (
            ValueError("two\nlines"),
            1,
            "netcont: error: unexpected ValueError: two lines\n"
            "  remedy: run again with --debug for the traceback: netcont --debug …\n",
        ),
    ],
)
def test_an_error_is_said_and_ends_with_its_exit_code(
    install: Install,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
    said: str,
) -> None:
    install(raising(error))
    assert main(["try"]) == code
    captured = capsys.readouterr()
    assert captured.err == said
    assert captured.out == ""


def test_debug_shows_the_traceback(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(raising(ValueError("deep down")))
    assert main(["--debug", "try"]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("netcont: error: unexpected ValueError: deep down\n")


def test_an_interruption_while_the_command_is_imported_prints_no_traceback(tmp_path: Path) -> None:
    slow = 'import time; print("importing", flush=True); time.sleep(60)\n'
    (tmp_path / "click.py").write_text(slow)
    running = subprocess.Popen(
        [sys.executable, "-m", "netcont", "doctor"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "importing\n"
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=30) == ("", "")
    assert running.returncode == -signal.SIGINT


def test_an_interruption_ends_in_a_line_and_130(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(raising(KeyboardInterrupt()))
    assert main(["try"]) == 130
    err = capsys.readouterr().err
    assert err.split() == ["netcont:", "interrupted"]


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (4, 4)])
def test_what_a_command_returns_is_its_exit_code(
    install: Install, returned: object, code: int
) -> None:
    install(lambda: returned)
    assert main(["try"]) == code


@pytest.mark.parametrize("arguments", [["nothing"], ["--nothing"], ["scenario", "nothing"], []])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Usage: netcont" in capsys.readouterr().err


def test_a_misspelt_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["compar"]) == 2
    assert "did you mean compare?" in capsys.readouterr().err


def test_a_missing_package_is_a_missing_prerequisite(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "try", Entry("netcont_no_such:x", "Made up."))
    assert main(["try"]) == 5
    said = "netcont: error: this command needs the Python package 'netcont_no_such', which is"
    assert capsys.readouterr().err.startswith(said)


def test_a_package_that_is_missing_only_when_a_command_runs_is_named_as_well(
    capsys: pytest.CaptureFixture[str], install: Install
) -> None:
    install(lambda: importlib.import_module("netcont_no_such"))
    assert main(["try"]) == 5
    assert "needs the Python package 'netcont_no_such'" in capsys.readouterr().err


def test_on_a_gateway_the_packages_that_are_no_extra_are_enough() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    declared = {re.split("[<>=]", each)[0] for each in project["dependencies"]}
    packages = ("click", "pyroute2", "tomli")
    imported = {"dns": "dnspython", **{name: name for name in packages}}
    assert declared == set(imported.values())
    code = (
        "import sys, netcont.cli.announce, netcont.cli.deploy, netcont.deploy.watch,"
        " netcont.cli.dns, netcont.dns.move, netcont.cli.agent, netcont.agent.daemon\n"
        "print(*{n.partition('.')[0] for n, m in sys.modules.items()"
        " if 'site-packages' in (getattr(m, '__file__', None) or '')})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # dnspython uses idna where it is; the others are how packages were built or installed.
    spare = {"idna", "_distutils_hack", "netcont"}
    found = {name for name in said.stdout.split() if "__editable__" not in name}
    assert {name for name in found - spare if not name.endswith("__mypyc")} <= set(imported)
    assert "click" in found


def test_a_command_that_cannot_be_imported_shows_its_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "try", Entry("netcont.cli.no_such:x", "Made up."))
    assert main(["try"]) == 1
    assert "No module named 'netcont.cli.no_such'" in capsys.readouterr().err


def test_starting_imports_nothing_heavy() -> None:
    heavy = ("pydantic", "rich", "mininet", "pyroute2", "scapy", "netcont.lab", "netcont.model")
    program = (
        "import sys; from netcont.cli.main import main; main(['--version']); "
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1:] == ["[]"]
