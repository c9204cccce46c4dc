"""One-way delays between the places of a scenario, in seconds. A LAN counts as none."""

from __future__ import annotations

from netcont.model.scenario import Network, Place


def a_to_b_s(network: Network) -> float:
    """From A to B over the wide area, the way the memory goes."""
    return network.a_b.delay_s


def b_to_a_s(network: Network) -> float:
    """From B to A by the faster of the two ways that exist: the wide area and the circuit."""
    ways = [network.a_b.reversed().delay_s]
    if network.circuit is not None:
        ways.append(network.circuit.reversed().delay_s)
    return min(ways)


def a_to_client_s(network: Network, place: Place) -> float:
    """From site A to a client."""
    return {
        Place.REMOTE: network.clients_a.reversed().delay_s,
        Place.AT_A: 0.0,
        Place.AT_B: a_to_b_s(network),
    }[place]


def b_to_client_s(network: Network, place: Place) -> float:
    """From site B to a client, directly."""
    return {
        Place.REMOTE: network.clients_b.reversed().delay_s,
        Place.AT_A: b_to_a_s(network),
        Place.AT_B: 0.0,
    }[place]


def round_trip_to_b_s(network: Network) -> float:
    """From a remote client to B and back, directly."""
    return network.clients_b.delay_s + network.clients_b.reversed().delay_s
