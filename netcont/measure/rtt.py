"""Round trips and one-way delays, from the time stamps of the probes. Seconds.

Only tcp-echo can tell a round trip; its median is taken, because retransmissions make tails.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from netcont.measure.paths import round_trip_to_b_s
from netcont.measure.timeline import Timeline
from netcont.model.outcome import ClientOutcome, Fate
from netcont.model.samples import ClientRecord, Where
from netcont.model.scenario import ClientKind, Network, Place

# "After" is the end of the probing: the network has settled and the tunnels are what they stay.
AFTER_S = 2.0


def rtt_before_s(client: ClientRecord, times: Timeline) -> float | None:
    """The median round trip of echoes that were read before the pause; None: cannot be told."""
    return _echo_median(client, times.start_s, times.began_s)


def rtt_after_s(client: ClientRecord, times: Timeline) -> float | None:
    """The median round trip of echoes sent in the last two seconds of the probing."""
    if times.resumed_s is None:
        return None
    sent_from_s = max(times.probes_end_s - AFTER_S, times.resumed_s)
    return _echo_median(client, sent_from_s, float("inf"))


def _echo_median(client: ClientRecord, from_s: float, before_s: float) -> float | None:
    if client.kind is not ClientKind.TCP_ECHO:
        return None
    trips = [
        arrival.received_s - arrival.sent_s
        for arrival in client.arrivals
        if arrival.sent_s is not None and arrival.sent_s >= from_s and arrival.received_s < before_s
    ]
    return median(trips) if trips else None


def guest_to_client_s(
    clients: Iterable[ClientRecord], where: Where, times: Timeline
) -> float | None:
    """The one-way delay from the guest at A to a place, as probes there saw it before the pause.

    The udp-down probe measures it; half an echo's round trip is the next best. None: no probe.
    """
    here = [client for client in clients if client.where == where and client.disturbed is None]
    one_way = [
        arrival.received_s - arrival.sent_s
        for client in here
        if client.kind is ClientKind.UDP_DOWN
        for arrival in client.arrivals
        if arrival.sent_s is not None and arrival.received_s < times.began_s
    ]
    if one_way:
        return median(one_way)
    trips = [trip for client in here if (trip := rtt_before_s(client, times)) is not None]
    return median(trips) / 2 if trips else None


def path_stretch(clients: Iterable[ClientOutcome], network: Network) -> float | None:
    """How many times longer the round trip of surviving remote echoes is than the direct one.

    1.0: they reach the guest at B directly. None: no such client, or the direct path is a LAN.
    """
    stretches = [
        client.rtt_after_s / direct_s
        for client in clients
        if client.kind is ClientKind.TCP_ECHO
        and client.place is Place.REMOTE
        and client.fate is Fate.SURVIVED
        and client.rtt_after_s is not None
        and (direct_s := round_trip_to_b_s(network, client.node)) > 0
    ]
    return median(stretches) if stretches else None
