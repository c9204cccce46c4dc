"""A whole comparison, seen from the host: labs started side by side, their runs judged.

Every run has a lab of its own, so that no run can leave anything to the next: not a warm cache,
not a microsecond. Whether it is made alone, first, last or again changes nothing in it. Labs run
beside each other, one for each CPU, since an emulated machine keeps one CPU busy.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import netcont
from netcont.errors import LabError, NetcontError, PrerequisiteError
from netcont.lab.job import BROKEN, DONE, STARTED, RawRun, RunJob, read_run, run_file
from netcont.lab.resident import RESOLVER_FILES, needed_files, needed_links
from netcont.lab.results import bring_out
from netcont.lab.threads import INTERRUPTED, Lab, Labs, Worker, stopped_by_signals, wait_for
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
    "ip6_tunnel",
    "ip6_gre",
    "sch_netem",
    "af_packet",
)

Key = tuple[str, int]
"""An approach and a seed: one run."""


class Progress(Protocol):
    """Who wants to know how far it is. Called from several threads, one at a time for each lab."""

    def started(self, approach: str, seed: int) -> None:
        """A lab begins a run."""

    def finished(self, single: Outcome, wall_s: float) -> None:
        """A run is over, and judged: an outcome with this one run, which took wall_s."""


OpenLab = Callable[[Path, Mapping[str, str]], Lab]
"""Makes a lab for the job file at a path, whose directory is the lab's, and an environment."""


@dataclass(frozen=True)
class Plan:
    """What to compare, and where. sealed: labs see nothing of the host."""

    scenario: Scenario
    runs: tuple[Key, ...]
    output: Path
    lab: str
    clock: str
    open_lab: OpenLab
    sealed: bool
    environment: Mapping[str, str]
    parallel: int = 1
    pcap: bool = False
    programs: Mapping[str, str] = field(default_factory=dict)

    def nothing_yet(self) -> Outcome:
        """The outcome before the first run is made."""
        runs = tuple(_failed(key, "not made yet") for key in self.runs)
        return _outcome(self, runs, None, 0.0, None)


class Interrupted(KeyboardInterrupt):
    """The comparison was interrupted; all labs are stopped. outcome: what there is of it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(INTERRUPTED)
        self.outcome = outcome


def run_comparison(plan: Plan, progress: Progress) -> Outcome:
    """Makes every run and judges it. A run that could not be made is in the outcome as failed.

    Raises Interrupted after SIGINT, SIGTERM or SIGHUP, and PrerequisiteError if labs cannot run
    here.
    """
    began_s = time.monotonic()
    labs = Labs()
    first = len(list(plan.output.glob("lab-*")))
    works = [
        _Work(plan, plan.output / f"lab-{number}", key, progress, labs)
        for number, key in enumerate(plan.runs, first)
    ]

    def outcome() -> Outcome:
        runs = tuple(work.run or _failed(work.key, work.missing or INTERRUPTED) for work in works)
        kernel = next((work.kernel for work in works if work.kernel), None)
        virtual_s = [work.virtual_s for work in works if work.virtual_s is not None]
        wall_s = time.monotonic() - began_s
        return _outcome(plan, runs, kernel, wall_s, sum(virtual_s) if virtual_s else None)

    left = deque(works)

    def one_after_another() -> None:
        while left and not labs.stopped:
            left.popleft().make()

    threads = [Worker(one_after_another) for _ in range(min(plan.parallel, len(works)))]
    try:
        with stopped_by_signals(labs):
            wait_for(threads, labs)
    except KeyboardInterrupt:
        raise Interrupted(outcome()) from None
    return outcome()


def needed_by(scenario: Scenario, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Files that a lab VM must have in memory before it measures, and links that lead to them."""
    commands = ["named", "tcpdump"]
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
    # Looking for garbage while importing finds none, and is a tenth of the work.
    start = "import gc, sys; gc.disable(); from netcont.lab.worker import main"
    return [sys.executable, "-c", f"{start}; sys.exit(main(sys.argv[1]))", str(job)]


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


class _Work:
    """One run, made in a lab of its own. run: what came of it; missing: why there is none."""

    def __init__(
        self, plan: Plan, directory: Path, key: Key, progress: Progress, labs: Labs
    ) -> None:
        self._plan = plan
        self._directory = directory
        self._progress = progress
        self._labs = labs
        self.key = key
        self.run: Run | None = None
        self.missing: str | None = None
        self.kernel: str | None = None
        self.virtual_s: float | None = None

    def make(self) -> None:
        """Raises PrerequisiteError if the lab cannot run here."""
        try:
            self._make()
        except PrerequisiteError:
            raise
        except NetcontError as error:
            self._give_up(str(error))
        except OSError as error:
            if not self._labs.stopped:
                self._give_up(f"{self._directory}: {error.strerror or error}")
        if self._labs.stopped:
            self._give_up(INTERRUPTED)

    def _give_up(self, reason: str) -> None:
        if self.run is None and self.missing is None:
            self.missing = reason

    def _make(self) -> None:
        plan, directory = self._plan, self._directory
        directory.mkdir(parents=True)
        job = self._job()
        environment = worker_environment(plan.environment)
        began_s = time.monotonic()
        with self._labs.running(plan.open_lab(job.write(directory), environment)) as lab:
            done = False
            for line in lab.lines():
                done = self._hears(line) or done
        if done:
            self._judge(began_s)
        elif not self._labs.stopped:
            raise LabError(
                f"the lab ended before {self.key[0]} was done",
                remedy=f"its console and errors are in {directory}",
            )

    def _job(self) -> RunJob:
        plan, (approach, seed) = self._plan, self.key
        # Only what concerns this run: what else is compared, or by whom, changes nothing in it.
        scenario = replace(plan.scenario, name="", seed=seed, approaches=(approach,))
        resident: tuple[str, ...] = ()
        if not plan.sealed and plan.lab == "vm":
            resident = needed_by(scenario, plan.environment)
        # A sealed lab has all that it needs in its boot archive, and its modules are loaded.
        return RunJob(
            scenario=scenario,
            approach=approach,
            seed=seed,
            resident=resident,
            modules=() if plan.sealed else MODULES,
            pcap=plan.pcap,
        )

    def _hears(self, line: str) -> bool:
        """Whether a line of the worker's says that its run is done."""
        if line.startswith(STARTED):
            self._progress.started(*self.key)
        elif line.startswith(BROKEN):
            raise LabError(
                line.removeprefix(BROKEN), remedy="free some space, or choose another --out"
            )
        return line.startswith(DONE)

    def _judge(self, began_s: float) -> None:
        bring_out(self._directory, self._plan.output)
        path = self._plan.output / run_file(*self.key)
        raw = read_run(path)
        path.unlink()
        run = _judged(self._plan.scenario, self.key, raw)
        self.run, self.kernel, self.virtual_s = run, raw.kernel, raw.virtual_s
        wall_s = time.monotonic() - began_s
        single = _outcome(self._plan, (run,), raw.kernel, wall_s, raw.virtual_s)
        self._progress.finished(single, wall_s)


def _outcome(
    plan: Plan, runs: tuple[Run, ...], kernel: str | None, wall_s: float, virtual_s: float | None
) -> Outcome:
    return Outcome(
        schema_version=SCHEMA_VERSION,
        scenario=plan.scenario,
        environment=Environment(
            clock=plan.clock,
            lab=plan.lab,
            kernel=kernel,
            wall_s=round(wall_s, 3),
            virtual_s=virtual_s,
            netcont=netcont.__version__,
            programs=dict(plan.programs),
        ),
        runs=runs,
    )


def _judged(scenario: Scenario, key: Key, raw: RawRun) -> Run:
    record = raw.record()
    if record is not None:
        return judge(scenario, record)
    return _failed(key, raw.failure or "it was not made")


def _failed(key: Key, reason: str) -> Run:
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
