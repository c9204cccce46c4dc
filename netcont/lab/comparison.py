"""A whole comparison, seen from the host: labs started side by side, their runs judged.

A lab makes several runs one after the other; labs run beside each other, one for each CPU, since
an emulated machine keeps one CPU busy. Which lab makes which run changes nothing: every run
builds its network anew and begins at an instant of the clock that does not depend on what came
before.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import netcont
from netcont.errors import LabError, NetcontError
from netcont.lab.job import DONE, STARTED, Job, RawRun, read_run, run_file
from netcont.lab.resident import RESOLVER_FILES, needed_files, needed_links
from netcont.measure.verdict import judge
from netcont.model.outcome import SCHEMA_VERSION, Environment, Outcome, Run, Status
from netcont.model.scenario import ClientKind, Scenario

MODULES = (
    "veth",
    "bridge",
    "8021q",
    "vxlan",
    "ipip",
    "ip_gre",
    "sch_netem",
    "af_packet",
)


class Progress(Protocol):
    """Who wants to know how far it is."""

    def __call__(self, event: str, run: str) -> None:
        """event: "started" or "done"; run: approach and seed."""


class Lab(Protocol):
    """A place where a worker can run (netcont.lab.vm.Vm, or this host itself)."""

    def lines(self) -> Iterable[str]:
        """The worker's lines as they come, until it ends."""


@dataclass(frozen=True)
class Plan:
    """What to compare, and where. open_lab starts a lab for one command, as a context manager."""

    scenario: Scenario
    runs: tuple[tuple[str, int], ...]
    output: Path
    lab: str
    clock: str
    open_lab: Callable[..., object]
    environment: Mapping[str, str]
    parallel: int = 1
    pcap: bool = False
    programs: Mapping[str, str] = field(default_factory=dict)


def run_comparison(plan: Plan, progress: Progress) -> Outcome:
    """Makes every run and judges it. A run that could not be made is in the outcome as failed.

    Raises KeyboardInterrupt after all labs were stopped; what was finished lies in plan.output.
    """
    began = time.monotonic()
    shares = [share for share in _shares(plan.runs, plan.parallel) if share]
    failures: dict[tuple[str, int], str] = {}
    stop = threading.Event()
    with ThreadPoolExecutor(len(shares)) as pool:
        waiting = [
            pool.submit(_one_lab, plan, number, share, progress, stop)
            for number, share in enumerate(shares)
        ]
        try:
            for share, future in zip(shares, waiting, strict=True):
                try:
                    future.result()
                except NetcontError as error:
                    failures |= dict.fromkeys(share, str(error))
        except KeyboardInterrupt:
            stop.set()
            raise
    raws = {key: _read(plan.output, *key) for key in plan.runs}
    return outcome_of(plan, raws, failures, time.monotonic() - began)


def outcome_of(
    plan: Plan,
    raws: Mapping[tuple[str, int], RawRun | None],
    failures: Mapping[tuple[str, int], str],
    wall_s: float,
) -> Outcome:
    """The outcome of what was brought back; what is missing is a failed run that says why."""
    runs = tuple(
        _judged(plan.scenario, key, raws.get(key), failures.get(key, "it was not made"))
        for key in plan.runs
    )
    made = [raw for raw in raws.values() if raw is not None]
    return Outcome(
        schema_version=SCHEMA_VERSION,
        scenario=plan.scenario,
        environment=Environment(
            clock=plan.clock,
            lab=plan.lab,
            kernel=next((raw.kernel for raw in made), None),
            wall_s=round(wall_s, 3),
            virtual_s=sum(raw.virtual_s for raw in made) if made else None,
            netcont=netcont.__version__,
            programs=dict(plan.programs),
        ),
        runs=runs,
    )


def needed_by(scenario: Scenario, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Files that a lab VM must have in memory before it measures."""
    commands = ["named"]
    if scenario.server is not None:
        commands.append(scenario.server.command)
    commands += [
        client.command
        for client in scenario.client
        if client.kind is ClientKind.PROGRAM and client.command
    ]
    return (
        *RESOLVER_FILES,
        *needed_links(commands, environment),
        *needed_files(commands, environment),
    )


def worker_command(job: Path) -> list[str]:
    """What a lab executes."""
    return [sys.executable, "-m", "netcont.lab.worker", str(job)]


def worker_environment(base: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment: the same in every lab, whoever started it."""
    root = Path(netcont.__file__).resolve().parent.parent
    # Mininet needs distutils; where Python still has it, setuptools' own copy, and all of
    # setuptools with it, need not be imported: a third of the worker's start.
    own_distutils = {"SETUPTOOLS_USE_DISTUTILS": "stdlib"} if sys.version_info < (3, 12) else {}
    return {
        **base,
        **own_distutils,
        "PYTHONPATH": str(root),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
    }


def _shares(runs: Sequence[tuple[str, int]], count: int) -> list[tuple[tuple[str, int], ...]]:
    return [tuple(runs[first::count]) for first in range(count)]


def _one_lab(
    plan: Plan,
    number: int,
    share: tuple[tuple[str, int], ...],
    progress: Progress,
    stop: threading.Event,
) -> None:
    directory = plan.output / f"lab-{number}"
    directory.mkdir(parents=True, exist_ok=True)
    resident = needed_by(plan.scenario, plan.environment) if plan.lab == "vm" else ()
    job = Job(plan.scenario, share, resident, MODULES, pcap=plan.pcap)
    path = job.write(directory)
    left = list(share)
    with ExitStack() as stack:
        lab = stack.enter_context(
            plan.open_lab(worker_command(path), directory, worker_environment(plan.environment))  # type: ignore[arg-type]
        )
        watcher = _Watcher(stop, lab)
        stack.enter_context(watcher)
        for line in lab.lines():
            for mark, event in ((STARTED, "started"), (DONE, "done")):
                if line.startswith(mark):
                    progress(event, line.removeprefix(mark).strip())
            if line.startswith(DONE):
                left.pop(0)
                _bring_out(directory, plan.output)
    _bring_out(directory, plan.output)
    if left and not stop.is_set():
        raise LabError(
            f"the lab ended before {left[0][0]} was done",
            remedy=f"its console and errors are in {directory}",
        )


class _Watcher:
    """Stops a lab when the comparison is stopped."""

    def __init__(self, stop: threading.Event, lab: object) -> None:
        self._stop = stop
        self._lab = lab
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            if self._stop.is_set():
                self._lab.stop()  # type: ignore[attr-defined]
                return


def _bring_out(directory: Path, output: Path) -> None:
    for path in directory.glob("run-*.pickle"):
        shutil.move(path, output / path.name)


def _read(output: Path, approach: str, seed: int) -> RawRun | None:
    path = output / run_file(approach, seed)
    if not path.exists():
        return None
    raw = read_run(path)
    path.unlink()
    return raw


def _judged(scenario: Scenario, key: tuple[str, int], raw: RawRun | None, missing: str) -> Run:
    record = raw.record() if raw is not None else None
    if record is not None:
        return judge(scenario, record)
    reason = raw.failure if raw is not None and raw.failure else missing
    return Run(
        approach=key[0],
        seed=key[1],
        status=Status.FAILED,
        downtime_s=None,
        migration_s=None,
        bytes_moved=None,
        memory_equal=None,
        floor_s=None,
        clients=(),
        new_connections=None,
        overhead_bytes_per_packet=None,
        errors=(reason,),
    )
