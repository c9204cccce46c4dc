"""The parts that topologies are put together from: sites, provider routers, wide-area paths.

A site is a gateway router (link ``lan`` and link ``wan``), a LAN switch, client hosts and, where
guests can live, a hypervisor host with a bridge. Sites hang on provider edge routers (``pe*``),
which are fully meshed: delay, rate and loss sit on the provider routers' interfaces, never on
endpoints.

The sites' prefixes say which family is spoken: IPv4 or IPv6, never both. Of IPv6 only links with
an address take part (netcont.lab.nodes); nobody sends or believes router advertisements.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from mininet.topo import Topo

from netcont.lab.nodes import LabNode, LanBridge, VethLink
from netcont.model.plan import (
    AddBridge,
    AddNeighbour,
    AddRoute,
    Change,
    Plan,
    SetMaster,
    SetNetem,
    SetSysctl,
    SetUp,
)
from netcont.model.scenario import Path
from topologies.families import (
    addressed,
    any_source,
    default_route_by,
    forwarding,
    sources_of_site,
    strict_sources,
)
from topologies.places import (
    GATEWAY,
    GUEST,
    HYPERVISOR,
    RESOLVER,
    SERVER,
    SitePlace,
    path_address,
    path_mac,
    transit_prefix,
    transit_prefixlen,
)

_QUEUE_PACKET_BYTES = 500
_SHORTEST_QUEUE_S = 0.02


def queue_packets(path: Path) -> int:
    """What a netem queue must hold: what is in flight and one round trip of waiting packets."""
    seconds = max(3 * path.delay_s, _SHORTEST_QUEUE_S)
    return math.ceil(path.rate_bps * seconds / 8 / _QUEUE_PACKET_BYTES)


def netem(node: str, link: str, path: Path) -> SetNetem:
    """The path's forward direction on a router's egress."""
    return SetNetem(node, link, path.delay_s, path.rate_bps, path.loss, queue_packets(path))


def add_site(topo: Topo, place: SitePlace, *, source_filtering: bool) -> None:
    """The gateway, its provider router and the LAN switch, linked."""
    letter, gateway, provider = place.letter, f"gw{place.letter}", f"pe{place.letter}"
    lan, wan, uplink = f"{gateway}-lan", f"{gateway}-wan", f"{provider}-site"
    topo.addSwitch(f"sw{letter}", cls=LanBridge)
    topo.addHost(
        gateway,
        cls=LabNode,
        family=place.family,
        setup=Plan(
            (
                *forwarding(gateway, place.family),
                *addressed(gateway, lan, place.address(GATEWAY), place.prefixlen),
                *addressed(gateway, wan, place.wan_address, transit_prefixlen(place.family)),
                SetUp(gateway, lan),
                SetUp(gateway, wan),
                *default_route_by(gateway, place.provider_address),
                *strict_sources(gateway, (wan, lan), place.family),
            )
        ),
    )
    topo.addLink(
        gateway,
        f"sw{letter}",
        cls=VethLink,
        intfName1=lan,
        intfName2=f"sw{letter}-gw",
        addr1=place.mac(GATEWAY),
        addr2=place.mac(201),
    )
    topo.addLink(
        gateway,
        provider,
        cls=VethLink,
        intfName1=wan,
        intfName2=uplink,
        addr1=place.mac(202),
        addr2=place.mac(203),
    )
    _set_up(
        topo,
        (
            *addressed(provider, uplink, place.provider_address, transit_prefixlen(place.family)),
            SetUp(provider, uplink),
            AddRoute(provider, place.prefix, via=place.wan_address),
            *sources_of_site(provider, uplink, place, on=source_filtering),
        ),
    )


def add_providers(topo: Topo, places: Iterable[SitePlace]) -> None:
    """The sites' provider routers, still without links."""
    for place in places:
        name = f"pe{place.letter}"
        setup = Plan(forwarding(name, place.family))
        topo.addHost(name, cls=LabNode, family=place.family, setup=setup)


def add_path(topo: Topo, one: SitePlace, other: SitePlace, path: Path) -> None:
    """The wide-area path between two sites' providers, with routes to both sites."""
    setups: list[Change] = []
    for here, there, way in ((one, other, path), (other, one, path.reversed())):
        node, link = f"pe{here.letter}", f"pe{here.letter}-{there.letter}"
        setups += [
            *addressed(node, link, path_address(here, there), transit_prefixlen(here.family)),
            # Between providers, ways there and back differ; sources are checked at their edge.
            *any_source(node, link, here.family),
            SetUp(node, link),
            # Providers know each other: the first packet does not wait for ARP across the ocean.
            AddNeighbour(node, link, path_address(there, here), path_mac(there, here)),
            *_routes(here, there, via=there),
            netem(node, link, way),
        ]
    topo.addLink(
        f"pe{one.letter}",
        f"pe{other.letter}",
        cls=VethLink,
        intfName1=f"pe{one.letter}-{other.letter}",
        intfName2=f"pe{other.letter}-{one.letter}",
        addr1=path_mac(one, other),
        addr2=path_mac(other, one),
    )
    _set_up(topo, setups)


def add_detour(topo: Topo, one: SitePlace, other: SitePlace, through: SitePlace) -> None:
    """Two sites reach each other by a third one's provider, to which both have a path."""
    _set_up(topo, (*_routes(one, other, via=through), *_routes(other, one, via=through)))


def _routes(here: SitePlace, there: SitePlace, via: SitePlace) -> tuple[Change, ...]:
    """How here's provider reaches there and its link to the provider."""
    node, next_hop = f"pe{here.letter}", path_address(via, here)
    return (
        AddRoute(node, there.prefix, via=next_hop),
        AddRoute(node, transit_prefix(there.wan_address), via=next_hop),
    )


def _set_up(topo: Topo, setups: Iterable[Change]) -> None:
    """Adds each change to the set-up of its node."""
    for change in setups:
        topo.nodeInfo(change.node)["setup"] += Plan((change,))


def add_host(topo: Topo, name: str, place: SitePlace, host: int) -> None:
    """An ordinary host on the site's LAN."""
    link = f"{name}-eth0"
    topo.addHost(
        name,
        cls=LabNode,
        family=place.family,
        setup=Plan(
            (
                *addressed(name, link, place.address(host), place.prefixlen),
                SetUp(name, link),
                *default_route_by(name, place.address(GATEWAY)),
            )
        ),
    )
    switch = f"sw{place.letter}"
    topo.addLink(
        name,
        switch,
        cls=VethLink,
        intfName1=link,
        intfName2=f"{switch}-{name}",
        addr1=place.mac(host),
        addr2=place.mac(100 + host),
    )


def add_name_servers(topo: Topo, place: SitePlace) -> None:
    """The hosts of the authoritative server, ns1, and of the caching resolver, ns2."""
    add_host(topo, "ns1", place, SERVER)
    add_host(topo, "ns2", place, RESOLVER)


def add_hypervisor(
    topo: Topo, place: SitePlace, host: int = HYPERVISOR, switch: str | None = None
) -> None:
    """A host whose bridge reaches the site's LAN; guests' ports join that bridge.

    switch: where its cable ends (default: in the site's own).
    """
    name = f"hv{place.letter}"
    bridge, uplink = f"{name}-br", f"{name}-eth0"
    topo.addHost(
        name,
        cls=LabNode,
        family=place.family,
        setup=Plan(
            (
                # The copying keeps its congestion window between rounds.
                SetSysctl(name, "net.ipv4.tcp_slow_start_after_idle", "0"),
                AddBridge(name, bridge),
                SetMaster(name, uplink, bridge),
                *addressed(name, bridge, place.address(host), place.prefixlen),
                SetUp(name, uplink),
                SetUp(name, bridge),
                *default_route_by(name, place.address(GATEWAY)),
            )
        ),
    )
    switch = switch or f"sw{place.letter}"
    topo.addLink(
        name,
        switch,
        cls=VethLink,
        intfName1=uplink,
        intfName2=f"{switch}-{name}",
        addr1=place.mac(host),
        addr2=place.mac(204),
    )


def add_guest(topo: Topo, home: SitePlace, away: SitePlace) -> None:
    """The guest, its cable in home's hypervisor, a second cable ready in away's.

    Both cables end in a patch panel, a hub in front of the guest: which of them is up says where
    the guest is. (Moving an interface to another namespace takes the kernel 12 ms and more, which
    no hypervisor spends; the guest's own card sees no change of carrier, as a virtual machine's
    would not.)
    """
    link = "guest-eth0"
    topo.addHost(
        "guest",
        cls=LabNode,
        family=home.family,
        setup=Plan(
            (
                *addressed("guest", link, home.address(GUEST), home.prefixlen),
                SetUp("guest", link),
                *default_route_by("guest", home.address(GATEWAY)),
            )
        ),
    )
    topo.addSwitch("patch", cls=PatchPanel)
    topo.addLink(
        "guest",
        "patch",
        cls=VethLink,
        intfName1=link,
        intfName2="patch-guest",
        addr1=home.mac(GUEST),
        addr2=home.mac(205),
    )
    for place in (home, away):
        hypervisor = f"hv{place.letter}"
        port = f"{hypervisor}-guest"
        topo.addLink(
            hypervisor,
            "patch",
            cls=VethLink,
            intfName1=port,
            intfName2=f"patch-{place.letter}",
            addr1=place.mac(208),
            addr2=place.mac(209),
        )
        if place is home:
            bridge = f"{hypervisor}-br"
            _set_up(topo, (SetMaster(hypervisor, port, bridge), SetUp(hypervisor, port)))


class PatchPanel(LanBridge):
    """A hub: it must not remember behind which cable a MAC was."""

    learning = False


def add_circuit(topo: Topo, one: SitePlace, other: SitePlace, path: Path) -> None:
    """A carrier's layer-2 circuit between two hypervisors.

    Its two ends are the carrier's own bridge, so that delay and rate stay off the endpoints.
    """
    topo.addSwitch("carrier", cls=CarrierCircuit, path=path)
    for place in (one, other):
        topo.addLink(
            f"hv{place.letter}",
            "carrier",
            cls=VethLink,
            intfName1=f"hv{place.letter}-circ",
            intfName2=f"carrier-{place.letter}",
            addr1=place.mac(206),
            addr2=place.mac(207),
        )
        node = f"hv{place.letter}"
        _set_up(topo, (SetUp(node, f"{node}-circ"),))


def add_cable(topo: Topo, name: str, switch: str, place: SitePlace, path: Path) -> None:
    """A long cable that hangs on switch; the hypervisor of place can be added to its other end."""
    topo.addSwitch(name, cls=CarrierCircuit, path=path)
    topo.addLink(
        switch,
        name,
        cls=VethLink,
        intfName1=f"{switch}-{name}",
        intfName2=f"{name}-{switch}",
        addr1=place.mac(206),
        addr2=place.mac(207),
    )


class CarrierCircuit(LanBridge):
    """A point-to-point Ethernet service: a bridge with the path's delay on its two ports.

    The path begins at the port whose link was added first.
    """

    def start(self, controllers: object = ()) -> None:
        """Bridges the two ports and slows them down."""
        super().start(controllers)
        path: Path = self.params["path"]
        near, far = [intf.name for intf in self.intfList() if intf.name != "lo"]
        # What leaves by the far port came from the near site.
        self.config(Plan((netem(self.name, far, path), netem(self.name, near, path.reversed()))))
