"""Inside the lab: reads a job, makes its run, leaves it in the job's directory.

Started by netcont itself (netcont.lab.comparison.worker_command). Everything is imported here,
once, before the first clock is read: later imports would read from the host while virtual time
jumps.
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401  (getaddrinfo would import it in the first probe)
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

import netcont.kernel.netem  # else the making of paths would
import netcont.kernel.record_update  # noqa: F401  (else a move's midst would)
from netcont.errors import NetcontError
from netcont.lab.clients.findings import ServiceRecords
from netcont.lab.job import BROKEN, DONE, STARTED, RawRun, RunJob
from netcont.lab.memory import keep_in_memory
from netcont.lab.network import LabNetwork
from netcont.lab.resident import bring_into_memory, own_mounts, replace_file, show_tracing
from netcont.lab.run import make_run
from netcont.lab.sealed_files import SEALED, send_files
from netcont.model.scenario import Scenario

_NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"


def main(job_path: str) -> int:
    """Makes the job's run; returns 1 if it could not be made."""
    path = Path(job_path)
    job = RunJob.read(path)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scratch = Path(job.scratch) / str(os.getpid())
    settle_in(job.scenario, job.resident, job.modules, scratch)
    print(f"{STARTED}{job.approach} {job.seed}", flush=True)
    run = _undisturbed(job, scratch, path.parent)
    try:
        run.write(path.parent)
    except OSError as error:
        print(f"{BROKEN}cannot write the run to {path.parent}: {error.strerror}", flush=True)
        return 1
    if SEALED in os.environ:
        send_files((file for file in path.parent.iterdir() if file != path), sys.stdout)
    print(f"{DONE}{job.approach} {job.seed}", flush=True)
    return int(run.failure is not None)


def _undisturbed(job: RunJob, scratch: Path, keep: Path) -> RawRun:
    """The run; made again if programs of the user's read from the host, with that in memory."""
    run = _attempt(job, scratch, keep)
    if not run.host_reads or not job.has_programs:
        return run
    left = keep_in_memory(run.opened, scratch / "opened")
    print(
        f"netcont-lab: {job.approach} {job.seed} again, {run.host_reads} reads; left: {left}",
        file=sys.stderr,
        flush=True,
    )
    return _attempt(job, scratch, keep)


def _attempt(job: RunJob, scratch: Path, keep: Path) -> RawRun:
    try:
        return make_run(job.scenario, job.approach, job.seed, scratch, keep=keep, pcap=job.pcap)
    except (NetcontError, OSError) as error:
        traceback.print_exc()
        return RawRun(
            approach=job.approach,
            seed=job.seed,
            begin_s=0.0,
            fast_stop_s=0.0,
            observed_until_s=0.0,
            move=None,
            findings=(),
            service=ServiceRecords(),
            kernel=os.uname().release,
            failure=str(error)
            if isinstance(error, NetcontError)
            else f"{type(error).__name__}: {error}",
        )


def settle_in(
    scenario: Scenario, resident: Iterable[str], modules: Iterable[str], scratch: Path
) -> None:
    """Mounts, memory and modules: all that must be there before anything is measured.

    For this process only; scratch is a directory in memory that does not exist yet.
    """
    scratch.mkdir(parents=True)
    own_mounts()
    resident = tuple(resident)
    if resident:
        show_tracing()
    bring_into_memory(resident, scratch / "files")
    resolver = LabNetwork(scenario).layout.names.resolver
    replace_file(
        "/etc/resolv.conf",
        f"nameserver {resolver}\noptions timeout:1 attempts:1\n",
        scratch / "etc",
    )
    replace_file("/etc/nsswitch.conf", _NSSWITCH, scratch / "etc")
    # The C library's resolver is mapped from the host too: its pages come in with its first use.
    with contextlib.suppress(OSError):
        socket.getaddrinfo(f"warm.{scenario.dns.zone}", None)
    for module in modules:
        # One that is missing shows when a plan needs it, with the kernel's own words.
        subprocess.run(["modprobe", "-q", module], check=False)
