"""What a lab is told to do, and what it brings back: files that only netcont's two halves share."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from netcont.errors import LabError
from netcont.lab.clients.findings import Findings, ServiceRecords
from netcont.model.samples import Frame, MoveRecord, RunRecord
from netcont.model.scenario import ClientKind, Scenario

JOB_FILE = "job.pickle"
STARTED = "netcont-lab: started "
DONE = "netcont-lab: done "
BROKEN = "netcont-lab: broken "

HEADERS_ABOVE_BYTES = 256 * 2**20
"""Of guests with more memory captures keep only the heads of frames: all of it crosses
the links."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a lab is made of.

    resident: files to bring into memory. modules: kernel modules to load beforehand. scratch:
    where the lab keeps its files while it measures (a tmpfs).
    """

    scenario: Scenario
    resident: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    scratch: str = "/run/netcont"

    def write(self, directory: Path) -> Path:
        """Leaves the job in directory, for the lab to read."""
        path = directory / JOB_FILE
        with path.open("wb") as file:
            pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
            # Equal jobs are equal bytes, and so equal labs: otherwise it would matter which texts
            # in it are one object, and with that who chose the approach.
            pickler.fast = True
            pickler.dump(self)
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """The job left at path."""
        job = pickle.loads(path.read_bytes())
        assert isinstance(job, cls)
        return job


@dataclass(frozen=True, kw_only=True)
class RunJob(Job):
    """One run to make in a lab."""

    approach: str
    seed: int
    pcap: bool = False

    @property
    def has_programs(self) -> bool:
        """Whether programs of the user's run in it."""
        return self.scenario.server is not None or any(
            client.kind is ClientKind.PROGRAM for client in self.scenario.client
        )


@dataclass(frozen=True)
class RawRun:
    """One run as the lab recorded it, in flat arrays.

    failure: why the run could not be made. opened: what was opened outside of the lab's memory
    while it measured.
    """

    approach: str
    seed: int
    begin_s: float
    fast_stop_s: float
    observed_until_s: float
    move: MoveRecord | None
    findings: tuple[Findings, ...]
    service: ServiceRecords
    overhead_before: tuple[Frame, ...] = ()
    overhead_after: tuple[Frame, ...] = ()
    old_address: str = ""
    new_address: str = ""
    host_reads: int | None = None
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    virtual_s: float = 0.0
    kernel: str = ""
    failure: str | None = None
    opened: tuple[str, ...] = ()
    extra: dict[str, float] = field(default_factory=dict)

    def write(self, directory: Path) -> Path:
        """Leaves the run in directory under a name that follows from it."""
        path = directory / run_file(self.approach, self.seed)
        path.write_bytes(pickle.dumps(self, pickle.HIGHEST_PROTOCOL))
        return path

    def record(self) -> RunRecord | None:
        """The run's samples; None if it was not made."""
        if self.move is None:
            return None
        return RunRecord(
            approach=self.approach,
            seed=self.seed,
            window_s=(self.begin_s, self.fast_stop_s),
            observed_until_s=self.observed_until_s,
            move=self.move,
            clients=tuple(f.with_service(self.service).record() for f in self.findings),
            overhead_before=self.overhead_before,
            overhead_after=self.overhead_after,
            old_address=self.old_address,
            new_address=self.new_address,
            host_reads=self.host_reads,
            notes=self.notes,
            errors=self.errors,
            extra=self.extra,
        )


def run_file(approach: str, seed: int) -> str:
    """The name of a run's file."""
    return f"run-{approach}-{seed}.pickle"


def read_run(path: Path) -> RawRun:
    """The run left at path. Raises LabError if it is not whole."""
    try:
        run = pickle.loads(path.read_bytes())
    except (OSError, pickle.UnpicklingError, EOFError) as error:
        raise LabError(f"{path}: not a whole run: {error}") from error
    assert isinstance(run, RawRun)
    return run
