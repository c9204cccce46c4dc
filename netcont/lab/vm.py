"""Runs one command in the lab VM and hands back what it prints.

The guest sees the host's files read-only with memory laid over them, so it may write where it
likes and nothing of it stays; only the output directory is really written. The command's
standard output comes line by line; its standard error and the kernel's messages go to the
console log.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from netcont.errors import LabError
from netcont.lab.cache import LabFiles, in_use, lab_environment
from netcont.lab.qemu import VmSettings, qemu_command

__all__ = ["Vm", "VmSettings", "shell_in_vm"]

_TERMINATION_GRACE_S = 1.0
_LOG_TAIL_LINES = 15
_CONTROL_PREFIX = "netcont-vm-"
_ABANDONED_AFTER_S = 60.0


class Vm:
    """A lab VM that runs one command; a context manager that always stops what it started.

    command: argument vector, run as root in the guest, in the working directory of the caller.
    output_dir: writable in the guest, at the same path.
    console_log: made anew; the kernel's messages and the command's standard error.
    environment: laid over the guest's own (PATH and LD_LIBRARY_PATH of the cache, HOME, LANG).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        files: LabFiles,
        output_dir: Path,
        console_log: Path,
        settings: VmSettings | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = f"netcont-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.console_log = console_log
        self.exit_code: int | None = None
        self._command = tuple(command)
        self._files = files
        self._output_dir = output_dir.absolute()
        self._settings = settings if settings is not None else VmSettings()
        self._environment = dict(environment or {})
        self._resources = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._control_dir = Path()
        self._started_s = 0.0

    def __enter__(self) -> Vm:
        try:
            self._start()
        except BaseException:
            self._resources.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()

    def _start(self) -> None:
        self._resources.enter_context(in_use(self._files))
        self._output_dir.mkdir(parents=True, exist_ok=True)
        self.console_log.parent.mkdir(parents=True, exist_ok=True)
        self.console_log.write_bytes(b"")
        self._control_dir = _control_dir(self._resources)
        _write_control(
            self._control_dir,
            self._files,
            self._command,
            self._environment,
            output_dir=self._output_dir,
        )
        arguments = qemu_command(
            files=self._files,
            settings=self._settings,
            name=self.name,
            control_dir=self._control_dir,
            output_dir=self._output_dir,
            console_log=self.console_log.absolute(),
            interactive=False,
        )
        compile_sources()
        self._started_s = time.monotonic()
        # QEMU's own complaints belong into the same log as the guest's.
        with self.console_log.open("ab") as log:
            self._process = subprocess.Popen(
                # If this process is killed, so is the VM.
                ["setpriv", "--pdeathsig", "KILL", "--", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._resources.callback(stop_process, self._process)

    def lines(self) -> Iterator[str]:
        """Lines of the command's standard output, without their ends, as they come.

        After the last one, exit_code holds the command's exit code. A KeyboardInterrupt stops
        the VM at the end of the `with` block.
        Raises LabError if the VM does not start, panics, hangs or takes too long; the message
        names the console log and shows its end.
        """
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("the VM was not started: use `with Vm(...) as vm`")
        buffer = b""
        for chunk in self._chunks(self._process.stdout.fileno()):
            *complete, buffer = (buffer + chunk).split(b"\n")
            for line in complete:
                yield line.decode("utf-8", errors="replace")
        if buffer:
            yield buffer.decode("utf-8", errors="replace")
        self._finish()

    def _chunks(self, descriptor: int) -> Iterator[bytes]:
        """What arrives on the pipe until its end; the watchdog is here."""
        settings = self._settings
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                left_s = self._started_s + settings.limit_s - time.monotonic()
                ready = left_s > 0 and selector.select(min(settings.watchdog_s, left_s))
                if not ready and left_s <= settings.watchdog_s:
                    raise self._error(f"took more than {settings.limit_s:g} s and was stopped")
                if not ready:
                    raise self._error(
                        f"printed nothing for {settings.watchdog_s:g} s: it hangs and was stopped"
                    )
                chunk = os.read(descriptor, 65536)
                if not chunk:
                    return
                yield chunk

    def _finish(self) -> None:
        """QEMU has closed its output: learns how the command ended, or why it did not."""
        assert self._process is not None
        try:
            status = self._process.wait(timeout=_TERMINATION_GRACE_S)
        except subprocess.TimeoutExpired:
            raise self._error("closed its output but does not end") from None
        said = self._control_dir / "exit"
        text = said.read_text(encoding="ascii").strip() if said.is_file() else ""
        if text.isdigit():
            self.exit_code = int(text)
            return
        log = _read_log(self.console_log)
        if "Kernel panic" in log:
            raise self._error("died: its kernel panicked")
        if status < 0:
            raise self._error(f"was killed by signal {signal.Signals(-status).name}")
        if status > 0:
            raise self._error(f"did not start: QEMU ended with exit code {status}")
        raise self._error("went down before the command had ended")

    def stop(self) -> None:
        """Stops the VM now; lines() then ends with a LabError."""
        stop_process(self._process)

    def _error(self, what: str) -> LabError:
        stop_process(self._process)
        return LabError(
            f"the lab VM {what}\n{describe_log(self.console_log)}",
            remedy="read the console log; `netcont doctor` tells whether the lab can work here",
        )


def compile_sources() -> None:
    """Compiles netcont's own sources if that was not done: in the guest it would take seconds."""
    package = Path(__file__).parent.parent
    compileall.compile_dir(package, quiet=2)


def shell_in_vm(
    command: Sequence[str],
    *,
    files: LabFiles,
    console_log: Path,
    output_dir: Path | None = None,
    settings: VmSettings | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Runs command in a lab VM with this terminal attached; returns its exit code.

    Ctrl-C goes to the guest; Ctrl-a x ends the VM. Arguments are as for Vm.
    Raises LabError if the guest ends without the command having ended.
    """
    with ExitStack() as resources:
        resources.enter_context(in_use(files))
        console_log.parent.mkdir(parents=True, exist_ok=True)
        console_log.write_bytes(b"")
        control = _control_dir(resources)
        rows_columns = shutil.get_terminal_size()
        _write_control(
            control,
            files,
            command,
            {"TERM": os.environ.get("TERM", "dumb"), **(environment or {})},
            output_dir=output_dir,
            terminal_size=(rows_columns.lines, rows_columns.columns),
        )
        arguments = qemu_command(
            files=files,
            settings=settings if settings is not None else VmSettings(clock="real"),
            name=f"netcont-shell-{os.getpid()}",
            control_dir=control,
            output_dir=output_dir,
            console_log=console_log.absolute(),
            interactive=True,
        )
        # In the foreground process group, because QEMU has to set the terminal's mode.
        with console_log.open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *arguments], stderr=log
            )
        resources.callback(_stop_process, process)
        process.wait()
        said = control / "exit"
        if said.is_file() and (text := said.read_text(encoding="ascii").strip()).isdigit():
            return int(text)
    raise LabError(
        f"the lab VM ended before its command\n{describe_log(console_log)}",
        remedy="nothing, if it was ended by Ctrl-a x; else read the console log",
    )


def _control_dir(resources: ExitStack) -> Path:
    """A directory for one VM alone, by which it learns its command and tells its exit code.

    A caller that was killed leaves its directory behind: the next one removes it, knowing it by
    the lock that nobody holds any more.
    """
    for marker in Path(tempfile.gettempdir()).glob(f"{_CONTROL_PREFIX}*/lock"):
        _remove_abandoned(marker)
    directory = resources.enter_context(tempfile.TemporaryDirectory(prefix=_CONTROL_PREFIX))
    lock = resources.enter_context((Path(directory) / "lock").open("wb"))
    fcntl.flock(lock, fcntl.LOCK_EX)
    return Path(directory)


def _remove_abandoned(marker: Path) -> None:
    try:
        # Between the making of a file and its locking it looks abandoned as well.
        if time.time() - marker.stat().st_mtime < _ABANDONED_AFTER_S:
            return
        with marker.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(marker.parent)
    except OSError:
        # In use, another user's, or being removed by somebody else at this moment.
        return


def _write_control(
    control: Path,
    files: LabFiles,
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    output_dir: Path | None,
    terminal_size: tuple[int, int] | None = None,
) -> None:
    """Files that the guest's init reads; terminal_size (rows, columns) if there is one."""
    settings = {
        "modules": str(files.modules),
        "output": "" if output_dir is None else str(output_dir.absolute()),
        "terminal": "" if terminal_size is None else "/dev/ttyS1",
        "stty": "" if terminal_size is None else "sane rows {} columns {}".format(*terminal_size),
    }
    lines = [f"{key}={shlex.quote(value)}\n" for key, value in settings.items()]
    (control / "settings").write_text("".join(lines), encoding="utf-8")
    variables = {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        # Sets and dicts of strings in the same order in every run.
        "PYTHONHASHSEED": "0",
        **lab_environment(files),
        "NETCONT_LAB": "vm",
        **environment,
    }
    exports = [f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()]
    script = [*exports, f"cd {shlex.quote(str(Path.cwd()))}\n", f"exec {shlex.join(command)}\n"]
    (control / "command").write_text("".join(script), encoding="utf-8")


def stop_process(process: subprocess.Popen[bytes] | None) -> None:
    """Ends the process group that was started for a VM, gently first; then it is gone."""
    if process is None:
        return
    if process.poll() is None:
        # The process is its group's leader and not reaped yet: its id cannot be another's.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=_TERMINATION_GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _stop_process(process: subprocess.Popen[bytes]) -> None:
    """Ends a VM that shares the caller's process group."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_TERMINATION_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read_log(console_log: Path) -> str:
    try:
        return console_log.read_text(encoding="utf-8", errors="replace").replace("\r", "")
    except OSError as error:
        return f"(the console log cannot be read: {error})"


def describe_log(console_log: Path) -> str:
    """Where a console log is, its end, and the line of a panic if there is one."""
    lines = [line for line in _read_log(console_log).splitlines() if line.strip()]
    shown = lines[-_LOG_TAIL_LINES:]
    panics = [line for line in lines[:-_LOG_TAIL_LINES] if "Kernel panic" in line]
    if panics:
        shown = [panics[0], "…", *shown]
    heading = f"console log: {console_log}" + ("" if shown else " (empty)")
    return "\n".join([heading, *(f"  | {line}" for line in shown)])
