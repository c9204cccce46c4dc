"""netcont compare from end to end, in real lab VMs: a few, since each costs its boot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from netcont.lab.cache import find_lab_files, find_program, lab_environment
from netcont.lab.comparison import run_comparison, worker_environment
from netcont.lab.places import choose
from netcont.lab.qemu import VmSettings
from netcont.lab.sealed import sealed_archive
from netcont.lab.sealed_vm import guest_environment
from netcont.lab.vm import Vm
from netcont.scenarios import load_scenario

ROOT = Path(__file__).parents[2]
HEAD = """
[guest]
memory_bytes = "1 MiB"
working_set_bytes = "64 KiB"
[timing]
observe_s = "2 s"
give_up_s = "20 s"
[[client]]
kind = "tcp-echo"
"""
SERVED = """
[server]
command = "cd / && exec /usr/bin/python3 -m http.server 8000"
ready_port = 8000
[[client]]
kind = "program"
name = "fetch"
command = '''/usr/bin/python3 -c 'import time, urllib.request as u
for n in range(5):
    print(u.urlopen("http://server.lab.test:8000/etc/hostname").status, flush=True)
    time.sleep(1)
''''
"""
PANIC = """
[[client]]
kind = "program"
name = "saboteur"
command = "sleep 2; echo c > /proc/sysrq-trigger"
"""


def scenario(directory: Path, text: str, approaches: str = '"ipip"') -> Path:
    file = directory / "mine.toml"
    head, guest, rest = HEAD.partition("\n[guest]")
    file.write_text(f'name = "mine"\napproaches = [{approaches}]\n{head}{guest}{rest}{text}')
    return file


def start(*arguments: str | Path, path: str = os.environ["PATH"]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "netcont", "compare", "--lab", "vm", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def begun(running: subprocess.Popen[str], out: Path) -> None:
    """Returns when the comparison has its directory."""
    while not out.exists():
        assert running.poll() is None
        time.sleep(0.01)


def only(directory: Path) -> Path:
    """The one entry of a directory."""
    (entry,) = directory.iterdir()
    return entry


def test_programs_of_the_users_and_captures_and_a_missed_threshold(tmp_path: Path) -> None:
    expect = "[expect.max_gap_s]\nipip = 0.01\n"
    file = scenario(tmp_path, SERVED + expect)
    done = start(file, "--out", tmp_path / "out", "--pcap", "--format", "json")
    printed, said = done.communicate(timeout=300)
    assert done.returncode == 4, said
    outcome = json.loads(printed)
    (run,) = outcome["runs"]
    assert run["status"] == "ok", run["errors"]
    assert run["host_reads"] == 0, run["notes"]
    assert "at most 0.01 s expected" in run["missed"][0]
    fetch = next(client for client in run["clients"] if client["name"] == "fetch")
    assert fetch["fate"] == "survived"
    assert fetch["evidence"]["exit_code"] == 0
    assert fetch["evidence"]["output"] == "200\n" * 5
    results = only(tmp_path / "out")
    assert "GET /etc/hostname" in (results / "ipip-1-server.log").read_text()
    assert json.loads((results / "outcome.json").read_text()) == outcome
    assert "netcont: 1/1 ipip 1 ok" in said
    assert decoded(results / "ipip-1-gwa-wan.pcap", "ip.proto == 4 && http.request") == 0
    assert decoded(results / "ipip-1-gwb-wan.pcap", "ip.proto == 4 && echo") > 10
    assert (results / "ipip-1-hva-circ.pcap").is_file()


def decoded(capture: Path, wanted: str) -> int:
    """How many frames tshark finds."""
    files = find_lab_files()
    tshark = find_program("tshark", files)
    assert tshark is not None
    done = subprocess.run(
        [tshark, "-r", capture, "-Y", wanted],
        env={**os.environ, **lab_environment(files)},
        capture_output=True,
        text=True,
        check=True,
    )
    return len(done.stdout.splitlines())


def test_a_guest_that_panics_is_told(tmp_path: Path) -> None:
    file = scenario(tmp_path, PANIC)
    done = start(file, "--out", tmp_path / "out", "--format", "json")
    printed, said = done.communicate(timeout=120)
    assert done.returncode == 1, said
    (died,) = json.loads(printed)["runs"]
    assert "kernel panicked" in died["errors"][0]
    console = only(tmp_path / "out") / "lab-0" / "console.log"
    assert str(console) in died["errors"][0]
    assert "Kernel panic" in console.read_text(errors="replace")


@pytest.fixture(scope="module")
def packed() -> None:
    """The sealed lab's archive is there: packing it, once for each version, takes seconds."""
    files = find_lab_files()
    environment = worker_environment(lab_environment(files))
    sealed_archive(files.root.parent, guest_environment(environment))


@pytest.mark.parametrize("wait_s", [0.5, 1.3, 2.9])
def test_an_interruption_while_the_lab_is_packed_ends_it_in_silence(
    tmp_path: Path, wait_s: float
) -> None:
    # Another PATH is another lab.
    path = f"{tmp_path}:{os.environ['PATH']}"
    running = start(scenario(tmp_path, ""), "--out", tmp_path / "out", path=path)
    begun(running, tmp_path / "out")
    time.sleep(wait_s)
    began_s = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert time.monotonic() - began_s < 3
    assert running.returncode == 130
    assert "netcont: interrupted" in said and "Traceback" not in said


@pytest.mark.usefixtures("packed")
@pytest.mark.parametrize("wait_s", [1.0, 6.0])
def test_an_interruption_ends_everything_within_three_seconds(
    tmp_path: Path, wait_s: float
) -> None:
    file = scenario(tmp_path, "", '"ipip", "gre"')
    running = start(file, "--out", tmp_path / "out", "--jobs", "1")
    begun(running, tmp_path / "out")
    time.sleep(wait_s)
    began_s = time.monotonic()
    for _ in range(2):
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.1)
    printed, said = running.communicate(timeout=30)
    assert time.monotonic() - began_s < 3
    assert running.returncode == 130, said
    assert printed == ""
    results = only(tmp_path / "out")
    assert f"kept in {tmp_path / 'out'}" in said
    assert (results / "summary.md").read_text().startswith("**Partial: interrupted")
    runs = json.loads((results / "outcome.json").read_text())["runs"]
    assert [run["status"] for run in runs] == ["failed", "failed"]
    assert f"netcont-{running.pid}-".encode() not in all_command_lines()


def all_command_lines() -> bytes:
    found = b""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += entry.read_bytes()
        except OSError:
            continue
    return found


def test_a_guest_that_hangs_is_stopped_and_its_run_fails(tmp_path: Path) -> None:
    files = find_lab_files()
    chosen = load_scenario("default", approaches=["ipip"])
    place = choose("vm", None, 1, 1)
    settings = VmSettings(memory_bytes=768 * 2**20, watchdog_s=12)
    plan = replace(
        place.plan(chosen, (("ipip", 1),), tmp_path, False),
        open_lab=lambda job, environment: Vm(
            ["sh", "-c", "while :; do :; done"],
            files=files,
            output_dir=job.parent,
            console_log=job.parent / "console.log",
            settings=settings,
            environment=environment,
        ),
    )
    outcome = run_comparison(plan, _Deaf())
    assert "printed nothing for 12 s" in outcome.runs[0].errors[0]
    assert str(tmp_path / "lab-0" / "console.log") in outcome.runs[0].errors[0]


class _Deaf:
    def started(self, approach: str, seed: int) -> None:
        """Nobody listens."""

    def finished(self, single: object, wall_s: float) -> None:
        """Nobody listens."""


def test_a_run_is_the_same_to_the_last_digit_whatever_goes_on_beside_it(tmp_path: Path) -> None:
    file = scenario(tmp_path, "")
    busy = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        both = [
            start(file, "--out", tmp_path / "out", "--format", "json", *more)
            for more in (("--approach", "gre"), ("--approach", "ipip", "--approach", "gre"))
        ]
        printed = [one.communicate(timeout=300)[0] for one in both]
    finally:
        busy.kill()
        busy.wait()
    assert [one.returncode for one in both] == [0, 0]
    (alone,), (_, second) = (json.loads(text)["runs"] for text in printed)
    assert alone == second
    assert len(list((tmp_path / "out").iterdir())) == 2
