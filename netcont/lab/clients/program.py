"""program: any program of the user's, run where the client stands."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Final

from netcont.lab.clients.findings import Findings
from netcont.lab.clients.forked import die_with_parent
from netcont.lab.clients.spec import (
    FAST_NAP_S,
    FAST_STOP,
    GIVE_UP,
    SILENT_NAP_S,
    ClientSpec,
    Control,
)
from netcont.lab.clients.stream import poll_ms

OUTPUT_BYTES: Final = 65536
SHELL: Final = "/bin/sh"


def output_files(spec: ClientSpec) -> tuple[Path, Path]:
    """Where the program's stdout and stderr go: in memory, if output_dir is a tmpfs."""
    stem = spec.name.replace("/", "_")
    return Path(spec.output_dir) / f"{stem}.out", Path(spec.output_dir) / f"{stem}.err"


def _become_program(probe: int) -> None:
    die_with_parent(probe)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _start(spec: ClientSpec, out: Path, err: Path) -> subprocess.Popen[bytes]:
    with out.open("wb") as stdout, err.open("wb") as stderr:
        # Its own session: the whole of it can be killed, and the terminal's ^C does not reach it.
        return subprocess.Popen(
            [SHELL, "-c", spec.command or ""],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=partial(_become_program, os.getpid()),
        )


def _wait(program: subprocess.Popen[bytes], control: Control) -> bool:
    """Until the program ended (True) or the instant to give up came (False)."""
    clock, instants = time.monotonic, control.instants
    watch = select.poll()
    descriptor = os.pidfd_open(program.pid)
    try:
        watch.register(descriptor, select.POLLIN)
        while (now_s := clock()) < instants[GIVE_UP]:
            nap_s = FAST_NAP_S if now_s < instants[FAST_STOP] else SILENT_NAP_S
            if watch.poll(poll_ms(min(nap_s, instants[GIVE_UP] - now_s))):
                return True
        return False
    finally:
        os.close(descriptor)


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - OUTPUT_BYTES))
        return file.read().decode(errors="replace")


def run(spec: ClientSpec, control: Control) -> Findings:
    """Run the program to its end, or kill it when watching ends; its output says so then.

    exit_code is None for a program that did not end by itself, negative (as subprocess has it)
    for one that a signal ended.
    """
    findings = Findings(spec)
    out, err = output_files(spec)
    program = _start(spec, out, err)
    findings.connected_s = time.monotonic()
    if _wait(program, control):
        findings.exit_code = program.wait()
        note = ""
    else:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        note = "[netcont: still running when the observation ended; killed]\n"
    findings.ended_s = time.monotonic()
    findings.output = _tail(out) + _tail(err) + note
    return findings
