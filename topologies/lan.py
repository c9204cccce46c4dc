"""One LAN, as in the papers (Clark et al., NSDI '05): A and B are hypervisors of one prefix.

    clc ns1 ns2 -- swc -- gwc -- pec -- pea -- gwa -- swa -- hva --- patch -- guest
                                                       |               :
                                                cla clb+               : (down until
                                                       |               :  the move)
                                                     cable --- hvb ....:

There is one switch and one gateway, and the guest keeps its address: what moves the traffic is
what the switch learns and what is announced by ARP. The cable to B's hypervisor (a bridge with
two ports) has the delay, rate and loss of the path a_b. Both cla and clb stand beside A; clients
elsewhere come by the path clients_a.

With Mininet:  mn --custom topologies/lan.py --topo lan --controller none
"""

from __future__ import annotations

from mininet.topo import Topo

from netcont.model.layout import Layout
from netcont.model.plan import SetNetem
from netcont.model.scenario import Network, Scenario
from topologies.layouts import client_nodes, layout_of, site
from topologies.places import CLIENT, GUEST, HYPERVISOR, SitePlace
from topologies.sites import (
    add_cable,
    add_guest,
    add_host,
    add_hypervisor,
    add_name_servers,
    add_path,
    add_providers,
    add_site,
    netem,
)

__all__ = ["Lan", "client_nodes", "layout", "topos", "wan_between_sites"]

HYPERVISOR_B = HYPERVISOR + 1
NEW_GUEST = GUEST + 1
CLIENT_B = CLIENT + 1


def places(network: Network) -> tuple[SitePlace, SitePlace, SitePlace]:
    """A, B (the same prefix, with MACs of its own) and the clients' site."""
    return (
        SitePlace("a", 1, network.a_prefix),
        SitePlace("b", 2, network.a_prefix),
        SitePlace("c", 3, network.client_prefix),
    )


class Lan(Topo):  # type: ignore[misc]
    """See the module's head. network: its paths (default: the default scenario's)."""

    def build(self, network: Network | None = None, **params: object) -> None:
        """Called by Mininet."""
        network = network or Network()
        a, b, c = places(network)
        add_providers(self, (a, c))
        for place in (a, c):
            add_site(self, place, source_filtering=network.source_filtering)
        add_path(self, c, a, network.clients_a)
        add_cable(self, "cable", "swa", b, network.a_b)
        add_hypervisor(self, a)
        add_hypervisor(self, b, HYPERVISOR_B, switch="cable")
        add_host(self, "cla", a, CLIENT)
        add_host(self, "clb", a, CLIENT_B)
        add_host(self, "clc", c, CLIENT)
        add_name_servers(self, c)
        add_guest(self, a, b)


def layout(scenario: Scenario) -> Layout:
    """The addresses that plans speak of, in this topology.

    The gateway is B's to change: nothing of an approach for a LAN happens there before the move.
    """
    a, b, c = places(scenario.network)
    return layout_of(
        scenario,
        site(a, a, nodes=("hva",)),
        site(b, a, host=HYPERVISOR_B, nodes=("gwa", "hvb", "guest")),
        home=a,
        clients=c,
        new_address=a.address(NEW_GUEST),
    )


def wan_between_sites(scenario: Scenario) -> tuple[SetNetem, ...]:
    """The queues of the cable to B's hypervisor, both ways: what a cut stops."""
    path = scenario.network.a_b
    return (netem("cable", "cable-hvb", path), netem("cable", "cable-swa", path.reversed()))


topos = {"lan": Lan}
