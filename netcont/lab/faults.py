"""What goes wrong on purpose, at a phase of the move: the WAN is cut, an engine is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from netcont.kernel.interpreter import Interpreter
from netcont.kernel.namespace import Namespace
from netcont.model.plan import Plan, SetNetem
from netcont.model.scenario import Fault, FaultKind, Phase


class Faults:
    """Armed with the scenario's faults; ``reached`` is told of every phase that begins.

    cut: the queues of the wide-area paths between the sites, as the topology set them. A cut
    changes them in place to lose everything, and back after its duration.
    """

    def __init__(
        self,
        faults: Iterable[Fault],
        nodes: Mapping[str, Namespace],
        cut: Iterable[SetNetem],
        victims: Mapping[FaultKind, Callable[[], int | None]],
    ) -> None:
        self._waiting = list(faults)
        self._nodes = nodes
        self._paths = tuple(cut)
        self._victims = victims
        self._threads: list[threading.Thread] = []
        self.happened: list[str] = []

    def reached(self, phase: Phase) -> None:
        """A phase begins: its faults happen, at once or after their delay."""
        due = [fault for fault in self._waiting if fault.phase is phase]
        self._waiting = [fault for fault in self._waiting if fault.phase is not phase]
        for fault in due:
            if fault.after_s == 0 and fault.kind is not FaultKind.WAN_CUT:
                self._happen(fault)
            else:
                thread = threading.Thread(target=self._later, args=(fault,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def wait(self) -> None:
        """Returns when the last fault is over and the network is whole again."""
        for thread in self._threads:
            thread.join()

    def _later(self, fault: Fault) -> None:
        time.sleep(fault.after_s)
        self._happen(fault)

    def _happen(self, fault: Fault) -> None:
        self.happened.append(f"{fault.kind.value} in {fault.phase.value}")
        if fault.kind is FaultKind.WAN_CUT:
            # Its own sockets: the worker's are not for threads.
            paths = Interpreter({n: Namespace(n, s.pid) for n, s in self._nodes.items()})
            paths.apply(Plan(tuple(replace(path, loss=1.0) for path in self._paths)))
            time.sleep(fault.duration_s)
            paths.apply(Plan(self._paths))
            return
        victim = self._victims[fault.kind]()
        if victim is not None:
            os.kill(victim, signal.SIGKILL)
