"""The user's server: a command that runs in the guest, frozen and moved with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from netcont.errors import RunError
from netcont.kernel.namespace import Namespace, die_with_parent
from netcont.lab.hostreads import HostTraffic
from netcont.model.scenario import Server

LOG = "server.log"
READY_LIMIT_S = 60.0
_LOOK_EVERY_S = 0.05
_END_GRACE_S = 3.0
_LISTEN = "0A"
_SAID_CHARACTERS = 1000


@dataclass(frozen=True)
class UserServer:
    """A server that was started; log holds all that it says."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def failure(self) -> str | None:
        """How it ended, if it ended badly; None while it runs, or after exit code 0 (a daemon
        goes on in the background)."""
        code = self.process.poll()
        if not code:
            return None
        how = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
        return f"the server ended with {how}{self.said}"

    @property
    def said(self) -> str:
        """The end of its output, as part of a sentence."""
        text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        return f"; it said: {text[-_SAID_CHARACTERS:]}" if text else " and said nothing"


@contextmanager
def running_server(
    server: Server,
    node: Namespace,
    enter: Callable[[], None],
    directory: Path,
    spare: Container[int],
) -> Iterator[UserServer]:
    """The command runs within the block, and listens on its ready_port if it names one.

    enter is called in the new process (into the guest). At the end every process of the guest's
    namespace is ended, daemons too, but for spare. Raises RunError if the server ends before it
    listens, or never does.
    """
    log = directory / LOG
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", server.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=partial(_become_server, enter),
        )
    started = UserServer(process, log)
    try:
        if server.ready_port is not None:
            _wait_ready(started, node, server.ready_port)
        elif started.failure is not None:
            raise RunError(started.failure)
        yield started
    finally:
        _end(process, node, spare)


def _become_server(enter: Callable[[], None]) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    enter()


def _wait_ready(server: UserServer, node: Namespace, port: int) -> None:
    """Looks at the kernel's table of sockets; connecting could upset a server."""
    deadline_s = time.monotonic() + READY_LIMIT_S
    with HostTraffic() as traffic:
        while not _listens(node, port):
            if server.failure is not None:
                raise RunError(
                    f"{server.failure} (before it listened on port {port})",
                    remedy="try the command of [server] by itself",
                )
            if traffic.moved():
                deadline_s = time.monotonic() + READY_LIMIT_S
            if time.monotonic() > deadline_s:
                raise RunError(
                    f"the server did not listen on TCP port {port} within {READY_LIMIT_S:g} s"
                    f"{server.said}",
                    remedy="correct ready_port in [server], or the command",
                )
            time.sleep(_LOOK_EVERY_S)


def _listens(node: Namespace, port: int) -> bool:
    """Whether a TCP socket listens on port in the node's namespace (proc_pid_net(5))."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{node.pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state, *_ = line.split()
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                return True
    return False


def _end(process: subprocess.Popen[bytes], node: Namespace, spare: Container[int]) -> None:
    """Asks every process of the namespace to end, and sees to it."""
    deadline_s = time.monotonic() + _END_GRACE_S
    signum = signal.SIGTERM
    while pids := _in_namespace(node, spare):
        for pid in pids:
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                continue
        process.poll()
        if time.monotonic() > deadline_s + _END_GRACE_S:
            break  # what even SIGKILL does not end is the kernel's to hold
        if time.monotonic() > deadline_s:
            signum = signal.SIGKILL
        time.sleep(_LOOK_EVERY_S)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_GRACE_S)


def _in_namespace(node: Namespace, spare: Container[int]) -> list[int]:
    """Living processes there, but for the one that holds it, this one and those to be spared."""
    home = Path(f"/proc/{node.pid}/ns/net").readlink()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        if pid in (node.pid, os.getpid()) or pid in spare:
            continue
        try:
            if (entry / "ns" / "net").readlink() == home:
                found.append(pid)
        except OSError:
            continue
    return found
