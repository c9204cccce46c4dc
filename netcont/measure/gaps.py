"""Streams of units that came through, and the silences between them.

A unit is what a client counts: an echo read, a datagram or some bytes received, a request
answered. The longest gap is the longest time between two units of which the second came after
the pause began; when nothing came any more it reaches from the last unit to the end of the
connection or of the observation and is called open-ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from netcont.measure.intervals import Interval
from netcont.measure.timeline import Timeline
from netcont.model.samples import Arrival, ClientRecord
from netcont.model.scenario import ClientKind

UDP_KINDS = frozenset({ClientKind.UDP_UP, ClientKind.UDP_DOWN})


@dataclass(frozen=True)
class Silence:
    """A time without a unit. open_ended: no unit ended it, only the connection's end or ours."""

    start_s: float
    end_s: float
    open_ended: bool

    @property
    def length_s(self) -> float:
        """Its duration in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Counts:
    """Units lost, duplicated and reordered; None: not countable for this kind of client."""

    lost: int | None = None
    duplicated: int | None = None
    reordered: int | None = None


def instants(client: ClientRecord) -> tuple[float, ...]:
    """When units came through, ascending, in seconds at the receiver."""
    if client.kind is ClientKind.REQUEST:
        return tuple(sorted(a.ended_s for a in client.attempts if a.error is None))
    return tuple(sorted(arrival.received_s for arrival in client.arrivals))


def ending(client: ClientRecord, times: Timeline) -> str | None:
    """The error that ended the connection within the observation; None: it stood."""
    if client.ended_s is not None and client.ended_s > times.observed_until_s:
        return None  # the lab was being taken down: not the move's doing
    return client.error


def expected_until_s(client: ClientRecord, times: Timeline) -> float:
    """Until when units of a healthy stream are due: it probed, and did not close by itself.

    When the last unit was sent says nothing here: a sender stops when a dead path fills its
    buffer, or when the datagrams that ask it to go on are lost.
    """
    if client.kind is ClientKind.REQUEST:
        return max((a.ended_s for a in client.attempts), default=times.probes_end_s)
    if client.error is None and client.ended_s is not None:
        return min(times.probes_end_s, client.ended_s)
    return times.probes_end_s


def watched_until_s(client: ClientRecord, times: Timeline) -> float:
    """Where the gap of a stream ends that brought nothing any more.

    The connection's end if an error ended it; for UDP and for requests the end of the probing
    (nobody asked later); otherwise the end of the observation.
    """
    if client.kind in UDP_KINDS:
        return times.probes_end_s
    if client.kind is ClientKind.REQUEST:
        return max((a.ended_s for a in client.attempts), default=times.probes_end_s)
    if client.ended_s is not None:
        return min(client.ended_s, times.observed_until_s)
    return times.observed_until_s


def longest_silence(client: ClientRecord, times: Timeline, *, survived: bool) -> Silence | None:
    """The longest silence that reaches into the time from the pause on.

    survived says how the stream's end is read: of a survivor only the time in which units were
    still due counts. None: there was no unit, or the stream ended before the pause.
    """
    units = instants(client)
    if not units:
        return None
    end_s = expected_until_s(client, times) if survived else watched_until_s(client, times)
    found = [Silence(a, b, open_ended=False) for a, b in pairwise(units) if b >= times.began_s]
    if end_s > units[-1] and end_s >= times.began_s:
        found.append(Silence(units[-1], end_s, open_ended=not survived))
    return max(found, key=lambda silence: silence.length_s, default=None)


def silences(units: Sequence[float], longer_than_s: float) -> tuple[Interval, ...]:
    """The spans between ascending units that are longer than longer_than_s."""
    return tuple((a, b) for a, b in pairwise(units) if b - a > longer_than_s)


def counts(client: ClientRecord) -> Counts:
    """What the sequence numbers say. Only UDP probes can tell: TCP hides loss and order."""
    if client.kind not in UDP_KINDS:
        return Counts()
    distinct = len({arrival.seq for arrival in client.arrivals})
    return Counts(
        # A sender that counted fewer than arrived did not count: unknown, not negative.
        lost=None if client.sent is None or client.sent < distinct else client.sent - distinct,
        duplicated=len(client.arrivals) - distinct,
        reordered=_reordered(client.arrivals),
    )


def _reordered(arrivals: Iterable[Arrival]) -> int:
    """Units that came for the first time after one with a larger number (RFC 4737, type-P)."""
    seen: set[int] = set()
    highest: int | None = None
    late = 0
    for arrival in arrivals:
        if arrival.seq not in seen and highest is not None and arrival.seq < highest:
            late += 1
        seen.add(arrival.seq)
        highest = arrival.seq if highest is None else max(highest, arrival.seq)
    return late
