"""The lab on this host itself: the same worker, in real time, in namespaces of its own."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from netcont.errors import LabError, PrerequisiteError

_GRACE_S = 5.0


def require_root() -> None:
    """Raises PrerequisiteError if this process is not root's."""
    if os.geteuid() != 0:
        raise PrerequisiteError(
            "a lab on this host needs root", remedy="use sudo, or --lab vm, which needs none"
        )


class HostLab:
    """Runs one command as a child of this process; a context manager that always ends it.

    console_log gets its standard error. silent_limit_s: after that long without a line it is
    taken for hung.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        console_log: Path,
        environment: Mapping[str, str],
        silent_limit_s: float = 3600.0,
    ) -> None:
        require_root()
        self._command = list(command)
        self._environment = dict(environment)
        self._silent_limit_s = silent_limit_s
        self.console_log = console_log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.console_log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    def stop(self) -> None:
        """Ends the worker and its children; they undo what they did."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def lines(self) -> Iterator[str]:
        """The worker's lines as they come. Raises LabError if it hangs or fails."""
        assert self._process is not None and self._process.stdout is not None
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(self._silent_limit_s):
                    raise LabError(
                        f"the lab said nothing for {self._silent_limit_s:g} s",
                        remedy=f"see {self.console_log}",
                    )
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    break
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line.decode(errors="replace")
        self._process.wait()
