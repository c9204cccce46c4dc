"""scripts/setup: interrupted at any time, the next run goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the first steps of the set-up need of a clone."""
    shutil.copytree(ROOT / "scripts", tmp_path / "clone" / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "clone")
    return tmp_path / "clone"


def test_an_interruption_is_said_in_a_line_and_leaves_nothing_that_is_taken_for_whole(
    clone: Path,
) -> None:
    begun, slow = clone / "begun", clone / "python"
    slow.write_text(
        f"#!{sys.executable}\nimport pathlib, time\npathlib.Path('{begun}').touch()\ntime.sleep(60)"
    )
    slow.chmod(0o755)
    faked = f'find_python() {{ echo "{slow}"; }}; missing_packages() {{ :; }}'
    running = subprocess.Popen(
        ["bash", "-euc", f'. "{clone}/scripts/setup"; {faked}; set_up "" ""'],
        env={**os.environ, "XDG_CACHE_HOME": str(clone / "cache")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not begun.exists():
        assert running.poll() is None
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    making, said = running.communicate(timeout=30)[1].splitlines()
    assert making == f"netcont: making the Python environment {clone}/.venv"
    assert said == "netcont: interrupted; the next run goes on from here"
    assert running.returncode == -signal.SIGINT
    assert not (clone / ".venv" / "made").exists()


@pytest.mark.parametrize("whole", [False, True])
def test_an_environment_that_was_left_half_made_is_made_anew(clone: Path, whole: bool) -> None:
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/usr/bin/python3")
    if whole:
        (clone / ".venv" / "made").touch()
    script = f'. "{clone}/scripts/setup"; quietly() {{ echo "$*"; }}; make_environment ""'
    said = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True)
    assert (f"-m venv --clear {clone}/.venv" in said.stdout) is not whole
    assert "-m pip install" in said.stdout
    assert (clone / ".venv" / "made").exists()


def test_what_a_program_says_is_shown_if_it_fails(clone: Path) -> None:
    script = f'. "{clone}/scripts/setup"; quietly sh -c "echo what; exit 3" || echo "code $?"'
    said = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("code 3\n", "what\n")
