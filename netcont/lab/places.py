"""Where labs run: the VM on any host, or this host itself; and what each of them is given."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netcont.errors import ConfigurationError, PrerequisiteError
from netcont.lab.cache import LabFiles, find_lab_files, lab_environment
from netcont.lab.comparison import Plan, worker_command
from netcont.lab.host import HostLab, require_root
from netcont.lab.job import HEADERS_ABOVE_BYTES
from netcont.lab.qemu import QEMU, QEMU_REMEDY, Clock, VmSettings
from netcont.lab.sealed import SealedFiles
from netcont.lab.sealed_vm import SEALED_JOB, SealedVm
from netcont.lab.threads import Lab
from netcont.lab.vm import Vm
from netcont.model.scenario import ClientKind, Scenario

_MIB = 2**20
_VM_MEMORY_BYTES = 1024 * _MIB
# A run prints nothing while it measures: the VM is taken for hung only after a long run's time.
_SILENCE_S = 900.0
_START_S = 600.0


@dataclass(frozen=True)
class Place:
    """A kind of lab, its clock, and how many of them run side by side."""

    lab: str
    clock: Clock
    parallel: int
    files: LabFiles | None

    def plan(
        self,
        scenario: Scenario,
        runs: tuple[tuple[str, int], ...],
        output: Path,
        pcap: bool,
    ) -> Plan:
        """The comparison, to be run here."""
        settings = VmSettings(
            memory_bytes=_memory_bytes(scenario, pcap),
            clock=self.clock,
            watchdog_s=_SILENCE_S,
            limit_s=_START_S + _SILENCE_S,
        )

        sealed = self.files is not None and not uses_programs(scenario)
        packed = None if self.files is None else SealedFiles(self.files.root.parent)

        def open_lab(job: Path, environment: Mapping[str, str]) -> Lab:
            console_log = job.parent / "console.log"
            if self.files is None or packed is None:
                command = worker_command(job)
                return HostLab(command, console_log=console_log, environment=environment)
            if sealed:
                return SealedVm(
                    worker_command(SEALED_JOB),
                    files=self.files,
                    sealed=packed,
                    environment=environment,
                    inputs={SEALED_JOB: job},
                    output_dir=job.parent,
                    console_log=console_log,
                    settings=settings,
                )
            return Vm(
                worker_command(job),
                files=self.files,
                output_dir=job.parent,
                console_log=console_log,
                settings=settings,
                environment=environment,
            )

        return Plan(
            scenario=scenario,
            runs=runs,
            output=output,
            lab=self.lab,
            clock=self.clock,
            open_lab=open_lab,
            sealed=sealed,
            environment=dict(os.environ) if self.files is None else lab_environment(self.files),
            parallel=self.parallel,
            pcap=pcap,
            programs=dict(self.files.packages) if self.files is not None else {},
        )


def uses_programs(scenario: Scenario) -> bool:
    """Whether programs of the user's take part: they need a view of the host's files."""
    return scenario.server is not None or any(
        client.kind is ClientKind.PROGRAM for client in scenario.client
    )


def _memory_bytes(scenario: Scenario, pcap: bool) -> int:
    """Two images and their copies; captures hold all of the guest's memory once for each link.

    The file systems in memory get half of it.
    """
    images = 4 * scenario.guest.memory_bytes
    frames = 12 * min(scenario.guest.memory_bytes, HEADERS_ABOVE_BYTES) if pcap else 0
    return _VM_MEMORY_BYTES + images + frames


def choose(lab: str, clock: Clock | None, jobs: int | None, runs: int) -> Place:
    """The lab to use. auto: the VM wherever it can run, because its results repeat.

    Raises PrerequisiteError if the lab cannot run here, ConfigurationError for a clock that it
    does not have.
    """
    try:
        files = None if lab == "host" else _vm_files()
    except PrerequisiteError:
        if lab == "vm" or os.geteuid() != 0:
            raise
        files = None
    if files is None:
        require_root()
        if clock == "virtual":
            raise ConfigurationError(
                "this host's own clock is real", remedy="use --lab vm for virtual time"
            )
        return Place("host", "real", 1, None)
    chosen: Clock = clock or "virtual"
    # Beside each other, virtual clocks do not disturb one another; real ones do.
    most = (os.cpu_count() or 1) if chosen == "virtual" else 1
    return Place("vm", chosen, min(jobs or most, runs), files)


def _vm_files() -> LabFiles:
    if shutil.which(QEMU) is None:
        raise PrerequisiteError(f"{QEMU} is missing: the lab VM needs it", remedy=QEMU_REMEDY)
    return find_lab_files()
