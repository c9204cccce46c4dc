"""The whole command on a host that has all it takes, without a VM: this one is such a host."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.network(lab="runs"),
    pytest.mark.usefixtures("nothing_is_left"),
]

ROOT = Path(__file__).parents[2]
SCENARIO = """
name = "host"
approaches = ["ipip"]
[guest]
memory_bytes = "1 MiB"
working_set_bytes = "256 KiB"
[migration]
timeout_s = "60 s"
[timing]
observe_s = "3 s"
[[client]]
kind = "tcp-echo"
[[client]]
kind = "tcp-echo"
place = "at-b"
"""


def test_compare_runs_right_here_in_real_time(tmp_path: Path) -> None:
    (tmp_path / "host.toml").write_text(SCENARIO)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "netcont", "compare", str(tmp_path / "host.toml")),
            *("--lab", "host", "--out", str(tmp_path / "out"), "--format", "json"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["environment"]["lab"], outcome["environment"]["clock"]) == ("host", "real")
    (run,) = outcome["runs"]
    assert run["status"] == "ok", run["errors"]
    assert run["memory_equal"] is True
    assert {client["fate"] for client in run["clients"]} == {"survived"}
    assert run["overhead_bytes_per_packet"] == 20
    assert len(list((tmp_path / "out").iterdir())) == 1
