"""Starts a sealed lab VM, and reads what it prints.

Its output goes to a regular file: unlike a pipe, a file never makes the guest wait for its
reader, so that how fast the host reads changes nothing in the guest.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from netcont.errors import LabError
from netcont.lab.cache import LabFiles, in_use
from netcont.lab.qemu import VmSettings, sealed_command
from netcont.lab.sealed import SealedFiles, job_archive
from netcont.lab.sealed_files import SEALED, take_file
from netcont.lab.vm import describe_log, stop_process

_LOOK_MS = 100
_EXIT_MARK = "netcont-exit: "

SEALED_JOB = Path("/netcont/job/job.pickle")
"""Where the job is in every sealed lab: the same path, so that nothing depends on the host's."""


def guest_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the command's environment becomes in a sealed lab."""
    return {**environment, SEALED: "1", "HOME": "/root", "NETCONT_LAB": "vm"}


class SealedVm:
    """A lab VM that sees nothing of the host; a context manager that always stops what it started.

    command: argument vector of the worker; environment: all of its environment; sealed: its
    interpreter, libraries and programs; inputs: path in the guest -> file of the host that it sees
    there. Files that it sends (see netcont.lab.sealed_files) appear in output_dir.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        files: LabFiles,
        sealed: SealedFiles,
        environment: Mapping[str, str],
        inputs: Mapping[Path, Path],
        output_dir: Path,
        console_log: Path,
        settings: VmSettings,
    ) -> None:
        self.console_log = console_log
        self.exit_code: int | None = None
        self._files = files
        self._sealed = sealed
        self._settings = settings
        self._output_dir = output_dir
        self._environment = guest_environment(environment)
        self._command = tuple(command)
        self._inputs = dict(inputs)
        self._resources = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
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
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def stop(self) -> None:
        """Stops the VM now; lines() then ends with a LabError."""
        if self._process is not None:
            stop_process(self._process)

    def _start(self) -> None:
        self._resources.enter_context(in_use(self._files))
        home = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="netcont-")))
        boot = home / "boot.cpio"
        with (
            boot.open("wb") as out,
            self._files.initramfs.open("rb") as first,
            self._sealed.open(self._environment) as second,
        ):
            for part in (first, second):
                shutil.copyfileobj(part, out)
                out.write(b"\0" * (-out.tell() % 512))
            out.write(job_archive(self._command, self._environment, self._inputs))
        self._out = home / "out"
        self._out.touch()
        self.console_log.write_bytes(b"")
        arguments = sealed_command(
            kernel=self._files.kernel_image,
            initramfs=boot,
            settings=self._settings,
            name=home.name,
            output=self._out,
            console_log=self.console_log.absolute(),
        )
        with self.console_log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._resources.callback(stop_process, self._process)

    def lines(self) -> Iterator[str]:
        """Lines of the command's output as they come. Raises LabError as Vm.lines does."""
        assert self._process is not None
        rest = b""
        with self._out.open("rb") as out:
            for chunk in self._chunks(out):
                *whole, rest = (rest + chunk).split(b"\n")
                for raw in whole:
                    line = raw.decode(errors="replace")
                    if line.startswith(_EXIT_MARK):
                        self.exit_code = int(line.removeprefix(_EXIT_MARK))
                    elif not take_file(line, self._output_dir):
                        yield line
        self._finish()

    def _chunks(self, out: BinaryIO) -> Iterator[bytes]:
        assert self._process is not None
        started_s = heard_s = time.monotonic()
        watch = select.poll()
        descriptor = os.pidfd_open(self._process.pid)
        try:
            watch.register(descriptor, select.POLLIN)
            while True:
                ended = watch.poll(_LOOK_MS)
                chunk = out.read()
                now_s = time.monotonic()
                if chunk:
                    heard_s = now_s
                    yield chunk
                elif ended:
                    return
                elif now_s - heard_s > self._settings.watchdog_s:
                    raise self._error(
                        f"printed nothing for {self._settings.watchdog_s:g} s:"
                        " it hangs and was stopped"
                    )
                elif now_s - started_s > self._settings.limit_s:
                    raise self._error(
                        f"took longer than {self._settings.limit_s:g} s and was stopped"
                    )
        finally:
            os.close(descriptor)

    def _finish(self) -> None:
        assert self._process is not None
        self._process.wait()
        if self.exit_code is None:
            log = self.console_log.read_text(errors="replace")
            raise self._error(
                "died: its kernel panicked" if "Kernel panic" in log else "ended without a result"
            )

    def _error(self, what: str) -> LabError:
        self.stop()
        return LabError(
            f"the lab VM {what}\n{describe_log(self.console_log)}",
            remedy="read the console log; `netcont doctor` tells whether the lab can work here",
        )
