"""What reverts a change that nobody confirms: a process of its own, which outlives the session.

Under systemd it is a unit, so that the end of the login session does not end it; in a namespace
that is not systemd's, or without systemd, a detached process. If it is killed all the same, the
next netcont that looks at the record reverts.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from netcont.deploy.engine import Engine
from netcont.deploy.here import Here, is_host
from netcont.errors import NetcontError, PrerequisiteError

_SIGNALS = (signal.SIGHUP, signal.SIGINT)
_GRACE_S = 600.0


class Watcher:
    """Starts watches. state_dir: as of the engine's."""

    def __init__(self, state_dir: Path | None) -> None:
        self._state = state_dir

    def __call__(self, name: str, token: str, due_s: float) -> None:
        """Has the deployment reverted at that time on CLOCK_BOOTTIME. Raises PrerequisiteError."""
        state = str(self._state.absolute()) if self._state else ""
        own = [sys.executable, "-m", "netcont.deploy.watch", state, name, token, repr(due_s)]
        if _has_systemd():
            _with_systemd(f"netcont-revert-{token[:12]}", own)
            return
        subprocess.Popen(
            own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=_environment(),
        )


def _environment() -> dict[str, str]:
    """This very netcont is found again from another directory."""
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root}


def _has_systemd() -> bool:
    """Whether systemd runs here, and its units would be in this network namespace."""
    found = Path("/run/systemd/system").is_dir() and shutil.which("systemd-run") is not None
    return found and is_host()


def _with_systemd(unit: str, own: list[str]) -> None:
    path = f"--setenv=PYTHONPATH={_environment()['PYTHONPATH']}"
    command = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", path, *own]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PrerequisiteError(
            f"systemd-run: {done.stderr.strip()}",
            remedy="nothing was changed: mend systemd, or leave out --confirm-within",
        )


def watch(state: str, name: str, token: str, due_s: float) -> None:
    """Waits, then reverts; while another netcont is at work it tries again."""
    # Whoever started it had the signals held back.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_SIGNALS, signal.SIGTERM))
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    time.sleep(max(0.0, due_s - time.clock_gettime(time.CLOCK_BOOTTIME)))
    until_s = time.monotonic() + _GRACE_S
    while time.monotonic() < until_s:
        with Here() as node:
            try:
                Engine(node, Path(state) if state else None).revert(name, token)
            except NetcontError:
                time.sleep(1)
            else:
                return


if __name__ == "__main__":
    watch(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
