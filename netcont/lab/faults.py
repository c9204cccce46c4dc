"""What goes wrong on purpose, at a phase of the move: the WAN is cut, an engine is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

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
        self._victims = victims
        self.happened: list[str] = []
        paths = tuple(cut)
        self._waiting = [_Waiting(fault) for fault in faults]
        for waiting in self._waiting:
            if waiting.fault.kind is FaultKind.WAN_CUT:
                waiting.start(partial(self._cut, waiting, nodes, paths))
            elif waiting.fault.after_s > 0:
                waiting.start(partial(self._kill_later, waiting))

    def reached(self, phase: Phase) -> None:
        """A phase begins: its faults happen, at once or after their delay."""
        for waiting in self._waiting:
            if waiting.fault.phase is phase and not waiting.told:
                waiting.tell(due=True)
                if not waiting.thread:
                    self._kill(waiting.fault)

    def wait(self) -> None:
        """Returns when the last fault is over and the network is whole again.

        Faults whose phase has not come do not happen any more.
        """
        for waiting in self._waiting:
            if not waiting.told:
                waiting.tell(due=False)
            if waiting.thread:
                waiting.thread.join()

    def _cut(
        self, waiting: _Waiting, nodes: Mapping[str, Namespace], paths: tuple[SetNetem, ...]
    ) -> None:
        fault = waiting.fault
        with ExitStack() as stack:
            # Sockets of its own, since the worker's are not for threads; ready beforehand, since
            # a phase may be over within milliseconds.
            own = {path.node: Namespace(path.node, nodes[path.node].pid) for path in paths}
            for path in paths:
                stack.enter_context(own[path.node]).index(path.link)
            if not waiting.is_due():
                return
            self._note(fault)
            Interpreter(own).apply(Plan(tuple(replace(path, loss=1.0) for path in paths)))
            time.sleep(fault.duration_s)
            Interpreter(own).apply(Plan(paths))

    def _kill_later(self, waiting: _Waiting) -> None:
        if waiting.is_due():
            self._kill(waiting.fault)

    def _kill(self, fault: Fault) -> None:
        self._note(fault)
        victim = self._victims[fault.kind]()
        if victim is not None:
            os.kill(victim, signal.SIGKILL)

    def _note(self, fault: Fault) -> None:
        self.happened.append(f"{fault.kind.value} in {fault.phase.value}")


class _Waiting:
    """A fault whose phase has not come yet, and the thread that will make it happen, if any."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.thread: threading.Thread | None = None
        self.told = False
        self._due = False
        self._news = threading.Event()

    def start(self, main: Callable[[], None]) -> None:
        """Runs main in a thread of its own."""
        self.thread = threading.Thread(target=main, daemon=True)
        self.thread.start()

    def tell(self, *, due: bool) -> None:
        """The phase begins (due), or will never come."""
        self.told, self._due = True, due
        self._news.set()

    def is_due(self) -> bool:
        """Waits for the phase and then for the fault's delay; False: it will never come."""
        self._news.wait()
        if self._due:
            time.sleep(self.fault.after_s)
        return self._due
