"""The lab by hand: a shell in it, or one command in its VM."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from netcont.errors import ConfigurationError, LabError
from netcont.lab.cache import LabFiles, lab_environment
from netcont.lab.comparison import MODULES, worker_environment
from netcont.lab.job import Job
from netcont.lab.places import Place
from netcont.lab.qemu import VmSettings
from netcont.lab.vm import Vm, compile_sources, shell_in_vm
from netcont.model.scenario import Scenario

# While it imports there is nothing to take down: ^C then ends it at once, without a traceback.
_CONSOLE = """\
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
from netcont.lab.console import main
sys.exit(main(sys.argv[1]))
"""

_ERRORS_APART = 'errors=$1; shift; exec 2>>"$errors"; exec "$@"'


def require_terminal() -> None:
    """Raises ConfigurationError if nobody can type here."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigurationError(
            "the lab's shell needs a terminal",
            remedy="start it from one, or run a single command: netcont lab run -- COMMAND",
        )


def open_shell(scenario: Scenario, place: Place) -> int:
    """Builds the scenario's topology in a lab and gives this terminal to Mininet's CLI there.

    Returns the exit code. Raises ConfigurationError without a terminal, LabError if the lab ends
    before its user has ended it.
    """
    require_terminal()
    with _directory() as directory, _terminal_kept():
        scratch = f"/run/netcont-shell-{os.getpid()}"
        job = Job(scenario=scenario, modules=MODULES, scratch=scratch)
        command = [sys.executable, "-c", _CONSOLE, str(job.write(directory))]
        if place.files is None:
            return _foreground(command, worker_environment(dict(os.environ)))
        compile_sources()
        return shell_in_vm(
            command,
            files=place.files,
            console_log=directory / "console.log",
            settings=VmSettings(clock=place.clock),
            environment=worker_environment(lab_environment(place.files)),
        )


def run_command(
    command: Sequence[str],
    files: LabFiles,
    settings: VmSettings,
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> int:
    """Runs a command in a lab VM and returns its exit code.

    say gets each line of its output, complain what it writes to its standard error. Raises
    LabError if the VM does not live to its end.
    """
    with _directory() as directory:
        # The VM's own standard error is the kernel's as well: the command gets a file of its own.
        errors = directory / "errors"
        errors.touch()
        apart = ["/bin/sh", "-c", _ERRORS_APART, "netcont", str(errors), *command]
        with (
            errors.open(encoding="utf-8", errors="replace") as written,
            Vm(
                apart,
                files=files,
                output_dir=directory,
                console_log=directory / "console.log",
                settings=settings,
            ) as vm,
        ):
            for line in vm.lines():
                say(line)
                complain(written.read())
            complain(written.read())
            assert vm.exit_code is not None
            return vm.exit_code


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    """A directory for one lab; it stays if the lab failed and left something in its log."""
    path = Path(tempfile.mkdtemp(prefix="netcont-shell-"))
    keep = False
    try:
        yield path
    except LabError:
        log = path / "console.log"
        keep = log.is_file() and log.stat().st_size > 0
        raise
    finally:
        if not keep:
            shutil.rmtree(path)


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """The terminal's modes are afterwards what they were, however the lab ended."""
    modes = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, modes)


def _foreground(command: Sequence[str], environment: dict[str, str]) -> int:
    """Runs a command with this terminal; ^C is the command's to answer."""
    # If this process is killed, the command takes its lab down.
    guarded = ["setpriv", "--pdeathsig", "TERM", "--", *command]
    with subprocess.Popen(guarded, env=environment) as process:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            code = process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
            if process.poll() is None:
                process.terminate()
    return code if code >= 0 else 128 - code
