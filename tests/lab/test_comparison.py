"""Comparisons with labs made up here: what is kept when labs die, hang about or are interrupted."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from netcont.errors import LabError, PrerequisiteError
from netcont.lab.clients.findings import ServiceRecords
from netcont.lab.comparison import Interrupted, Plan, run_comparison
from netcont.lab.job import BROKEN, DONE, STARTED, RawRun, RunJob
from netcont.model.outcome import Outcome, Status
from netcont.model.samples import MoveRecord
from netcont.model.scenario import Scenario

RUNS = (("ipip", 1), ("gre", 1), ("ipip", 2), ("gre", 2))
MOVED = MoveRecord("moved", None, (), (), 3.0, 3.1, 3.05, 4096, "same", "same")


def raw(approach: str, seed: int, move: MoveRecord | None = MOVED) -> RawRun:
    return RawRun(
        approach=approach,
        seed=seed,
        begin_s=0.0,
        fast_stop_s=8.0,
        observed_until_s=9.0,
        move=move,
        findings=(),
        service=ServiceRecords(),
        virtual_s=10.0,
        kernel="6.1",
    )


class MadeUp:
    """A lab that makes the job's run at once, as far as act lets it; number: of its run."""

    def __init__(self, job: Path, act: Callable[[MadeUp, int], Iterable[str]]) -> None:
        self.number = int(job.parent.name.removeprefix("lab-"))
        self.job = RunJob.read(job)
        self.directory = job.parent
        self.act = act
        self.stopped = threading.Event()
        self.open = False

    def __enter__(self) -> MadeUp:
        self.open = True
        return self

    def __exit__(self, *_: Any) -> None:
        self.open = False

    def stop(self) -> None:
        self.stopped.set()

    def lines(self) -> Iterator[str]:
        approach, seed = self.job.approach, self.job.seed
        yield f"{STARTED}{approach} {seed}"
        yield from self.act(self, self.number)
        raw(approach, seed).write(self.directory)
        yield f"{DONE}{approach} {seed}"


class Heard:
    """Progress, written down."""

    def __init__(self) -> None:
        self.started_runs: list[tuple[str, int]] = []
        self.finished_runs: list[Outcome] = []

    def started(self, approach: str, seed: int) -> None:
        self.started_runs.append((approach, seed))

    def finished(self, single: Outcome, wall_s: float) -> None:
        self.finished_runs.append(single)


def plan(
    output: Path, act: Callable[[MadeUp, int], Iterable[str]], parallel: int = 1
) -> tuple[Plan, list[MadeUp]]:
    labs: list[MadeUp] = []

    def open_lab(job: Path, environment: Mapping[str, str]) -> MadeUp:
        labs.append(MadeUp(job, act))
        return labs[-1]

    made = Plan(
        scenario=Scenario(),
        runs=RUNS,
        output=output,
        lab="host",
        clock="real",
        open_lab=open_lab,
        environment={"PATH": "/usr/bin:/bin"},
        sealed=False,
        parallel=parallel,
    )
    return made, labs


def well(_lab: MadeUp, _number: int) -> Iterable[str]:
    return ["something that it says"]


@pytest.mark.parametrize("parallel", [1, 2, 4])
def test_every_run_is_made_and_in_the_order_that_was_asked_for(
    tmp_path: Path, parallel: int
) -> None:
    chosen, labs = plan(tmp_path, well, parallel)
    heard = Heard()
    outcome = run_comparison(chosen, heard)
    assert [(run.approach, run.seed) for run in outcome.runs] == list(RUNS)
    assert all(run.downtime_s == pytest.approx(0.1) for run in outcome.runs)
    assert outcome.environment.virtual_s == 40.0
    assert outcome.environment.kernel == "6.1"
    assert len(labs) == len(RUNS), "each run has a lab of its own"
    assert sorted(heard.started_runs) == sorted(RUNS)
    assert {len(single.runs) for single in heard.finished_runs} == {1}
    assert list(tmp_path.glob("**/run-*")) == [], "what is judged need not be kept"


def test_a_lab_that_dies_takes_its_own_run_only(tmp_path: Path) -> None:
    def dies(lab: MadeUp, number: int) -> Iterable[str]:
        if number == 1:
            raise LabError("the lab VM died: its kernel panicked\nconsole log: x")
        return []

    heard = Heard()
    outcome = run_comparison(plan(tmp_path, dies)[0], heard)
    died = outcome.runs[1]
    made = [run for run in outcome.runs if run is not died]
    assert [run.downtime_s for run in made] == [pytest.approx(0.1)] * 3, "the others go on"
    assert died.status is Status.FAILED
    assert died.errors[0].startswith("the lab VM died: its kernel panicked\nconsole log")
    assert [single.runs[0] for single in heard.finished_runs] == made


def test_a_lab_that_just_ends_is_told(tmp_path: Path) -> None:
    class Short(MadeUp):
        def lines(self) -> Iterator[str]:
            yield f"{STARTED}ipip 1"

    chosen, _ = plan(tmp_path, well)
    short = Plan(**{**vars(chosen), "open_lab": lambda job, _environment: Short(job, well)})
    outcome = run_comparison(short, Heard())
    assert "the lab ended before ipip was done" in outcome.runs[0].errors[0]
    assert str(tmp_path / "lab-0") in outcome.runs[0].errors[0]


def test_a_full_disk_is_told_with_its_remedy(tmp_path: Path) -> None:
    def full(lab: MadeUp, number: int) -> Iterable[str]:
        return [f"{BROKEN}cannot write the run to /x: No space left on device"] if number else []

    outcome = run_comparison(plan(tmp_path, full)[0], Heard())
    assert outcome.runs[0].downtime_s is not None
    assert "No space left on device" in outcome.runs[1].errors[0]
    assert "remedy: free some space" in outcome.runs[1].errors[0]


def test_a_run_that_is_not_whole_fails(tmp_path: Path) -> None:
    class Torn(MadeUp):
        def lines(self) -> Iterator[str]:
            for line in super().lines():
                if line.startswith(DONE):
                    for path in self.directory.glob("run-*"):
                        path.write_bytes(path.read_bytes()[:40])
                yield line

    chosen, _ = plan(tmp_path, well)
    torn = Plan(**{**vars(chosen), "open_lab": lambda job, _environment: Torn(job, well)})
    outcome = run_comparison(torn, Heard())
    assert all(run.status is Status.FAILED for run in outcome.runs)
    assert "not a whole run" in outcome.runs[0].errors[0]


def test_what_is_missing_on_this_machine_ends_the_comparison(tmp_path: Path) -> None:
    chosen, _ = plan(tmp_path, well)

    def open_lab(_job: Path, _environment: Mapping[str, str]) -> MadeUp:
        raise PrerequisiteError("no QEMU")

    with pytest.raises(PrerequisiteError, match="no QEMU"):
        run_comparison(Plan(**{**vars(chosen), "open_lab": open_lab}), Heard())


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("parallel", [1, 2])
def test_an_interruption_stops_every_lab_and_keeps_what_was_finished(
    tmp_path: Path, signum: signal.Signals, parallel: int
) -> None:
    all_are_there = threading.Barrier(parallel)

    def interrupted(lab: MadeUp, number: int) -> Iterable[str]:
        if number >= parallel:
            if all_are_there.wait(10) == 0:
                os.kill(os.getpid(), signum)
            assert lab.stopped.wait(10)
            # Somebody is impatient.
            os.kill(os.getpid(), signum)
            raise LabError("the lab VM was killed by signal SIGTERM")
        return []

    before = signal.getsignal(signum)
    chosen, labs = plan(tmp_path, interrupted, parallel)
    with pytest.raises(Interrupted) as caught:
        run_comparison(chosen, Heard())
    assert signal.getsignal(signum) is before
    assert not any(lab.open for lab in labs)
    runs = caught.value.outcome.runs
    assert [run.downtime_s is not None for run in runs[:parallel]] == [True] * parallel
    left = [run for run in runs if run.downtime_s is None]
    assert left
    assert all(run.status is Status.FAILED for run in left)
    assert all("killed" in error or "interrupted" in error for r in left for error in r.errors)


def test_what_the_user_looks_at_is_brought_out_of_the_lab(tmp_path: Path) -> None:
    def leaves(lab: MadeUp, number: int) -> Iterable[str]:
        approach, seed = lab.job.approach, lab.job.seed
        (lab.directory / f"{approach}-{seed}-gwa-wan.pcap").write_bytes(b"frames")
        (lab.directory / f"{approach}-{seed}-server.log").write_bytes(b"words")
        (lab.directory / "console.log").write_bytes(b"console")
        return []

    run_comparison(plan(tmp_path, leaves)[0], Heard())
    assert (tmp_path / "gre-2-gwa-wan.pcap").read_bytes() == b"frames"
    assert (tmp_path / "gre-2-server.log").read_bytes() == b"words"
    assert (tmp_path / "lab-0" / "console.log").is_file()


def test_a_second_comparison_in_one_directory_takes_new_lab_directories(tmp_path: Path) -> None:
    for _ in range(2):
        run_comparison(plan(tmp_path, well)[0], Heard())
    assert len(list(tmp_path.glob("lab-*"))) == 2 * len(RUNS)
