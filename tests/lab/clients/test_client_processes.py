"""Children of the worker: their value, their death, their parent's death."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netcont.errors import LabError
from netcont.lab.clients.forked import fork
from netcont.lab.clients.run import ClientProcess, fork_client
from netcont.lab.clients.service import ServiceProcess, fork_service
from netcont.lab.clients.spec import ClientSpec, Control, Ports, Schedule
from netcont.model.scenario import ClientKind, Place

Starter = Callable[..., ClientProcess]
EndIn = Callable[[float, float], None]


def nowhere() -> None:
    """Enter no namespace."""


def ended(pid: int) -> None:
    """Wait until a process that is not our child has ended (its parent may not have reaped it)."""
    until_s = time.monotonic() + 3.0
    stat = Path(f"/proc/{pid}/stat")
    while stat.exists() and stat.read_text().split()[2] != "Z":
        assert time.monotonic() < until_s, f"process {pid} lives on"
        time.sleep(0.01)


def test_a_large_value_comes_back_and_enter_ran_first() -> None:
    state: list[int] = []
    child = fork(lambda: state * 1_000_000, lambda: state.append(1), "large")
    finished = child.collect(10.0)
    assert finished.failure is None
    assert finished.value is not None
    assert len(finished.value) == 1_000_000
    assert child.collect(0.0) is finished
    assert state == []


def test_an_exception_is_told() -> None:
    def fails() -> int:
        raise KeyError("nothing")

    assert fork(fails, nowhere, "fails").collect(5.0).failure == "failed: KeyError: 'nothing'"


def test_a_signal_is_told() -> None:
    child = fork(lambda: time.sleep(30), nowhere, "sleeps")
    os.kill(child.pid, signal.SIGTERM)
    assert child.collect(5.0).failure == "was ended by SIGTERM"


def test_a_child_that_does_not_end_is_killed() -> None:
    child = fork(lambda: time.sleep(30), nowhere, "sleeps")
    assert child.collect(0.05).failure == "did not end within 0.05 s and was killed"
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_interrupts_are_the_workers_affair() -> None:
    def survive() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "still here"

    assert fork(survive, nowhere, "survives").collect(5.0).value == "still here"


def test_no_child_outlives_its_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def middle() -> None:
        note.write_text(str(fork(lambda: time.sleep(30), nowhere, "orphan").pid))

    fork(middle, nowhere, "middle").collect(5.0)
    ended(int(note.read_text()))


def test_a_killed_probe_yields_a_record_that_says_so(
    service: ServiceProcess, start: Starter
) -> None:
    client = start(ClientKind.TCP_ECHO)
    time.sleep(0.05)
    os.kill(client.pid, signal.SIGKILL)
    record = client.result(5.0)
    assert record.disturbed == "the probe was ended by SIGKILL"
    assert record.name == "tcp-echo@remote"
    assert record.arrivals == ()


def test_a_namespace_that_cannot_be_entered_is_told(ports: Ports, control: Control) -> None:
    def refuse() -> None:
        raise PermissionError(1, "setns")

    spec = ClientSpec("x", ClientKind.UDP_UP, Place.AT_A, 1, "127.0.0.1", ports=ports)
    client = fork_client(spec, Schedule(time.monotonic()), control, refuse)
    assert "PermissionError" in (client.result(5.0).disturbed or "")


def test_a_client_that_begins_after_the_window_says_so(start: Starter, end_in: EndIn) -> None:
    end_in(-1.0, 0.0)
    assert "closed before" in (start(ClientKind.TCP_ECHO).result(5.0).disturbed or "")


def test_a_service_without_its_port_is_refused_at_the_start(
    service: ServiceProcess, ports: Ports, control: Control
) -> None:
    second = fork_service(nowhere, control, ports, "127.0.0.1")
    with pytest.raises(LabError, match="Address already in use"):
        second.wait_ready(5.0)
    assert "failed" in (second.stop(1.0).disturbed or "")


def test_a_killed_service_yields_records_that_say_so(service: ServiceProcess) -> None:
    os.kill(service.pid, signal.SIGKILL)
    assert service.stop(5.0).disturbed == "the guest's service was ended by SIGKILL"


def test_a_programs_exit_code_and_output_are_kept(
    start: Starter, end_in: EndIn, tmp_path: Path
) -> None:
    client = start(
        ClientKind.PROGRAM, command="echo out; echo err >&2; exit 3", output_dir=str(tmp_path)
    )
    end_in(5.0, 100.0)
    record = client.result(3.0)
    assert record.exit_code == 3
    assert record.output == "out\nerr\n"
    assert (tmp_path / "program@remote.out").read_text() == "out\n"
    assert record.disturbed is None


def test_a_program_that_does_not_end_is_killed_with_its_children(
    start: Starter, end_in: EndIn, tmp_path: Path
) -> None:
    client = start(
        ClientKind.PROGRAM,
        command="sleep 60 & echo $!; wait",
        output_dir=str(tmp_path),
    )
    end_in(0.3, 0.1)
    record = client.result(3.0)
    assert record.exit_code is None
    pid, _, note = record.output.partition("\n")
    assert "still running" in note
    ended(int(pid))


def test_a_program_dies_with_its_probe(start: Starter, end_in: EndIn, tmp_path: Path) -> None:
    client = start(ClientKind.PROGRAM, command="echo $$; exec sleep 60", output_dir=str(tmp_path))
    out = tmp_path / "program@remote.out"
    until_s = time.monotonic() + 3.0
    while not out.exists() or not out.read_text():
        assert time.monotonic() < until_s
        time.sleep(0.01)
    os.kill(client.pid, signal.SIGKILL)
    assert "SIGKILL" in (client.result(2.0).disturbed or "")
    ended(int(out.read_text()))
