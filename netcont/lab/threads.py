"""Labs in threads of their own: waited for, and stopped all at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from netcont.errors import LabError

INTERRUPTED = "interrupted"
_STOP_LIMIT_S = 2.0
_LOOK_S = 0.02
_GRACE_S = 0.2


class Lab(Protocol):
    """A place where a worker can run (netcont.lab.vm.Vm, or this host itself)."""

    def __enter__(self) -> Any:
        """Starts it."""

    def __exit__(self, *error: Any) -> None:
        """Stops it, if it still runs."""

    def lines(self) -> Iterable[str]:
        """The worker's lines as they come, until it ends."""

    def stop(self) -> None:
        """Stops it now, from any thread."""


class Worker(threading.Thread):
    """A share of the runs, made in a thread that does not keep the process alive."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.error: BaseException | None = None
        # Not join: interrupted by a signal, it takes a living thread for ended (bpo-45274).
        self.ended = threading.Event()

    def run(self) -> None:
        """Called by start."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - for whoever waits for this thread
            self.error = error
        finally:
            self.ended.set()


def wait_for(threads: Sequence[Worker], labs: Labs) -> None:
    """Starts the threads and returns when all have ended; raises what one of them raised.

    Interrupted, it gives them a moment to stop their labs: one that is still getting a lab ready
    is not waited for.
    """
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.ended.wait()
            if thread.error is not None:
                raise thread.error
    except BaseException:
        labs.stop()
        deadline_s = time.monotonic() + _STOP_LIMIT_S
        while labs.busy and time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)
        for thread in threads:
            thread.ended.wait(_GRACE_S)
        raise


class Labs:
    """The labs that run now; stop ends them all, and lets no other begin."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[Lab] = []
        self.stopped = False

    @contextmanager
    def running(self, lab: Lab) -> Iterator[Lab]:
        """lab runs within the block. Raises LabError if all were stopped."""
        with lab:
            with self._lock:
                if self.stopped:
                    raise LabError(INTERRUPTED)
                self._running.append(lab)
            try:
                yield lab
            finally:
                with self._lock:
                    self._running.remove(lab)

    @property
    def busy(self) -> bool:
        """Whether one of them still runs."""
        with self._lock:
            return bool(self._running)

    def stop(self) -> None:
        """Returns at once; whoever reads a lab's lines sees them end."""
        with self._lock:
            self.stopped = True
            running = list(self._running)
        for lab in running:
            threading.Thread(target=lab.stop, daemon=True).start()


@contextmanager
def stopped_by_signals(labs: Labs) -> Iterator[None]:
    """The first signal stops the labs and raises KeyboardInterrupt, further ones do nothing: what
    is stopping must not be interrupted."""

    def stop(_signum: int, _frame: FrameType | None) -> None:
        if not labs.stopped:
            labs.stop()
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        signum: signal.signal(signum, stop)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
