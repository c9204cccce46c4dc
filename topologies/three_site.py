"""Two sites, as in two_site, and clients on two continents, each with its own way to A and to B.

    clc ns1 ns2 -- swc -- gwc -- pec -- pea and peb       pea, peb and all that is behind them
            cld -- swd -- gwd -- ped -- pea and peb       are as in two_site

Clients "remote" stand at clc and at cld in turns. The two continents reach each other by A's
provider: the name servers are on the first one.

With Mininet:  mn --custom topologies/three_site.py --topo three_site --controller none
"""

from __future__ import annotations

from netcont.model.scenario import SECOND_CLIENTS_NODE, Network, Place
from topologies import two_site
from topologies.places import CLIENT, SitePlace
from topologies.sites import (
    add_detour,
    add_host,
    add_path,
    add_providers,
    add_site,
)
from topologies.two_site import TwoSite, layout, wan_between_sites

__all__ = ["ThreeSite", "client_nodes", "layout", "topos", "wan_between_sites"]


class ThreeSite(TwoSite):
    """See the module's head. network: its paths (default: the default scenario's)."""

    def build(self, network: Network | None = None, **params: object) -> None:
        """Called by Mininet."""
        network = network or Network()
        super().build(network)
        a, b, c = two_site.places(network)
        d = SitePlace("d", 4, network.client2_prefix)
        to_a, to_b = network.from_clients(SECOND_CLIENTS_NODE)
        add_providers(self, (d,))
        add_site(self, d, source_filtering=network.source_filtering)
        add_path(self, d, a, to_a)
        add_path(self, d, b, to_b)
        add_detour(self, c, d, through=a)
        add_host(self, SECOND_CLIENTS_NODE, d, CLIENT)


def client_nodes(place: Place) -> tuple[str, ...]:
    """Where clients of that place stand."""
    nodes = two_site.client_nodes(place)
    return (*nodes, SECOND_CLIENTS_NODE) if place is Place.REMOTE else nodes


topos = {"three_site": ThreeSite}
