"""A move over loopback: real engines, real images, a guest that is a stopped or running process."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from netcont.migration.destination import run_destination
from netcont.migration.memory import MemoryImage
from netcont.migration.move import EngineProcess, Move
from netcont.migration.phases import Side
from netcont.migration.recover import recover_destination, recover_source
from netcont.migration.reports import Listening
from netcont.migration.site import Hook, Setup, no_hook
from netcont.migration.source import run_source
from netcont.migration.workload import Workload, fill, wait_until_stopped
from netcont.model.samples import MoveRecord
from netcont.model.scenario import Migration, Phase

MEMORY_BYTES = 64 * 4096
DEADLINE_S = 10.0


class JournalledSite:
    """Acts on the test guest and writes down what it did, in one file for both sites.

    fails: names of actions that raise OSError instead.
    """

    def __init__(
        self, side: Side, journal: Path, guest_pid: int, fails: frozenset[str] = frozenset()
    ) -> None:
        self._letter = "A" if side is Side.SOURCE else "B"
        self._journal = journal
        self._guest_pid = guest_pid
        self._fails = fails

    def _write(self, action: str) -> None:
        with self._journal.open("a") as file:
            file.write(f"{self._letter} {action}\n")
        if action in self._fails:
            raise OSError(28, f"no room for {action}")

    def apply(self, phase: Phase) -> None:
        self._write(f"apply {phase.value}")

    def undo(self) -> None:
        self._write("undo")

    def attach(self) -> None:
        self._write("attach")

    def detach(self) -> None:
        self._write("detach")

    def reattach(self) -> None:
        self._write("reattach")

    def freeze(self) -> None:
        os.kill(self._guest_pid, signal.SIGSTOP)
        wait_until_stopped(self._guest_pid, time.monotonic)
        self._write("freeze")

    def thaw(self) -> None:
        self._write("thaw")
        os.kill(self._guest_pid, signal.SIGCONT)


def serving_sites(journal: Path) -> str:
    """Where the guest serves in the end: "A", "B" or "" - checking on the way that it never
    ran unplugged from everything, and never was plugged in at two sites at once."""
    plugged, running = {"A"}, True
    for line in journal.read_text().splitlines() if journal.exists() else ():
        site, _, action = line.partition(" ")
        if action in {"attach", "reattach"}:
            assert site in plugged or not running, f"plugged in while it ran: {line}"
            plugged.add(site)
        elif action == "detach":
            plugged.discard(site)
        elif action == "freeze":
            running = False
        elif action == "thaw":
            running = True
            assert plugged, f"thawed without a network: {line}"
        assert len(plugged) <= 1, f"plugged in at both sites: {line}"
    return "".join(plugged) if running else ""


class Relay:
    """A wire between the engines that can be cut: what is sent then arrives after the mending.

    after_s: how long a cut lasts; None: for good. Both engines may cut() it, also twice.
    """

    def __init__(self, after_s: float | None) -> None:
        self._after_s = after_s
        self._scissors, self._blades = os.pipe()
        self._pid = 0

    def start(self, port: int) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        seen: int = listener.getsockname()[1]
        self._pid = os.fork()
        if self._pid == 0:
            self._carry(listener, port)
        listener.close()
        return seen

    def cut(self) -> None:
        """Nothing passes from now on."""
        os.write(self._blades, b"x")

    def close(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._scissors)
        os.close(self._blades)

    def _carry(self, listener: socket.socket, port: int) -> None:
        other: dict[socket.socket, socket.socket] = {}
        while True:
            ready = select.select([self._scissors, listener, *other], [], [])[0]
            if self._scissors in ready:
                os.read(self._scissors, 1)
                time.sleep(1e6 if self._after_s is None else self._after_s)
            elif listener in ready:
                near = listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", port))
                other[near], other[far] = far, near
            else:
                self._shuttle(ready[0], other)

    def _shuttle(self, source: socket.socket, other: dict[socket.socket, socket.socket]) -> None:
        try:
            data = source.recv(65536)
            other[source].sendall(data)
        except OSError:
            data = b""
        if not data:
            sink = other.pop(source)
            del other[sink]
            source.close()
            sink.close()


@dataclass
class Bench:
    """Everything that one move needs; run() moves and returns the record."""

    folder: Path
    guest_pid: int
    workload: Workload
    migration: Migration = field(
        default_factory=lambda: Migration(timeout_s=0.2, downtime_target_s=0.05)
    )
    hooks: dict[Side, Hook] = field(default_factory=dict)
    fails: dict[Side, frozenset[str]] = field(default_factory=dict)
    enter: dict[Side, Callable[[], None]] = field(default_factory=dict)
    recovers: bool = True
    relay: Relay | None = None
    bandwidth_bps: float = 1e9
    give_up_s: float = 3.0

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def image_b(self) -> Path:
        return self.folder / "b.img"

    def setup(self, side: Side, port: int) -> Setup:
        letter = "a" if side is Side.SOURCE else "b"
        return Setup(
            run_id="bench",
            address=("127.0.0.1", port),
            image=self.folder / f"{letter}.img",
            record=self.folder / f"{letter}.record",
            memory_bytes=MEMORY_BYTES,
            bandwidth_bps=self.bandwidth_bps,
            migration=self.migration,
            give_up_s=self.give_up_s,
        )

    def actions(self, side: Side, fails: frozenset[str] = frozenset()) -> JournalledSite:
        return JournalledSite(side, self.journal, self.guest_pid, fails)

    def start_destination(self) -> tuple[EngineProcess, int]:
        side = Side.DESTINATION
        engine = EngineProcess(
            side,
            lambda channel: run_destination(
                self.setup(side, 0),
                self.actions(side, self.fails.get(side, frozenset())),
                channel,
                clock=time.monotonic,
                on_phase=self.hooks.get(side, no_hook),
            ),
            self.enter.get(side),
        )
        listening = engine.channel.receive()
        while not isinstance(listening, Listening):
            assert listening is not None, "the destination did not start"
            listening = engine.channel.receive()
        return engine, listening.port

    def start_source(self, port: int) -> EngineProcess:
        side = Side.SOURCE
        return EngineProcess(
            side,
            lambda channel: run_source(
                self.setup(side, port),
                self.actions(side, self.fails.get(side, frozenset())),
                self.workload,
                channel,
                clock=time.monotonic,
                on_phase=self.hooks.get(side, no_hook),
            ),
            self.enter.get(side),
        )

    def recover_main(self, side: Side, port: int) -> Callable[[], EngineProcess]:
        def main(channel: object) -> object:
            actions, setup = self.actions(side), self.setup(side, port)
            if side is Side.DESTINATION:
                return recover_destination(setup, actions, channel, clock=time.monotonic)
            return recover_source(setup, actions, self.workload, channel, clock=time.monotonic)

        return lambda: EngineProcess(side, main)

    @contextmanager
    def start(self) -> Iterator[Move]:
        destination, port = self.start_destination()
        seen_by_source = port if self.relay is None else self.relay.start(port)
        source = self.start_source(seen_by_source)
        recover = {
            Side.DESTINATION: self.recover_main(Side.DESTINATION, port),
            Side.SOURCE: self.recover_main(Side.SOURCE, seen_by_source),
        }
        move = Move(source, destination, recover=recover if self.recovers else None)
        try:
            yield move
        finally:
            move.close()

    def run(self, *, retire: bool = True) -> MoveRecord:
        with self.start() as move:
            record = move.run(time.monotonic, time.monotonic() + DEADLINE_S)
            if retire:
                record = move.retire(time.monotonic, time.monotonic() + DEADLINE_S)
            return record

    def lines(self) -> list[str]:
        return self.journal.read_text().splitlines()


@contextmanager
def bench(folder: Path, rate_bytes_per_s: float = 400_000) -> Iterator[Bench]:
    """A guest at A, its memory filled and being written."""
    with MemoryImage.create(folder / "a.img", MEMORY_BYTES) as image:
        fill(image, seed=1)
        workload = Workload(
            image, seed=1, rate_bytes_per_s=rate_bytes_per_s, working_set_bytes=16 * 4096
        )
    guest_pid = os.fork()
    if guest_pid == 0:
        while True:
            signal.pause()
    stand = Bench(folder, guest_pid, workload)
    try:
        yield stand
    finally:
        if stand.relay is not None:
            stand.relay.close()
        workload.stop()
        os.kill(guest_pid, signal.SIGKILL)
        os.waitpid(guest_pid, 0)
