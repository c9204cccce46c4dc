"""One run: the network is built, clients start, the guest moves, and what happened is recorded.

Everything that a measurement needs is forked and in memory before its begin, an instant on the
grid of the clock; from there on nothing is read, and nothing is written.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from netcont.approach import Approach, Context, find, require_suited
from netcont.kernel.namespace import Namespace
from netcont.lab.agents import agents
from netcont.lab.capture import FrameCapture
from netcont.lab.clients.findings import Findings
from netcont.lab.clients.forked import fork
from netcont.lab.clients.groups import expand
from netcont.lab.clients.overhead import send_marked
from netcont.lab.clients.run import ClientProcess, fork_client
from netcont.lab.clients.spec import Control, Schedule
from netcont.lab.clients.wire import OVERHEAD_MARK
from netcont.lab.faults import Faults
from netcont.lab.grid import next_begin_s, sleep_until
from netcont.lab.guest import RunningGuest, running_guest
from netcont.lab.hostreads import HostReads
from netcont.lab.job import RawRun
from netcont.lab.nameservers import nameservers
from netcont.lab.network import LabNetwork
from netcont.lab.pcap import SUFFIX, capturing, snapshot_bytes
from netcont.lab.server import LOG
from netcont.lab.site import LabSite
from netcont.migration.destination import run_destination
from netcont.migration.move import EngineProcess, Move
from netcont.migration.phases import Side
from netcont.migration.recover import recover_destination, recover_source
from netcont.migration.reports import Channel, PhaseMark, Report
from netcont.migration.site import START, Setup
from netcont.migration.source import run_source
from netcont.model.samples import Frame, MoveRecord
from netcont.model.scenario import ClientKind, FaultKind, Place, Scenario

MIGRATION_PORT = 7700
DEFAULT_SHARE = 0.8
_IMAGE_AT_B = "b.mem"
_MARK_S = 1.0
_MOVE_LIMIT_S = 900.0
_LATE_S = 60.0
_DNS_MARGIN_S = 3.0


@dataclass(frozen=True)
class Settings:
    """What one run is about."""

    scenario: Scenario
    approach: Approach
    seed: int
    scratch: Path
    pcap: bool = False


def make_run(
    scenario: Scenario,
    approach: str,
    seed: int,
    scratch: Path,
    *,
    keep: Path | None = None,
    pcap: bool = False,
) -> RawRun:
    """Makes one run in an empty directory below scratch (a tmpfs), which is removed afterwards.

    keep: where captures (with pcap) and what the user's server said are left, if anywhere. Raises
    ConfigurationError for an approach that makes no sense on the scenario's network.
    """
    require_suited(approach, scenario.network)
    name = f"{approach}-{seed}"
    directory = scratch / name
    directory.mkdir(parents=True)
    try:
        return _Run(Settings(scenario, find(approach), seed, directory, pcap)).make()
    finally:
        if keep is not None:
            for path in (*directory.glob(f"*{SUFFIX}"), *directory.glob(LOG)):
                shutil.copyfile(path, keep / f"{name}-{path.name}")
        shutil.rmtree(directory)


def bandwidth_bps(scenario: Scenario) -> float:
    """What the copying may use of the path from A to B."""
    chosen = scenario.migration.bandwidth_bps
    return chosen if chosen is not None else DEFAULT_SHARE * scenario.network.a_b.rate_bps


class _Run:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._scenario = settings.scenario
        self._network = LabNetwork(settings.scenario)
        self._layout = self._network.layout
        self._context = Context(self._layout, settings.scenario)
        self._control = Control()

    def make(self) -> RawRun:
        started_s = time.monotonic()
        scratch, seed = self._settings.scratch, self._settings.seed
        with ExitStack() as stack:
            stack.enter_context(self._network)
            nodes = self._network.namespaces
            names, guest = self._layout.names, self._layout.guest
            if self._settings.pcap:
                snapshot = snapshot_bytes(self._scenario.guest.memory_bytes)
                stack.enter_context(capturing(self._wan_links(), scratch, snapshot))
            stack.enter_context(nameservers(names, guest.address, nodes, scratch))
            running = stack.enter_context(
                running_guest(self._scenario, self._layout, nodes, self._control, scratch, seed)
            )
            stack.enter_context(
                agents(self._settings.approach, self._context, nodes, running, scratch)
            )
            begin_s = next_begin_s(time.monotonic())
            clients = self._start_clients(begin_s)
            for client in clients:
                stack.callback(client.kill)
            reads = HostReads()
            with reads:
                before = self._mark(begin_s + self._scenario.timing.warmup_s - _MARK_S, first=True)
                move = self._start_move(running, begin_s + self._scenario.timing.warmup_s)
                stack.callback(move.close)
                stack.callback(self._faults.wait)
                after = self._watch(move, running)
                # Nothing looks at its memory any more, and writing it through a quarter of an hour
                # of silence is what would cost wall time.
                running.workload.hold()
                findings = self._collect(clients)
            observed_until_s = time.monotonic()
            record = move.retire(time.monotonic, time.monotonic() + _LATE_S)
            self._faults.wait()
            running.group.close()
            server_failure = running.server.failure if running.server is not None else None
            service = running.service.stop(_LATE_S)
        return RawRun(
            approach=self._settings.approach.name,
            seed=seed,
            begin_s=begin_s,
            fast_stop_s=self._control.fast_stop_s,
            observed_until_s=observed_until_s,
            move=record,
            findings=tuple(findings),
            service=service,
            overhead_before=before,
            overhead_after=after,
            old_address=guest.address,
            new_address=self._new_address(),
            host_reads=reads.count,
            errors=() if server_failure is None else (server_failure,),
            opened=reads.opened,
            notes=(*move.story.notes, *self._faults.happened, *_disturbances(reads)),
            virtual_s=time.monotonic() - started_s,
            kernel=os.uname().release,
        )

    def _wan_links(self) -> list[tuple[Namespace, str]]:
        """What --pcap captures: both sites' links to their providers, and the circuit at A."""
        nodes, a, b = self._network.namespaces, self._layout.a, self._layout.b
        links = [(nodes[site.gateway], site.gateway_wan) for site in (a, b)]
        if a.circuit is not None:
            links.append((nodes[a.hypervisor], a.circuit))
        return links

    def _new_address(self) -> str:
        guest, approach = self._layout.guest, self._settings.approach
        return guest.address if approach.keeps_address else guest.new_address

    # ---- clients

    def _start_clients(self, begin_s: float) -> list[ClientProcess]:
        names = self._layout.names
        planned = expand(
            self._scenario.client,
            self._settings.seed,
            f"{names.name}.{names.zone}",
            str(self._settings.scratch),
            family=self._layout.family,
        )
        processes = []
        placed: Counter[tuple[Place, ClientKind]] = Counter()
        for client in planned:
            # Each kind goes round the hosts by itself: its first client has the same witnesses,
            # the first UDP probes, as the first clients of all other kinds.
            kind = (client.spec.place, client.spec.kind)
            node = self._network.client_node(client.spec.place, placed[kind])
            placed[kind] += 1
            spec = replace(client.spec, node=node.name)
            schedule = Schedule(begin_s + client.offset_s)
            processes.append(fork_client(spec, schedule, self._control, node.enter))
        return processes

    def _collect(self, clients: Iterable[ClientProcess]) -> list[Findings]:
        findings = []
        for client in clients:
            left_s = self._control.give_up_s + _LATE_S - time.monotonic()
            findings.append(client.findings(max(1.0, left_s)))
        return findings

    def _mark(self, at_s: float, *, first: bool) -> tuple[Frame, ...]:
        """The marked datagrams, sent by a remote client at at_s, as A's links saw them."""
        layout, nodes = self._layout, self._network.namespaces
        links = [(nodes[layout.a.gateway], layout.a.gateway_wan)]
        if not first and layout.a.circuit is not None:
            links.append((nodes[layout.a.hypervisor], layout.a.circuit))
        sleep_until(at_s)
        capture = FrameCapture(links, OVERHEAD_MARK[:-4], outgoing=not first)
        sender = self._network.client_node(Place.REMOTE, 0)
        fork(lambda: send_marked(layout.guest.address), sender.enter, "marked").collect(_LATE_S)
        sleep_until(at_s + _MARK_S / 2)
        return capture.finish()

    # ---- the move

    def _start_move(self, running: RunningGuest, at_s: float) -> Move:
        layout, scratch = self._layout, self._settings.scratch
        nodes = self._network.namespaces
        address = (layout.b.hypervisor_address, MIGRATION_PORT)

        def setup(image: Path, record: Path, peer: Path) -> Setup:
            return Setup(
                run_id=f"{self._settings.approach.name}-{self._settings.seed}",
                address=address,
                image=image,
                record=record,
                memory_bytes=self._scenario.guest.memory_bytes,
                bandwidth_bps=bandwidth_bps(self._scenario),
                migration=self._scenario.migration,
                peer_record=peer,
            )

        a_record, b_record = scratch / "a.record", scratch / "b.record"
        at_a = setup(running.image, a_record, b_record)
        at_b = setup(scratch / _IMAGE_AT_B, b_record, a_record)

        def source(main: Callable[..., object]) -> Callable[[], EngineProcess]:
            def run(channel: Channel) -> object:
                site = self._site("a", running)
                sleep_until(at_s)
                return main(at_a, site, running.workload, channel, clock=time.monotonic)

            return lambda: EngineProcess(Side.SOURCE, run, nodes[layout.a.hypervisor].enter)

        def destination(main: Callable[..., object]) -> Callable[[], EngineProcess]:
            def run(channel: Channel) -> object:
                return main(at_b, self._site("b", running), channel, clock=time.monotonic)

            return lambda: EngineProcess(Side.DESTINATION, run, nodes[layout.b.hypervisor].enter)

        engine_b = destination(run_destination)()
        engine_a = source(run_source)()
        move = Move(
            engine_a,
            engine_b,
            recover={
                Side.SOURCE: source(recover_source),
                Side.DESTINATION: destination(recover_destination),
            },
            on_report=self._heard,
        )
        self._faults = Faults(
            self._scenario.fault,
            nodes,
            self._network.wan,
            {
                FaultKind.KILL_SOURCE: lambda: _pid(move, Side.SOURCE),
                FaultKind.KILL_DESTINATION: lambda: _pid(move, Side.DESTINATION),
            },
        )
        return move

    def _site(self, side: str, running: RunningGuest) -> LabSite:
        return LabSite(
            side,
            self._settings.approach,
            self._context,
            self._network.namespaces,
            running.group,
            self._settings.scratch / f"{side}.journal",
        )

    def _heard(self, report: Report) -> None:
        if isinstance(report, PhaseMark) and report.edge == START:
            self._faults.reached(report.phase)

    def _watch(self, move: Move, running: RunningGuest) -> tuple[Frame, ...]:
        """Until the move is settled; then says when the observation ends."""
        clock = time.monotonic
        record = move.run(clock, clock() + _MOVE_LIMIT_S)
        if move.story.status == "moved":
            # The images were compared: the guest's memory lives on at B.
            running.workload.remap(self._settings.scratch / _IMAGE_AT_B)
            running.workload.release()
        timing = self._scenario.timing
        # A move that failed may have ended long after the guest ran again.
        resumed_s = max(_resumed_s(record), clock() - timing.observe_s / 2)
        fast_stop_s = resumed_s + timing.observe_s
        request_stop_s = resumed_s + max(timing.observe_s, self._scenario.dns.ttl_s + _DNS_MARGIN_S)
        self._control.end(fast_stop_s, fast_stop_s + timing.give_up_s, request_stop_s)
        return self._mark(fast_stop_s - _MARK_S, first=False)


def _disturbances(reads: HostReads) -> list[str]:
    return [f"files were read from the host by: {reads.causes}"] if reads.causes else []


def _resumed_s(record: MoveRecord) -> float:
    if record.thawed_s is not None:
        return record.thawed_s
    return record.phases[-1].end_s if record.phases else 0.0


def _pid(move: Move, side: Side) -> int | None:
    engine = move.engines[side]
    return engine.pid if engine.alive else None
