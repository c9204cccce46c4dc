"""From what a run left behind to what it means. Pure: the same record, the same run."""

from __future__ import annotations

from dataclasses import replace

from netcont.measure.attribution import Witness, attribute, witness
from netcont.measure.expectations import missed
from netcont.measure.fates import Verdict, verdict_of
from netcont.measure.floors import client_floor_s, run_floor_s
from netcont.measure.gaps import Counts, Silence, counts, longest_silence
from netcont.measure.newconnections import new_connections
from netcont.measure.overhead import Overhead, overhead
from netcont.measure.rtt import path_stretch, rtt_after_s, rtt_before_s
from netcont.measure.timeline import Timeline, timeline
from netcont.model.outcome import ClientOutcome, Evidence, Fate, Gap, Run, Status
from netcont.model.samples import ClientRecord, MoveRecord, PhaseSpan, RunRecord
from netcont.model.scenario import Phase, Scenario

# A program may talk without end; its last words are the ones that say why it ended.
OUTPUT_CHARACTERS = 2000

_STATUS = {"moved": Status.OK, "rolled-back": Status.ROLLED_BACK, "failed": Status.FAILED}


def judge(scenario: Scenario, record: RunRecord) -> Run:
    """The outcome of one run.

    All instants in it count from the start of the clients (record.window_s[0]), so that it does
    not depend on when the lab was started. Nothing is raised for strange records: what cannot be
    concluded is None, and errors says why.
    """
    times = timeline(record)
    moved = record.move.status == "moved"
    verdicts = {client.name: verdict_of(client, times) for client in record.clients}
    seen = witness(
        record.clients,
        {name: verdict.fate for name, verdict in verdicts.items()},
        times,
        scenario.network,
        record.old_address if _address_changed(record) else "",
    )
    floor_s = run_floor_s(scenario, record.move) if moved else None
    clients = tuple(
        _client(client, verdicts[client.name], seen, scenario, floor_s) for client in record.clients
    )
    extra = overhead(record.overhead_before, record.overhead_after, scenario.vxlan.port)
    errors = (*record.errors, *_errors(record, clients))
    rounds = record.move.rounds
    run = Run(
        approach=record.approach,
        seed=record.seed,
        status=_status(record.move, _memory_equal(record.move), errors),
        downtime_s=_downtime_s(record.move),
        migration_s=_migration_s(record.move),
        bytes_moved=sum(part.bytes for part in rounds) if rounds else None,
        memory_equal=_memory_equal(record.move),
        floor_s=floor_s,
        clients=clients,
        new_connections=new_connections(record.clients, times),
        overhead_bytes_per_packet=None if extra is None else extra.bytes_per_packet,
        path_stretch=path_stretch(clients, scenario.network) if moved else None,
        phases=_phases(record, times),
        rounds=len(rounds) if rounds else None,
        host_reads=record.host_reads,
        notes=(*record.notes, *_notes(record, times, extra)),
        errors=errors,
    )
    return replace(run, missed=missed(scenario.expect, run))


def _client(
    client: ClientRecord,
    verdict: Verdict,
    seen: Witness,
    scenario: Scenario,
    run_floor: float | None,
) -> ClientOutcome:
    times = seen.times
    silence = _measured_silence(client, verdict, times)
    told = client.disturbed is None
    units = counts(client) if told else Counts()
    return ClientOutcome(
        name=client.name,
        kind=client.kind,
        place=client.place,
        fate=verdict.fate,
        longest_gap_s=None if silence is None else silence.length_s,
        floor_s=client_floor_s(client, scenario.network, run_floor),
        gap=Gap() if silence is None else attribute(client, silence, seen),
        lost=units.lost,
        duplicated=units.duplicated,
        reordered=units.reordered,
        retransmissions=None if client.tcp is None else client.tcp.retransmissions,
        rtt_before_s=rtt_before_s(client, times) if told else None,
        rtt_after_s=rtt_after_s(client, times) if told else None,
        evidence=_evidence(client, verdict, silence, times),
        node=client.node,
    )


def _measured_silence(client: ClientRecord, verdict: Verdict, times: Timeline) -> Silence | None:
    """The longest gap, unless the client could not measure one."""
    if not verdict.measured:
        return None
    return longest_silence(client, times, survived=verdict.fate is Fate.SURVIVED)


def _evidence(
    client: ClientRecord, verdict: Verdict, silence: Silence | None, times: Timeline
) -> Evidence:
    def since_start(instant_s: float | None) -> float | None:
        return None if instant_s is None else instant_s - times.start_s

    broke = silence is None or silence.open_ended
    return Evidence(
        errno=verdict.errno,
        last_before_s=since_start(None if silence is None else silence.start_s),
        first_after_s=since_start(None if silence is None or broke else silence.end_s),
        ended_s=since_start(client.ended_s),
        backoff=None if client.tcp is None else client.tcp.backoff,
        unacked=None if client.tcp is None else client.tcp.unacked,
        exit_code=client.exit_code,
        output=client.output[-OUTPUT_CHARACTERS:] or None,
        disturbed=verdict.unknown_because,
    )


def _address_changed(record: RunRecord) -> bool:
    """Whether the guest left its address for another one (rolled back, it is at home again)."""
    changed = bool(record.new_address) and record.new_address != record.old_address
    return changed and record.move.status == "moved"


def _memory_equal(move: MoveRecord) -> bool | None:
    if move.source_digest is None or move.destination_digest is None:
        return None
    return move.source_digest == move.destination_digest


def _downtime_s(move: MoveRecord) -> float | None:
    if move.frozen_s is None or move.thawed_s is None:
        return None
    return move.thawed_s - move.frozen_s


def _migration_s(move: MoveRecord) -> float | None:
    """From the first byte copied to the guest running at B; None: it does not run there."""
    starts = [span.start_s for span in move.phases if span.phase is Phase.COPY]
    if move.status != "moved" or move.thawed_s is None or not starts:
        return None
    return move.thawed_s - starts[0]


def _status(move: MoveRecord, equal: bool | None, errors: tuple[str, ...]) -> Status:
    status = _STATUS.get(move.status, Status.FAILED)
    if status is not Status.OK:
        return status
    if equal is False:
        return Status.FAILED
    return Status.PARTIAL if errors else Status.OK


def _errors(record: RunRecord, clients: tuple[ClientOutcome, ...]) -> list[str]:
    """What could not be done or measured, each as a sentence."""
    move = record.move
    errors = [move.error] if move.error is not None and move.error not in record.errors else []
    if move.status not in _STATUS:
        errors.append(f"the move ended as {move.status!r}, which no status stands for")
    equal = _memory_equal(move)
    if equal is False:
        errors.append("the memory image at B differs from the one at A")
    if equal is None and move.status == "moved":
        errors.append("the memory images at A and B were not compared")
    errors += [
        f"{client.name} could not tell its fate: {client.evidence.disturbed}"
        for client in clients
        if client.fate is None
    ]
    return errors


def _phases(record: RunRecord, times: Timeline) -> tuple[PhaseSpan, ...]:
    return tuple(
        PhaseSpan(span.phase, span.start_s - times.start_s, span.end_s - times.start_s)
        for span in record.move.phases
    )


def _notes(record: RunRecord, times: Timeline, extra: Overhead | None) -> list[str]:
    """What a reader should know before trusting the numbers."""
    notes = [
        f"{client.name} lost its connection before the pause ({client.error})"
        for client in record.clients
        if client.error is not None
        and client.ended_s is not None
        and client.ended_s < times.began_s
    ]
    if record.host_reads:
        notes.append(
            f"the clock was disturbed: {record.host_reads} file requests left the lab while it "
            "measured"
        )
    if extra is not None:
        notes.append(f"marked datagrams travelled as {'/'.join(extra.layers)} after the move")
        if not extra.agreed:
            notes.append("marked datagrams differed in overhead; the most frequent one is shown")
    return notes
