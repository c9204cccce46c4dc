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

from netcont.lab.keys import lab_key
from netcont.model.layout import GuestPort, Layout, NameService, Site
from netcont.model.plan import SetNetem
from netcont.model.scenario import Network, Place, Scenario
from topologies.sites import (
    CLIENT,
    GATEWAY,
    GUEST,
    HYPERVISOR,
    RESOLVER,
    SERVER,
    SitePlace,
    add_circuit,
    add_guest,
    add_host,
    add_hypervisor,
    add_path,
    add_providers,
    add_site,
    netem,
)


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
        add_providers(self, "abc")
        for place in (a, b, c):
            add_site(self, place, source_filtering=network.source_filtering)
        add_path(self, a, b, network.a_b)
        add_path(self, c, a, network.clients_a)
        add_path(self, c, b, network.clients_b)
        for place in (a, b):
            add_hypervisor(self, place)
        for place in (a, b, c):
            add_host(self, f"cl{place.letter}", place, CLIENT, "cl")
        add_host(self, "ns1", c, SERVER, "ns1")
        add_host(self, "ns2", c, RESOLVER, "ns2")
        add_circuit(self, a, b, network.circuit or network.a_b)
        add_guest(self, a, b)


def layout(scenario: Scenario) -> Layout:
    """The addresses that plans speak of, in this topology."""
    a, b, c = places(scenario.network)
    return Layout(
        a=_site(a),
        b=_site(b),
        guest=GuestPort(
            node="guest",
            link="guest-eth0",
            mac=a.mac(GUEST),
            address=a.address(GUEST),
            prefixlen=a.prefixlen,
            gateway_address=a.address(GATEWAY),
            new_address=b.address(GUEST),
        ),
        names=NameService(
            server=c.address(SERVER),
            resolver=c.address(RESOLVER),
            server_node="ns1",
            resolver_node="ns2",
            zone=scenario.dns.zone,
            name=scenario.dns.name,
            ttl_s=scenario.dns.ttl_s,
            key=lab_key(scenario),
        ),
        on_link=(a.address(CLIENT), a.address(HYPERVISOR)),
        mtu_bytes=scenario.network.mtu_bytes,
    )


def client_nodes(place: Place) -> tuple[str, ...]:
    """Where clients of that place stand."""
    return {Place.REMOTE: ("clc",), Place.AT_A: ("cla",), Place.AT_B: ("clb",)}[place]


def wan_between_sites(scenario: Scenario) -> tuple[SetNetem, ...]:
    """The queues of the path from A to B and back: what a cut of the WAN stops."""
    path = scenario.network.a_b
    return (netem("pea", "pea-b", path), netem("peb", "peb-a", path.reversed()))


def _site(place: SitePlace) -> Site:
    gateway, hypervisor = f"gw{place.letter}", f"hv{place.letter}"
    guests = ("guest",) if place.letter == "b" else ()
    return Site(
        prefix=place.prefix,
        prefixlen=place.prefixlen,
        gateway=gateway,
        gateway_lan=f"{gateway}-lan",
        gateway_wan=f"{gateway}-wan",
        gateway_address=place.address(GATEWAY),
        gateway_mac=place.mac(GATEWAY),
        wan_address=place.wan_address,
        hypervisor=hypervisor,
        hypervisor_address=place.address(HYPERVISOR),
        bridge=f"{hypervisor}-br",
        guest_port=f"{hypervisor}-guest",
        circuit=f"{hypervisor}-circ",
        nodes=(gateway, hypervisor, *guests),
    )


topos = {"two_site": TwoSite}
