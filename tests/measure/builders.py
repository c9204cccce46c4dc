"""Hand-made records: a guest paused from 103.0 s to 103.2 s, seen over 25 ms of one-way delay."""

from __future__ import annotations

from netcont.model.samples import (
    Arrival,
    Attempt,
    ClientRecord,
    Frame,
    MoveRecord,
    PhaseSpan,
    Round,
    RunRecord,
    TcpInfo,
)
from netcont.model.scenario import ClientKind, Phase, Place

START, FROZEN, THAWED, PROBES_END, GIVEN_UP = 100.0, 103.0, 103.2, 111.2, 1311.2
DELAY = 0.025
OLD, NEW = "10.1.0.10", "10.2.0.10"


def ticks(start_s: float, end_s: float, spacing_s: float) -> list[float]:
    """Instants from start to end, both in tens of microseconds to keep the arithmetic clean."""
    count = int((end_s - start_s) / spacing_s + 1e-6)
    return [round(start_s + n * spacing_s, 6) for n in range(count + 1)]


def udp(
    kind: ClientKind = ClientKind.UDP_UP,
    place: Place = Place.REMOTE,
    *,
    lost: tuple[float, float] = (FROZEN, THAWED),
    delay_s: float = DELAY,
    disturbed: str | None = None,
) -> ClientRecord:
    """A 100 Hz probe. Datagrams that would be received by the guest (udp-up), or are sent by it
    (udp-down), within lost do not come through."""
    arrivals = []
    instants = ticks(START, PROBES_END, 0.01)
    for seq, sent_s in enumerate(instants):
        received_s = sent_s + delay_s
        at_guest_s = received_s if kind is ClientKind.UDP_UP else sent_s
        if not lost[0] <= at_guest_s < lost[1]:
            arrivals.append(Arrival(seq, sent_s, received_s))
    return ClientRecord(
        name=f"{kind}@{place}",
        kind=kind,
        place=place,
        address=OLD,
        connected_s=None,
        arrivals=tuple(arrivals),
        sent=len(instants),
        last_sent_s=instants[-1],
        disturbed=disturbed,
    )


def echo(
    place: Place = Place.REMOTE,
    *,
    name: str = "",
    back_s: float | None = THAWED + DELAY,
    until_s: float = PROBES_END,
    rtt_after_s: float = 2 * DELAY,
    error: str | None = None,
    ended_s: float | None = None,
    delay_s: float = DELAY,
) -> ClientRecord:
    """A 20 Hz session: silent from the pause until back_s (None: for good), when every echo that
    is due comes at once; silent again from until_s on."""
    arrivals = []
    instants = ticks(START, PROBES_END, 0.05)
    for seq, sent_s in enumerate(instants):
        if sent_s + delay_s < FROZEN:
            arrivals.append(Arrival(seq, sent_s, sent_s + 2 * delay_s))
        elif back_s is not None and sent_s <= until_s:
            arrivals.append(Arrival(seq, sent_s, max(back_s, sent_s + rtt_after_s)))
    return ClientRecord(
        name=name or f"tcp-echo@{place}",
        kind=ClientKind.TCP_ECHO,
        place=place,
        address=OLD,
        connected_s=START,
        arrivals=tuple(arrivals),
        sent=len(instants),
        last_sent_s=instants[-1],
        error=error,
        ended_s=ended_s,
        tcp=TcpInfo(retransmissions=3, backoff=0, rtt_s=0.05, rto_s=0.25, unacked=0),
    )


def bulk(
    kind: ClientKind, *, back_s: float | None = THAWED + 0.03, place: Place = Place.REMOTE
) -> ClientRecord:
    """A stream that comes every 10 ms, silent from the pause until back_s (None: for good)."""
    shift_s = DELAY if kind is ClientKind.TCP_BULK_DOWN else 0.0
    instants = ticks(START + 0.1, FROZEN + shift_s - 0.01, 0.01)
    if back_s is not None:
        instants += ticks(back_s, PROBES_END, 0.01)
    return ClientRecord(
        name=f"{kind}@{place}",
        kind=kind,
        place=place,
        address=OLD,
        connected_s=START,
        arrivals=tuple(Arrival(1250 * n, None, at_s) for n, at_s in enumerate(instants, 1)),
        ended_s=GIVEN_UP if back_s is None else PROBES_END + 0.1,
    )


def request(
    attempts: tuple[Attempt, ...] | None = None, *, place: Place = Place.REMOTE, name: str = ""
) -> ClientRecord:
    """A request client; without attempts of its own all of them succeed in 75 ms."""
    if attempts is None:
        attempts = tuple(answered(at_s) for at_s in ticks(START, PROBES_END - 0.1, 0.5))
    return ClientRecord(
        name=name or f"request@{place}",
        kind=ClientKind.REQUEST,
        place=place,
        address=OLD,
        connected_s=attempts[0].ended_s,
        attempts=attempts,
        sent=len(attempts),
        ended_s=attempts[-1].ended_s,
    )


def answered(started_s: float, address: str = OLD, *, took_s: float = 0.075) -> Attempt:
    """An attempt that succeeded."""
    return Attempt(started_s, started_s + 0.001, address, started_s + took_s, None)


def failed(
    started_s: float, error: str = "ETIMEDOUT", address: str | None = OLD, *, took_s: float = 1.0
) -> Attempt:
    """An attempt that did not."""
    return Attempt(started_s, started_s + 0.001, address, started_s + took_s, error)


def before_the_pause() -> tuple[Attempt, ...]:
    """Requests that were answered while the guest was at A."""
    return tuple(answered(at_s) for at_s in ticks(START, FROZEN - 0.5, 0.5))


def program(
    exit_code: int | None, output: str = "", *, ended_s: float | None = PROBES_END
) -> ClientRecord:
    """A program of the user's."""
    return ClientRecord(
        name="curl",
        kind=ClientKind.PROGRAM,
        place=Place.REMOTE,
        address=None,
        connected_s=None,
        exit_code=exit_code,
        output=output,
        ended_s=ended_s,
    )


def move(
    status: str = "moved",
    *,
    frozen_s: float | None = FROZEN,
    thawed_s: float | None = THAWED,
    final_bytes: int | None = 2**20,
    error: str | None = None,
    destination_digest: str | None = "d1",
) -> MoveRecord:
    """What the engine did: one round of 16 MiB, then the final one (None: there was none)."""
    rounds = [Round(1, 4096, 16 * 2**20, 101.5, 102.9, final=False)]
    if final_bytes is not None:
        rounds.append(Round(2, final_bytes // 4096, final_bytes, 103.0, 103.15, final=True))
    return MoveRecord(
        status=status,
        error=error,
        phases=(
            PhaseSpan(Phase.PREPARE, 101.0, 101.5),
            PhaseSpan(Phase.COPY, 101.5, 103.0),
            PhaseSpan(Phase.PAUSE, 103.0, 103.0),
        ),
        rounds=tuple(rounds),
        frozen_s=frozen_s,
        thawed_s=thawed_s,
        committed_s=thawed_s,
        page_bytes=4096,
        source_digest="d1",
        destination_digest=destination_digest,
    )


def record(
    *clients: ClientRecord,
    approach: str = "ipip",
    moved: MoveRecord | None = None,
    new_address: str = OLD,
    before: tuple[Frame, ...] = (),
    after: tuple[Frame, ...] = (),
    errors: tuple[str, ...] = (),
    host_reads: int | None = 0,
) -> RunRecord:
    """One run."""
    return RunRecord(
        approach=approach,
        seed=1,
        window_s=(START, PROBES_END),
        observed_until_s=GIVEN_UP,
        move=move() if moved is None else moved,
        clients=clients,
        overhead_before=before,
        overhead_after=after,
        old_address=OLD,
        new_address=new_address,
        host_reads=host_reads,
        errors=errors,
    )
