"""Clients run: each in a child of the worker, from its start to the window's end or its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from netcont.lab.clients import program, request, tcp_bulk, tcp_echo, udp
from netcont.lab.clients.findings import Findings
from netcont.lab.clients.forked import Forked, fork
from netcont.lab.clients.spec import ClientSpec, Control, Schedule
from netcont.model.samples import ClientRecord
from netcont.model.scenario import ClientKind

_RUNNERS: Final[dict[ClientKind, Callable[[ClientSpec, Control], Findings]]] = {
    ClientKind.TCP_ECHO: tcp_echo.run,
    ClientKind.TCP_BULK_UP: tcp_bulk.run,
    ClientKind.TCP_BULK_DOWN: tcp_bulk.run,
    ClientKind.REQUEST: request.run,
    ClientKind.UDP_UP: udp.run,
    ClientKind.UDP_DOWN: udp.run,
    ClientKind.PROGRAM: program.run,
}


def probe(spec: ClientSpec, schedule: Schedule, control: Control) -> Findings:
    """Run one client in this process; what it found, in flat arrays."""
    runner = _RUNNERS[spec.kind]
    wait_s = schedule.start_s - time.monotonic()
    if wait_s > 0:
        time.sleep(wait_s)
    if time.monotonic() >= control.fast_stop_s:
        return Findings(spec, disturbed="the window had closed before this client began")
    return runner(spec, control)


def run_client(spec: ClientSpec, schedule: Schedule, control: Control) -> ClientRecord:
    """Run one client in this process; its record lacks what only the service sees."""
    return probe(spec, schedule, control).record()


class ClientProcess:
    """A client in a child process."""

    def __init__(self, spec: ClientSpec, child: Forked[Findings]) -> None:
        self.spec = spec
        self.pid = child.pid
        self._child = child

    def findings(self, timeout_s: float) -> Findings:
        """What the client found, as it is: to be made a record where time is cheap."""
        finished = self._child.collect(timeout_s)
        if finished.value is None:
            return Findings(self.spec, disturbed=f"the probe {finished.failure}")
        return finished.value

    def result(self, timeout_s: float) -> ClientRecord:
        """The client's record; one that says why when the probe died or did not end."""
        return self.findings(timeout_s).record()

    def kill(self) -> None:
        """End the client at once."""
        self._child.kill()


def fork_client(
    spec: ClientSpec, schedule: Schedule, control: Control, enter: Callable[[], None]
) -> ClientProcess:
    """Start a client in a child; enter is called in there first (into the host's namespace)."""
    return ClientProcess(spec, fork(lambda: probe(spec, schedule, control), enter, spec.name))
