"""Tunnels, and guests that are carried through them: one side's changes. Pure.

They are those of the lab (netcont.approach.tunnel, which says why each is needed), with names of
the file's.
"""

from __future__ import annotations

from collections.abc import Iterator

from netcont.deploy.end import End
from netcont.model.deployment import Deployment, Extension, Guest, Tunnel, family_of, of_family
from netcont.model.numbers import TUNNEL_PRIORITY
from netcont.model.plan import (
    MAIN_TABLE,
    AddAddress,
    AddNeighbour,
    AddRoute,
    AddRule,
    AddTunnel,
    Announce,
    Change,
    SetSysctl,
    default_route,
)

_BITS = {4: 32, 6: 128}
_EVERYTHING = frozenset({"0.0.0.0/0", "::/0"})


def tunnel(end: End, one: Tunnel) -> Iterator[Change]:
    """The tunnel's end, with its addresses and routes."""
    yield AddTunnel(
        end.node,
        one.name,
        str(one.kind.value),
        end.here.address,
        end.there.address,
        ttl=one.ttl,
        key=one.key,
        mtu_bytes=one.mtu_bytes,
        tos=one.tos,
        pmtudisc=one.pmtudisc,
    )
    yield from _settings(end, one)
    yield end.up(one.name)
    yield from inner(end, one, one.name, point_to_point=True)


def _settings(end: End, one: Tunnel) -> Iterator[Change]:
    passing = _families(end.deployment, one)
    if 4 in passing:
        # What comes out of the tunnel has a source that this host routes elsewhere.
        yield SetSysctl(end.node, f"net.ipv4.conf.{one.name}.rp_filter", "0")
    if 6 in passing:
        # No address but those of the file: nothing is solicited in it.
        yield SetSysctl(end.node, f"net.ipv6.conf.{one.name}.addr_gen_mode", "1")
        yield SetSysctl(end.node, f"net.ipv6.conf.{one.name}.disable_ipv6", "0")


def _families(deployment: Deployment, one: Tunnel) -> set[int]:
    """What passes through a tunnel; where nothing is said, what it is made of."""
    texts = [*one.addresses.a, *one.addresses.b, *one.routes.a, *one.routes.b]
    texts += [guest.address for guest in deployment.guests_over(one)]
    return {family_of(each) for each in texts} or {deployment.family}


def inner(
    end: End, one: Tunnel | Extension, link: str, *, point_to_point: bool
) -> Iterator[Change]:
    """Addresses and routes on a tunnel or a routed segment."""
    far = one.addresses.at(end.side.other)
    for own in one.addresses.at(end.side):
        address, _, length = own.partition("/")
        yield AddAddress(end.node, link, address, int(length))
    for prefix in one.routes.at(end.side):
        hop = None if point_to_point else of_family(far, family_of(prefix))
        destination = default_route(prefix) if prefix in _EVERYTHING else prefix
        via = None if hop is None else hop.partition("/")[0]
        yield AddRoute(end.node, destination, via=via, link=link)


def guest(end: End, one: Guest, over: Tunnel) -> Iterator[Change]:
    """What a guest needs here: at home its packets go into the tunnel once it is switched."""
    alone = host_prefix(one.address)
    if one.source is not end.side:
        yield from _way_back(end, one, over)
        if end.switched:
            yield AddRoute(end.node, alone, link=end.lan)
    elif end.switched:
        yield AddRoute(end.node, alone, link=over.name)
        yield from answering(end, family_of(one.address))
        yield AddNeighbour(end.node, end.lan, one.address)


def host_prefix(address: str) -> str:
    """The prefix of an address alone."""
    return f"{address}/{_BITS[family_of(address)]}"


def answering(end: End, family: int) -> Iterator[Change]:
    """The addresses on the LAN that this host is a proxy for are answered for, and at once."""
    yield SetSysctl(end.node, f"net.ipv{family}.neigh.{end.lan}.proxy_delay", "0")
    if family == 6:
        yield SetSysctl(end.node, "net.ipv6.conf.all.proxy_ndp", "1")


def _way_back(end: End, one: Guest, over: Tunnel) -> Iterator[Change]:
    node, source, family = end.node, host_prefix(one.address), family_of(one.address)
    table = end.deployment.table_of(over)
    own, far = of_family(end.here.prefix, family), of_family(end.there.prefix, family)
    yield AddRule(node, TUNNEL_PRIORITY, source, MAIN_TABLE, destination=own)
    yield from answering(end, family)
    yield from _neighbours(end, one) if family == 6 else _any_neighbour(end)
    way = default_route(one.address) if one.reverse else far or ""
    yield AddRoute(node, way, link=over.name, table=table)
    yield AddRule(node, TUNNEL_PRIORITY + 1, source, table)


def _any_neighbour(end: End) -> Iterator[Change]:
    yield SetSysctl(end.node, f"net.ipv4.conf.{end.lan}.proxy_arp", "1")
    yield SetSysctl(end.node, f"net.ipv4.conf.{end.lan}.send_redirects", "0")


def _neighbours(end: End, one: Guest) -> Iterator[Change]:
    """IPv6 has no proxy for whoever is asked for: each has an entry."""
    if one.gateway:
        yield AddNeighbour(end.node, end.lan, one.gateway, router=True)
    for each in one.neighbours:
        yield AddNeighbour(end.node, end.lan, each)


def announcements(end: End, one: Guest) -> Iterator[Change]:
    """Who is to be found elsewhere now: at home the guest; away, those whom the guest knew."""
    if one.source is end.side:
        yield Announce(end.node, end.lan, one.address, "")
        return
    if one.gateway:
        yield Announce(end.node, end.lan, one.gateway, "", router=True)
    for each in one.neighbours:
        yield Announce(end.node, end.lan, each, "")
