"""What is set in one way for IPv4 and in another for IPv6."""

from __future__ import annotations

from collections.abc import Iterable

from netcont.model.plan import (
    MAIN_TABLE,
    AddAddress,
    AddRoute,
    AddRule,
    Change,
    SetSysctl,
    default_route,
    is_ipv6,
)
from topologies.places import SitePlace, transit_prefix

_NOWHERE_TABLE = 760
_SOURCES_PRIORITY = 760


def addressed(node: str, link: str, address: str, prefixlen: int) -> tuple[Change, ...]:
    """A link gets an address. It has nothing to do with IPv6 before it has one of IPv6."""
    given = AddAddress(node, link, address, prefixlen)
    if not is_ipv6(address):
        return (given,)
    return (SetSysctl(node, f"net.ipv6.conf.{link}.disable_ipv6", "0"), given)


def default_route_by(node: str, gateway: str) -> tuple[Change, ...]:
    """Everything else is behind the gateway."""
    return (AddRoute(node, default_route(gateway), via=gateway),)


def forwarding(node: str, family: int) -> tuple[Change, ...]:
    """A router: forwarding on; strict reverse path filters by interface where nothing else is said,
    as careful operators set them."""
    if family == 6:
        return (SetSysctl(node, "net.ipv6.conf.all.forwarding", "1"),)
    return (
        SetSysctl(node, "net.ipv4.ip_forward", "1"),
        SetSysctl(node, "net.ipv4.conf.all.rp_filter", "0"),
        SetSysctl(node, "net.ipv4.conf.default.rp_filter", "1"),
    )


def strict_sources(node: str, links: Iterable[str], family: int) -> tuple[Change, ...]:
    """A router takes packets only from where it would send the answers. IPv6 has no such filter."""
    if family == 6:
        return ()
    return tuple(SetSysctl(node, f"net.ipv4.conf.{link}.rp_filter", "1") for link in links)


def any_source(node: str, link: str, family: int) -> tuple[Change, ...]:
    """A router takes whatever comes in through link."""
    if family == 6:
        return ()
    return (SetSysctl(node, f"net.ipv4.conf.{link}.rp_filter", "0"),)


def sources_of_site(node: str, uplink: str, place: SitePlace, *, on: bool) -> tuple[Change, ...]:
    """Whether a provider drops what comes from a site without a source of the site's (BCP 38).

    Of IPv6 rules say it, since there is no reverse path filter: the site's own prefix and that of
    the link to its gateway go on, whatever else came in there is dropped as silently.
    """
    if place.family == 4:
        return (SetSysctl(node, f"net.ipv4.conf.{uplink}.rp_filter", "1" if on else "0"),)
    if not on:
        return ()
    own = (place.prefix, transit_prefix(place.wan_address))
    return (
        AddRoute(node, "::/0", table=_NOWHERE_TABLE, kind="blackhole"),
        *(AddRule(node, _SOURCES_PRIORITY, each, MAIN_TABLE, incoming=uplink) for each in own),
        AddRule(node, _SOURCES_PRIORITY + 1, "::/0", _NOWHERE_TABLE, incoming=uplink),
    )
