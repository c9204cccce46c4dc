"""One-way delays between the places of a scenario, in seconds. A LAN counts as none.

node: the host at the place; only remote hosts differ, by the continent that they are on.
Where A and B are one LAN, everybody reaches B by A's switch and the cable behind it.
"""

from __future__ import annotations

from netcont.model.scenario import ONE_LAN, Network, Place


def a_to_b_s(network: Network) -> float:
    """From A to B over the wide area, the way the memory goes."""
    return network.a_b.delay_s


def b_to_a_s(network: Network) -> float:
    """From B to A by the faster of the two ways that exist: the wide area and the circuit."""
    ways = [network.a_b.reversed().delay_s]
    if network.circuit is not None and network.topology not in ONE_LAN:
        ways.append(network.circuit.reversed().delay_s)
    return min(ways)


def a_to_client_s(network: Network, place: Place, node: str = "") -> float:
    """From site A to a client."""
    return {
        Place.REMOTE: network.from_clients(node)[0].reversed().delay_s,
        Place.AT_A: 0.0,
        Place.AT_B: 0.0 if network.topology in ONE_LAN else a_to_b_s(network),
    }[place]


def b_to_client_s(network: Network, place: Place, node: str = "") -> float:
    """From site B to a client, directly."""
    if network.topology in ONE_LAN:
        return b_to_a_s(network) + a_to_client_s(network, place, node)
    return {
        Place.REMOTE: network.from_clients(node)[1].reversed().delay_s,
        Place.AT_A: b_to_a_s(network),
        Place.AT_B: 0.0,
    }[place]


def round_trip_to_b_s(network: Network, node: str = "") -> float:
    """From a remote client to B and back, directly."""
    to_a, to_b = network.from_clients(node)
    there_s = to_a.delay_s + a_to_b_s(network) if network.topology in ONE_LAN else to_b.delay_s
    return there_s + b_to_client_s(network, Place.REMOTE, node)
