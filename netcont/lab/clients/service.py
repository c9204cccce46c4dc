"""The guest's services: one process, which freezes, moves and thaws with the guest.

Its schedules are absolute and skip what was missed, so that a thawed guest does not burst.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import select
import selectors
import time
from collections.abc import Callable
from typing import Final

from netcont.errors import LabError
from netcont.lab.clients.findings import ServiceRecords
from netcont.lab.clients.forked import Forked, fork
from netcont.lab.clients.service_datagrams import Sink, Source
from netcont.lab.clients.service_streams import Chargen, Discard, Echo, Listener, Request
from netcont.lab.clients.spec import Control, Ports

ANY_ADDRESS: Final = {4: "0.0.0.0", 6: "::"}
"""By family, what a service is bound to that answers on every address."""


class Service:
    """All services of one guest."""

    def __init__(self, ports: Ports, bind: str, control: Control) -> None:
        self.control = control
        self.selector: selectors.BaseSelector = selectors.DefaultSelector()
        self.records = ServiceRecords()
        self._timers: list[tuple[float, int, Callable[[float], float | None]]] = []
        self._numbers = 0
        Listener(self, (bind, ports.echo), Echo)
        Listener(self, (bind, ports.discard), Discard)
        Listener(self, (bind, ports.chargen), Chargen)
        Listener(self, (bind, ports.request), Request)
        Sink(self, (bind, ports.sink))
        Source(self, (bind, ports.source))

    def every(self, due_s: float, fire: Callable[[float], float | None]) -> None:
        """Call fire at due_s and at each instant that it returns, until it returns None."""
        self._numbers += 1
        heapq.heappush(self._timers, (due_s, self._numbers, fire))

    def serve(self, stop: int) -> ServiceRecords:
        """Until something is written to the pipe ``stop``."""
        clock, timers, selector = time.monotonic, self._timers, self.selector
        selector.register(stop, selectors.EVENT_READ, None)
        while True:
            now_s = clock()
            while timers and timers[0][0] <= now_s:
                _, number, fire = heapq.heappop(timers)
                again_s = fire(now_s)
                if again_s is not None:
                    heapq.heappush(timers, (again_s, number, fire))
            wait_s = max(0.0, timers[0][0] - clock()) if timers else None
            for key, mask in selector.select(wait_s):
                if key.data is None:
                    return self.records
                key.data(mask)


class ServiceProcess:
    """The guest's services in a child process."""

    def __init__(self, child: Forked[ServiceRecords], ready: int, stop: int) -> None:
        self.pid = child.pid
        self._child = child
        self._ready = ready
        self._stop: int | None = stop

    def wait_ready(self, timeout_s: float) -> None:
        """Until every service listens."""
        poll = select.poll()
        poll.register(self._ready, select.POLLIN)
        if not poll.poll(round(timeout_s * 1000)):
            raise LabError(f"the guest's services did not start within {timeout_s:g} s")
        if not os.read(self._ready, 1):
            failure = self._child.collect(1.0).failure
            raise LabError(f"the guest's services did not start: the process {failure}")

    def stop(self, timeout_s: float) -> ServiceRecords:
        """End the process (which must not be frozen) and get what it recorded."""
        if self._stop is not None:
            # Written, not only closed: clients forked since then hold copies of this end.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._stop, b"s")
            os.close(self._stop)
            os.close(self._ready)
            self._stop = None
        finished = self._child.collect(timeout_s)
        if finished.value is None:
            return ServiceRecords(disturbed=f"the guest's service {finished.failure}")
        return finished.value

    def kill(self) -> None:
        """End the process at once, whatever it recorded."""
        self._child.kill()


def fork_service(
    enter: Callable[[], None],
    control: Control | None = None,
    ports: Ports | None = None,
    bind: str = ANY_ADDRESS[4],
) -> ServiceProcess:
    """Start the services in a child; enter is called in there first (into the guest's namespace
    and control group). What they send by themselves ends with the clients' window; without
    control only a client can end it, which one that is cut off never does."""
    where = ports or Ports()
    ready_read, ready_write = os.pipe()
    stop_read, stop_write = os.pipe()

    def serve() -> ServiceRecords:
        service = Service(where, bind, control or Control())
        os.write(ready_write, b"r")
        os.close(ready_write)
        return service.serve(stop_read)

    child = fork(serve, enter, "guest-service")
    os.close(ready_write)
    os.close(stop_read)
    return ServiceProcess(child, ready_read, stop_write)
