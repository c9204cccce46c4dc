"""What bindings and visitors ask of the kernel, as plans.

A tunnel is a device for each pair of ends, shared by all bindings that use it. Packets go where the
host route of the home address says; switching to another care-of address replaces that route, so
that there is no moment without one. The kernel's route sends each packet one way: of simultaneous
bindings the tunnels of all stand ready, and packets go to the one registered last without the S
bit (while there is none, to the home link).

Reverse tunnelling (RFC 3024): the strict reverse path filter of the tunnel device drops an inner
source that is not routed back into the same tunnel, hence is not registered from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from netcont.kernel.namespace import Namespace
from netcont.model.plan import (
    AddAddress,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    Announce,
    Plan,
    SetSysctl,
    SetUp,
)

FIRST_TABLE = 1000
"""Visitors' routing tables are numbered from here, away from netcont's others."""

PRIORITY = 780

_TTL = 64


def tunnel_name(remote: IPv4Address, *, gre: bool) -> str:
    """The device to remote; known by its prefix as netcont's."""
    return f"nc{'g' if gre else 'i'}-{int(remote):08x}"


def tunnel(
    node: str,
    local: IPv4Address,
    remote: IPv4Address,
    *,
    gre: bool,
    address: IPv4Address | None = None,
) -> Plan:
    """A device from local to remote, with an address of its own or without one.

    Without one it takes only inner sources that are routed back into it, else any with a route.

    The greater of a link's filter and that for all links counts, so none can be switched off here.
    Loose lets pass whatever has a route, but is as strict as strict on a link without an address.
    """
    name = tunnel_name(remote, gre=gre)
    device = AddTunnel(node, name, "gre" if gre else "ipip", str(local), str(remote), ttl=_TTL)
    filtering = f"net.ipv4.conf.{name}.rp_filter"
    if address is None:
        return Plan((device, SetSysctl(node, filtering, "1"), SetUp(node, name)))
    own = AddAddress(node, name, str(address), 32)
    return Plan((device, own, SetSysctl(node, filtering, "2"), SetUp(node, name)))


def route_to(node: str, home_address: IPv4Address, link: str) -> Plan:
    """The home address is reached through this link, instead of any other."""
    return Plan((AddRoute(node, f"{home_address}/32", link=link, replace=True),))


def claim(node: str, link: str, mac: str, home_address: IPv4Address) -> Plan:
    """On the home link this agent is whom the home address belongs to (RFC 5944 4.6)."""
    return Plan(
        (
            AddNeighbour(node, link, str(home_address)),
            Announce(node, link, str(home_address), mac),
        )
    )


def release(node: str, link: str, mac: str, home_address: IPv4Address) -> Plan:
    """The node itself is heard on the home link again: neighbours that lag are told."""
    return Plan((Announce(node, link, str(home_address), mac),))


def answering(node: str, link: str, *, filtered: bool) -> Plan:
    """An agent's link: it forwards, and answers for those behind it without delay.

    filtered: reverse paths are. Then loosely: a visitor, and a node that has just come home, is
    routed elsewhere when its first request arrives.
    """
    loose = (SetSysctl(node, f"net.ipv4.conf.{link}.rp_filter", "2"),) if filtered else ()
    return Plan(
        (
            *loose,
            SetSysctl(node, "net.ipv4.ip_forward", "1"),
            SetSysctl(node, f"net.ipv4.neigh.{link}.proxy_delay", "0"),
            SetSysctl(node, f"net.ipv4.conf.{link}.send_redirects", "0"),
        )
    )


def is_filtered(node: Namespace, link: str) -> bool:
    """Whether the kernel looks at reverse paths there."""
    settings = (f"net.ipv4.conf.{one}.rp_filter" for one in ("all", link))
    return any(node.read_sysctl(setting) != "0" for setting in settings)


def visit(node: str, link: str, home_address: IPv4Address) -> Plan:
    """What comes out of the tunnel for a visitor is delivered on its link."""
    return route_to(node, home_address, link)


def way_back(
    node: str,
    home_address: IPv4Address,
    link: str,
    *,
    table: int,
    only: str | None = None,
) -> Plan:
    """What a visitor sends goes into the tunnel: all of it, or what is for the network `only`."""
    return Plan(
        (
            AddRoute(node, only or "default", link=link, table=table),
            AddRule(node, PRIORITY, f"{home_address}/32", table),
        )
    )


def through_agent(
    node: str,
    link: str,
    home_address: IPv4Address,
    home: IPv4Network,
    agent: IPv4Address,
    *,
    tunnel: str | None = None,
) -> Plan:
    """A node sends everything by way of its foreign agent, which it reaches on its link: as it is,
    or in this tunnel to it (encapsulating delivery, RFC 3024 5.2).

    Halves of networks: more specific than the routes of home, which stay as they are. The table is
    for what other routes would lead elsewhere, the routes for packets that have no source yet.
    """
    ways = (*_halves(IPv4Network("0.0.0.0/0")), *_halves(home))
    via, out = (str(agent), link) if tunnel is None else (None, tunnel)
    return Plan(
        (
            AddRoute(node, f"{agent}/32", link=link),
            AddRoute(node, f"{agent}/32", link=link, table=FIRST_TABLE),
            *(AddRoute(node, way, via=via, link=out) for way in ways),
            AddRoute(node, "default", via=via, link=out, table=FIRST_TABLE),
            AddRule(node, PRIORITY, f"{home_address}/32", FIRST_TABLE),
        )
    )


def to_home(node: str, link: str, home: IPv4Network) -> Plan:
    """The home network lies behind this link, whatever its own route says."""
    return Plan(tuple(AddRoute(node, half, link=link) for half in _halves(home)))


def _halves(network: IPv4Network) -> tuple[str, ...]:
    return tuple(map(str, network.subnets()))


def hosting(node: str, link: str) -> Plan:
    """For a guest that asks ARP for its old neighbours: this agent answers for them."""
    return Plan((SetSysctl(node, f"net.ipv4.conf.{link}.proxy_arp", "1"),))


def greeting(node: str, link: str, mac: str, addresses: Iterable[IPv4Address]) -> Plan:
    """What a guest that has just come still has in its ARP cache is behind this agent now."""
    return Plan(tuple(Announce(node, link, str(address), mac) for address in addresses))
