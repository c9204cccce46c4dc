"""Two sites and the clients' site, across a wide-area network.

    clc ns1 ns2 -- swc -- gwc -- pec ------- pea -- gwa -- swa -- hva ----- patch -- guest
                                   |          |             |      :          :
                                   +-- peb ---+            cla  carrier       : (down until
                                        |                          :          :  the move)
                                       gwb -- swb -- hvb ..........:..........:
                                               |
                                              clb

ns1 is the authoritative name server, ns2 the clients' caching resolver; cl* are clients.

With Mininet:  mn --custom topologies/two_site.py --topo two_site --controller none
"""

from __future__ import annotations

from mininet.topo import Topo

from netcont.model.layout import Layout
from netcont.model.plan import SetNetem
from netcont.model.scenario import Network, Scenario
from topologies.layouts import client_nodes, layout_of, site
from topologies.places import CLIENT, GUEST, SitePlace
from topologies.sites import (
    add_circuit,
    add_guest,
    add_host,
    add_hypervisor,
    add_name_servers,
    add_path,
    add_providers,
    add_site,
    netem,
)

__all__ = ["TwoSite", "client_nodes", "layout", "places", "topos", "wan_between_sites"]


def places(network: Network) -> tuple[SitePlace, SitePlace, SitePlace]:
    """A, B and the clients' site."""
    return (
        SitePlace("a", 1, network.a_prefix),
        SitePlace("b", 2, network.b_prefix),
        SitePlace("c", 3, network.client_prefix),
    )


class TwoSite(Topo):  # type: ignore[misc]
    """See the module's head. network: its paths (default: the default scenario's)."""

    def build(self, network: Network | None = None, **params: object) -> None:
        """Called by Mininet."""
        network = network or Network()
        a, b, c = places(network)
        add_providers(self, (a, b, c))
        for place in (a, b, c):
            add_site(self, place, source_filtering=network.source_filtering)
        add_path(self, a, b, network.a_b)
        add_path(self, c, a, network.clients_a)
        add_path(self, c, b, network.clients_b)
        for place in (a, b):
            add_hypervisor(self, place)
        for place in (a, b, c):
            add_host(self, f"cl{place.letter}", place, CLIENT)
        add_name_servers(self, c)
        add_circuit(self, a, b, network.circuit or network.a_b)
        add_guest(self, a, b)


def layout(scenario: Scenario) -> Layout:
    """The addresses that plans speak of, in this topology."""
    a, b, c = places(scenario.network)
    return layout_of(
        scenario,
        site(a, a, circuit=True, nodes=("gwa", "hva")),
        site(b, b, circuit=True, nodes=("gwb", "hvb", "guest")),
        home=a,
        clients=c,
        new_address=b.address(GUEST),
    )


def wan_between_sites(scenario: Scenario) -> tuple[SetNetem, ...]:
    """The queues of the path from A to B and back: what a cut of the WAN stops."""
    path = scenario.network.a_b
    return (netem("pea", "pea-b", path), netem("peb", "peb-a", path.reversed()))


topos = {"two_site": TwoSite}
