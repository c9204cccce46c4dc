"""The gap that physics allows: what no approach can beat on that network. Seconds.

The downtime. While the guest is paused, the last dirty bytes must still cross the path from A to
B: they leave no faster than the migration may send (migration.bandwidth_bps, by default 80 % of
the path's rate) nor than the link carries them with their TCP, IP and Ethernet headers; and the
last of them arrives one delay after it left. No protocol, no approach and no preparation shortens
that for this amount of bytes:

    floor of the run = max(8 * bytes / bandwidth, 8 * bytes on the wire / rate) + delay(A -> B)

The gap of a client is at least that, plus two things:

* the longer way, for what comes from the guest. The client keeps talking to the address it knows,
  and that address belongs to A. Where providers drop foreign sources (network.source_filtering)
  the guest's packets may leave only at A, so their shortest permitted path from B leads through
  A and is delay(B -> A) longer than before; where they do not, the direct path may be taken, and
  only the difference counts. A client on A's LAN has that way to wait for in any case; a client
  on B's LAN is reached without any provider. Traffic to the guest waits for nothing: the packet
  that ends the gap may be on its way, or held at B, when the guest resumes. For requests and
  echoes the answer's way counts.
* the probe's own spacing: a gap between two units that are sent every 10 ms cannot be told from
  one 10 ms shorter.

A path that becomes shorter is not counted as a gain: after a move towards the client, a gap may
lie below its floor by the difference of the delays. Approaches that change the address are held
against the same floor: it belongs to the network, not to the approach.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from types import MappingProxyType

from netcont.measure.paths import a_to_b_s, a_to_client_s, b_to_a_s, b_to_client_s
from netcont.model.samples import ClientRecord, MoveRecord
from netcont.model.scenario import ClientKind, Network, Place, Scenario

# Per full-sized packet: 14 bytes of Ethernet around it; 20 of IPv4 or 40 of IPv6, 20 of TCP and 12
# of TCP timestamps (RFC 7323) within it.
ETHERNET_BYTES = 14
HEADERS_BYTES: Mapping[int, int] = MappingProxyType({4: 52, 6: 72})

DEFAULT_BANDWIDTH_SHARE = 0.8

REQUEST_SPACING_S = 0.5
SPACING_S: Mapping[ClientKind, float] = MappingProxyType(
    {
        ClientKind.UDP_UP: 0.010,
        ClientKind.UDP_DOWN: 0.010,
        ClientKind.TCP_ECHO: 0.050,
        ClientKind.TCP_BULK_UP: 0.010,
        ClientKind.TCP_BULK_DOWN: 0.010,
    }
)

FROM_GUEST = frozenset(
    {ClientKind.UDP_DOWN, ClientKind.TCP_BULK_DOWN, ClientKind.TCP_ECHO, ClientKind.REQUEST}
)


def run_floor_s(scenario: Scenario, move: MoveRecord) -> float | None:
    """The shortest downtime for the bytes of the final round; None: there was no such round."""
    final = [part.bytes for part in move.rounds if part.final]
    if not final:
        return None
    payload_bits = 8 * sum(final)
    network = scenario.network
    mtu = network.mtu_bytes
    rate_bps = network.a_b.rate_bps
    bandwidth_bps = scenario.migration.bandwidth_bps or DEFAULT_BANDWIDTH_SHARE * rate_bps
    wire_bits = payload_bits * (mtu + ETHERNET_BYTES) / (mtu - HEADERS_BYTES[network.family])
    return max(payload_bits / bandwidth_bps, wire_bits / rate_bps) + a_to_b_s(network)


def client_floor_s(client: ClientRecord, network: Network, run_floor: float | None) -> float | None:
    """The shortest gap that client could have seen; None for kinds without a known spacing."""
    spacing = spacing_s(client)
    if run_floor is None or spacing is None:
        return None
    extra_s = longer_way_s(network, *client.where) if client.kind in FROM_GUEST else 0.0
    return run_floor + extra_s + spacing


def longer_way_s(network: Network, place: Place, node: str = "") -> float:
    """How much longer the shortest permitted way from the guest to place is at B than at A."""
    from_a_s = a_to_client_s(network, place, node)
    through_a_s = b_to_a_s(network) + from_a_s
    needs_a = place is Place.REMOTE and network.source_filtering
    best_s = through_a_s if needs_a else min(through_a_s, b_to_client_s(network, place, node))
    return max(0.0, best_s - from_a_s)


def spacing_s(client: ClientRecord) -> float | None:
    """The time between two units of a healthy client: requests show their own, as a median."""
    if client.kind is not ClientKind.REQUEST:
        return SPACING_S.get(client.kind)
    # Only what follows an answered request is paced; after a failure the next one starts late.
    between = [
        later.started_s - earlier.started_s
        for earlier, later in pairwise(client.attempts)
        if earlier.error is None
    ]
    return median(between) if between else REQUEST_SPACING_S
