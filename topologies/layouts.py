"""The addresses that plans speak of, for topologies made of the parts in topologies.sites."""

from __future__ import annotations

from netcont.lab.keys import lab_key
from netcont.model.layout import GuestPort, Layout, NameService, Site
from netcont.model.scenario import Place, Scenario
from topologies.places import CLIENT, GATEWAY, GUEST, HYPERVISOR, RESOLVER, SERVER, SitePlace


def site(
    place: SitePlace,
    gateway_place: SitePlace,
    *,
    host: int = HYPERVISOR,
    circuit: bool = False,
    nodes: tuple[str, ...],
) -> Site:
    """What the site's engine sees. host: its hypervisor's; nodes: all that it may change."""
    gateway, hypervisor = f"gw{gateway_place.letter}", f"hv{place.letter}"
    return Site(
        prefix=place.prefix,
        prefixlen=place.prefixlen,
        gateway=gateway,
        gateway_lan=f"{gateway}-lan",
        gateway_wan=f"{gateway}-wan",
        gateway_address=place.address(GATEWAY),
        gateway_mac=gateway_place.mac(GATEWAY),
        wan_address=gateway_place.wan_address,
        hypervisor=hypervisor,
        hypervisor_address=place.address(host),
        bridge=f"{hypervisor}-br",
        guest_port=f"{hypervisor}-guest",
        circuit=f"{hypervisor}-circ" if circuit else None,
        nodes=nodes,
    )


def layout_of(
    scenario: Scenario, a: Site, b: Site, home: SitePlace, clients: SitePlace, new_address: str
) -> Layout:
    """The whole layout. home: the guest's place at first; clients: where the name servers are."""
    return Layout(
        a=a,
        b=b,
        guest=GuestPort(
            node="guest",
            link="guest-eth0",
            mac=home.mac(GUEST),
            address=home.address(GUEST),
            prefixlen=home.prefixlen,
            gateway_address=home.address(GATEWAY),
            new_address=new_address,
        ),
        names=NameService(
            server=clients.address(SERVER),
            resolver=clients.address(RESOLVER),
            server_node="ns1",
            resolver_node="ns2",
            zone=scenario.dns.zone,
            name=scenario.dns.name,
            ttl_s=scenario.dns.ttl_s,
            key=lab_key(scenario),
        ),
        on_link=(home.address(CLIENT), home.address(HYPERVISOR)),
        mtu_bytes=scenario.network.mtu_bytes,
    )


def client_nodes(place: Place) -> tuple[str, ...]:
    """Where clients of that place stand."""
    return {Place.REMOTE: ("clc",), Place.AT_A: ("cla",), Place.AT_B: ("clb",)}[place]
