"""An agent as a process that outlives who started it: started, looked at, stopped.

Its files share a name in one directory: .toml the settings, .sqlite its state, .log what it says,
and .lock, which it holds as long as it lives. The starter opens and locks that file and the process
inherits it, so that there is no moment at which it runs and nobody can tell. Which process it is
says the control socket, or, while it is not ready, the number in .lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netcont.agent.datapath import DataPath
from netcont.agent.settings import NODE
from netcont.agent.store import Store
from netcont.errors import KernelError, NetcontError
from netcont.kernel.agent_control import ask, listener
from netcont.kernel.agent_fact import AgentFact
from netcont.kernel.namespace import Namespace
from netcont.kernel.origin import kernel_origin
from netcont.model.plan import RunAgent, StopAgent

_READY_LIMIT_S = 20.0
_STOP_LIMIT_S = 20.0
_LOOK_LIMIT_S = 1.0
_EACH_S = 0.01
_ENDINGS = (".toml", ".toml.new", ".lock", ".log", ".sqlite", ".sqlite-wal", ".sqlite-shm")
_SAID_BYTES = 600


@dataclass(frozen=True)
class AgentProcess:
    """stem: of its files, without an ending."""

    stem: str

    def file(self, ending: str) -> Path:
        """One of its files."""
        return Path(self.stem + ending)

    # ---- looked at

    def look(self, control: str) -> AgentFact:
        """How it is. Needs no privilege, but only root gets answers from the agent."""
        try:
            settings = self.file(".toml").read_text()
        except FileNotFoundError:
            settings = ""
        if not self._is_held():
            remains = any(self.file(ending).exists() for ending in _ENDINGS)
            return AgentFact(running=False, remains=remains, settings=settings)
        return answer(control)._replace(running=True, remains=True, settings=settings)

    def _is_held(self) -> bool:
        try:
            with self.file(".lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    # ---- started

    def start(self, change: RunAgent) -> None:
        """Starts it, and waits until it is ready. Raises KernelError with what it said."""
        self._write_settings(change.settings)
        with self._locked() as lock, _hearing() as (inlet, name):
            log = os.open(self.file(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            own = [sys.executable, "-m", "netcont", "agent", change.role]
            own += ["--config", str(self.file(".toml"))]
            try:
                process = subprocess.Popen(
                    [*_outside_of_sessions(), *own],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    start_new_session=True,
                    cwd="/",
                    env=_environment(name),
                )
            finally:
                os.close(log)
            os.write(lock, str(process.pid).encode())
            if not _is_ready(process, inlet):
                process.kill()
                process.wait()
                raise KernelError(f"the {change.role} agent did not start: {self._said()}")
            process.returncode = 0  # it is not waited for: it outlives this process

    def _write_settings(self, settings: str) -> None:
        aside = self.file(".toml.new")
        aside.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        aside.write_text(settings)
        aside.replace(self.file(".toml"))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        lock = os.open(self.file(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # Whoever looks holds it for a moment.
            until_s = time.monotonic() + _LOOK_LIMIT_S
            while not _taken(lock):
                if time.monotonic() > until_s:
                    raise KernelError(f"{self.stem}: another agent has been started here")
                time.sleep(_EACH_S)
            os.ftruncate(lock, 0)
            yield lock
        finally:
            os.close(lock)

    def _said(self) -> str:
        text = self.file(".log").read_bytes()[-_SAID_BYTES:].decode(errors="replace")
        return " ".join(text.split()) or "it said nothing"

    # ---- stopped

    def stop(self, change: StopAgent) -> None:
        """It has ended, what it did to this kernel is undone, and its files are gone.

        Raises KernelError. Harmless when done twice.
        """
        self._end(change.control)
        state = self.file(".sqlite")
        if state.exists():
            _withdraw(state)
        for ending in _ENDINGS:
            self.file(ending).unlink(missing_ok=True)

    def _end(self, control: str) -> None:
        """SIGTERM, by which it undoes everything itself; SIGKILL if it does not react."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            until_s = time.monotonic() + _STOP_LIMIT_S
            asked = False
            while self._is_held():
                if time.monotonic() > until_s:
                    break
                # It may have been forked a moment ago, by somebody who died.
                asked = asked or _signalled(self._process(control), number)
                time.sleep(_EACH_S)
            else:
                return
        raise KernelError(
            f"{self.stem}: the agent does not end", remedy=f"end what holds {self.file('.lock')}"
        )

    def _process(self, control: str) -> int | None:
        """The number of the process; None: nobody knows yet."""
        found = listener(control)
        if found is None:
            with contextlib.suppress(ValueError):
                found = int(self.file(".lock").read_text())
        return found


def _signalled(process: int | None, number: signal.Signals) -> bool:
    if process is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)
    return True


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _withdraw(state: Path) -> None:
    """Undoes what an agent that was killed left in this kernel."""
    store = Store(state)
    try:
        store.begin(kernel_origin(), time.time())
        with Namespace(NODE, os.getpid()) as node:
            path = DataPath(node, store)
            path.take_over(())
            path.close()
    finally:
        store.close()


def answer(control: str) -> AgentFact:
    """What an agent says, wherever its files are."""
    try:
        told = ask(control, {"do": "status"}, _LOOK_LIMIT_S)
    except NetcontError as error:
        return AgentFact(error=error.message)
    return AgentFact(running=True, told=told)


@contextlib.contextmanager
def _hearing() -> Iterator[tuple[socket.socket, str]]:
    """Where the agent says that it is ready (sd_notify(3)), and that socket's name."""
    name = f"@netcont-{os.getpid()}-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inlet:
        inlet.bind("\0" + name[1:])
        yield inlet, name


def _is_ready(process: subprocess.Popen[bytes], inlet: socket.socket) -> bool:
    """Whether it said so; False once it has ended, or takes too long."""
    until_s = time.monotonic() + _READY_LIMIT_S
    handle = os.pidfd_open(process.pid)
    try:
        while (left_s := until_s - time.monotonic()) > 0:
            able, _, _ = select.select([inlet.fileno(), handle], [], [], left_s)
            if inlet.fileno() in able and b"READY=1" in inlet.recv(4096):
                return True
            if handle in able:
                return False
        return False
    finally:
        os.close(handle)


def _outside_of_sessions() -> list[str]:
    """Under systemd a process of a login session may be ended with it; one of a scope is not."""
    here = Path("/proc/self/ns/net")
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemd-run") is None:
        return []
    if not Path("/proc/1/ns/net").samefile(here):
        return []
    return ["systemd-run", "--scope", "--quiet", "--collect", "--"]


def _environment(notify: str) -> dict[str, str]:
    """This very netcont is found again from another directory."""
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root, "NOTIFY_SOCKET": notify}
