"""What the longest gap of a client consisted of.

Every instant of the gap belongs to exactly one part, so the parts sum to the gap:

    freeze       the guest was paused
    stale DNS    (requests) the name still led to the address that the guest had left, and the
                 attempts failed
    convergence  the guest ran, but the network did not lead there (or back): the UDP probes of
                 the same host and direction, which nothing but the network can delay, were
                 silent as well
    back-off     (TCP that went on) the rest: the network worked, and TCP still waited for its
                 retransmission timer, or the client for its next attempt
    lost state   (whatever did not go on) the rest, up to the connection's or observation's end

The last unit before the pause came up to one probe spacing earlier; that short time goes to the
part that takes the rest.

A part that cannot be told is None, never 0. Without a surviving UDP probe of the place and
direction, convergence is unknown, and so is the back-off that would be the rest.

Whose time? A client sees the guest's pause one delay later than it happened. A gap seen at the
client is therefore compared with the pause shifted by the delay from A to that client; a gap seen
at the guest (udp-up, tcp-bulk-up) with the pause itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netcont.measure.gaps import UDP_KINDS, Silence, instants, silences
from netcont.measure.intervals import Interval, length_s, overlap, shifted, without
from netcont.measure.paths import a_to_client_s
from netcont.measure.rtt import guest_to_client_s
from netcont.measure.timeline import Timeline
from netcont.model.outcome import Fate, Gap
from netcont.model.samples import ClientRecord, Where
from netcont.model.scenario import ClientKind, Network

# Two and a half intervals of the 100 Hz probe: one lost datagram is not a silent network.
SILENT_S = 0.025

SEEN_AT_GUEST = frozenset({ClientKind.UDP_UP, ClientKind.TCP_BULK_UP})

# Which UDP probes speak for a client's network; both ways where an answer is waited for.
WITNESSES: Mapping[ClientKind, tuple[ClientKind, ...]] = {
    ClientKind.TCP_BULK_UP: (ClientKind.UDP_UP,),
    ClientKind.TCP_BULK_DOWN: (ClientKind.UDP_DOWN,),
    ClientKind.TCP_ECHO: (ClientKind.UDP_UP, ClientKind.UDP_DOWN),
    ClientKind.REQUEST: (ClientKind.UDP_UP, ClientKind.UDP_DOWN),
}


@dataclass(frozen=True)
class Witness:
    """What the probes know of the network, for the attribution of everybody's gaps.

    silent: by host and UDP kind, when the network brought nothing, in the receiver's time; a
    key is missing where no probe of that kind survived there. transit_s: from the guest at A to
    each host. moved_from: the address that the guest left ("": it kept its address).
    """

    times: Timeline
    silent: Mapping[tuple[Where, ClientKind], tuple[Interval, ...]]
    transit_s: Mapping[Where, float]
    moved_from: str


def witness(
    clients: Sequence[ClientRecord],
    fates: Mapping[str, Fate | None],
    times: Timeline,
    network: Network,
    moved_from: str,
) -> Witness:
    """What the probes among clients saw; fates: by client name."""
    silent: dict[tuple[Where, ClientKind], tuple[Interval, ...]] = {}
    broken: set[tuple[Where, ClientKind]] = set()
    for client in clients:
        if client.kind not in UDP_KINDS:
            continue
        key = (client.where, client.kind)
        if fates[client.name] is not Fate.SURVIVED:
            broken.add(key)
        silent[key] = silent.get(key, ()) + silences(instants(client), SILENT_S)
    hosts = {client.where for client in clients}
    transit = {where: guest_to_client_s(clients, where, times) for where in hosts}
    return Witness(
        times=times,
        silent={key: spans for key, spans in silent.items() if key not in broken},
        transit_s={
            where: a_to_client_s(network, *where) if seen is None else seen
            for where, seen in transit.items()
        },
        moved_from=moved_from,
    )


def attribute(client: ClientRecord, silence: Silence, seen: Witness) -> Gap:
    """The parts of client's longest gap, in seconds."""
    shift_s = 0.0 if client.kind in SEEN_AT_GUEST else seen.transit_s[client.where]
    whole: tuple[Interval, ...] = ((silence.start_s, silence.end_s),)
    pause = _pause(seen.times, silence, shift_s)
    rest = whole if pause is None else without(whole, pause)
    stale = _stale_span(client, silence, seen, pause)
    kept = rest if stale is None else without(rest, stale)
    freeze_s = None if pause is None else length_s(overlap(whole, [pause]))
    stale_s = None if stale is None else length_s(overlap(rest, [stale]))
    if client.kind in UDP_KINDS:
        left_s = length_s(kept)
        if silence.open_ended:
            return Gap(freeze_s=freeze_s, lost_state_s=left_s)
        return Gap(freeze_s=freeze_s, convergence_s=left_s)
    silent = _silent(client, seen, shift_s)
    convergence_s = None if silent is None else length_s(overlap(kept, silent))
    left_s = max(0.0, length_s(kept) - (convergence_s or 0.0))
    if silence.open_ended:
        return Gap(freeze_s, convergence_s, None, stale_s, left_s)
    return Gap(freeze_s, convergence_s, None if silent is None else left_s, stale_s, None)


def _pause(times: Timeline, silence: Silence, shift_s: float) -> Interval | None:
    if times.frozen_s is None:
        return None
    thawed_s = float("inf") if times.thawed_s is None else times.thawed_s + shift_s
    # A guest that never ran again is paused to the end of the gap.
    return (times.frozen_s + shift_s, min(thawed_s, max(silence.end_s, times.frozen_s + shift_s)))


def _stale_span(
    client: ClientRecord, silence: Silence, seen: Witness, pause: Interval | None
) -> Interval | None:
    """From the resume to the end of the gap's last failed attempt at the address that was left."""
    if client.kind is not ClientKind.REQUEST or not seen.moved_from:
        return None
    resumed_s = silence.start_s if pause is None else pause[1]
    failed = [
        attempt.ended_s
        for attempt in client.attempts
        if attempt.error is not None
        and attempt.address == seen.moved_from
        and resumed_s <= attempt.ended_s <= silence.end_s
    ]
    return (resumed_s, max(failed, default=resumed_s))


def _silent(client: ClientRecord, seen: Witness, shift_s: float) -> tuple[Interval, ...] | None:
    """When the network brought nothing, in the time of whoever sees client's gap."""
    spans: list[Interval] = []
    for kind in WITNESSES.get(client.kind, ()):
        found = seen.silent.get((client.where, kind))
        if found is None:
            return None
        late_s = shift_s if kind in SEEN_AT_GUEST else 0.0
        spans.extend(shifted(found, late_s))
    return tuple(spans) if client.kind in WITNESSES else None


def parts(gap: Gap) -> Iterable[float]:
    """The known parts of a gap, in seconds."""
    known = (
        gap.freeze_s,
        gap.convergence_s,
        gap.backoff_s,
        gap.stale_dns_s,
        gap.lost_state_s,
    )
    return (part for part in known if part is not None)
