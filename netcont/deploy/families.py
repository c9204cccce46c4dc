"""IPv4 and IPv6 in one deployment: what can be carried in what, and how wide that must be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcont.deploy.address import NAMES
from netcont.deploy.carriers import Carrier, Passing, key_of, keyed
from netcont.deploy.problems import Problem
from netcont.model.deployment import (
    IPV6_MTU_BYTES,
    Deployment,
    Extension,
    SideName,
    Tunnel,
    TunnelKind,
    family_of,
    link_of,
)

_CARRIES_BOTH = 'write kind = "gre", which carries both, or give both sides IPv6 addresses'


def wrong_families(deployment: Deployment, every: Sequence[Carrier]) -> Iterator[Problem]:
    """Every address that is of the wrong family where it stands."""
    outer = deployment.family
    yield from _wanted("side.b.address", deployment.side.b.address, outer, "side a's address")
    for side in SideName:
        yield from _one_of_each(keyed(f"side.{side}.prefix", deployment.at(side).prefix))
    for carrier in every:
        link = carrier.link
        yield from _carried(carrier, deployment)
        if isinstance(link, Extension):
            for place, head in keyed(f"{carrier.key}.head_end", link.head_end):
                yield from _wanted(place, head, outer, "the sides' addresses")
            yield from _one_of_each(keyed(f"{carrier.key}.anycast_gateway", link.anycast_gateway))
            if link.group is not None:
                group = f"{carrier.key}.group"
                yield from _wanted(group, link.group, outer, "the sides' addresses")
            for here, there in ((carrier.a, carrier.b), (carrier.b, carrier.a)):
                if here.routes and there.addresses:
                    yield from _next_hops(carrier, here, there)
        elif outer == 6 and not link.pmtudisc:
            yield Problem(
                f"{carrier.key}.pmtudisc",
                "false means nothing to IPv6, which never fragments on the way",
                "remove it",
            )
    yield from _guests(deployment)
    yield from _wide_enough(deployment, every)


def _wanted(key: str, text: str, family: int, like: str) -> Sequence[Problem]:
    if family_of(text) == family:
        return ()
    what = f"{text} is of the wrong family ({NAMES[family_of(text)]})"
    return (Problem(key, what, f"write an {NAMES[family]} one, like {like}"),)


def _one_of_each(texts: Sequence[tuple[str, str]]) -> Iterator[Problem]:
    seen: set[int] = set()
    for place, text in texts:
        if family_of(text) in seen:
            what = f"{text} is a second one of {NAMES[family_of(text)]}"
            yield Problem(place, what, "write one of each family at most")
        seen.add(family_of(text))


def _carried(carrier: Carrier, deployment: Deployment) -> Iterator[Problem]:
    """What goes through a link must be of a family that it carries (IP-in-IP: RFC 2003)."""
    for passing in (carrier.a, carrier.b):
        if len(passing.addresses) > 1:
            yield from _one_of_each([(place, text) for place, text, _ in passing.addresses])
        if _ipv4_only(carrier.link, deployment):
            for place, text, prefix in (*passing.addresses, *passing.routes):
                if prefix.family == 6:
                    what = f"{text} is of the wrong family (IPv6): ipip over IPv4 carries IPv4 only"
                    yield Problem(place, what, _CARRIES_BOTH)


def _ipv4_only(link: Tunnel | Extension | None, deployment: Deployment) -> bool:
    return isinstance(link, Tunnel) and link.kind is TunnelKind.IPIP and deployment.family == 4


def _next_hops(carrier: Carrier, here: Passing, there: Passing) -> Iterator[Problem]:
    """A segment's routes go by the far end's address, if it has any."""
    far = [address.prefix.family for address in there.addresses]
    for place, text, prefix in here.routes:
        if prefix.family not in far:
            needs = NAMES[prefix.family]
            yield Problem(
                place,
                f"{text} is of the wrong family ({needs}): the far end has {NAMES[far[0]]} only",
                f"add an {needs} address to {carrier.key}.addresses.{there.side}",
            )


def _guests(deployment: Deployment) -> Iterator[Problem]:
    for index, guest in enumerate(deployment.guest):
        key = key_of(deployment, "guest", index)
        family = family_of(guest.address)
        if guest.gateway is not None:
            yield from _wanted(f"{key}.gateway", guest.gateway, family, "the guest's address")
        for place, text in keyed(f"{key}.neighbours", guest.neighbours):
            yield from _wanted(place, text, family, "the guest's address")
        link = deployment.carrier(guest)
        if family_of(guest.address) == 6 and link and _ipv4_only(link, deployment):
            what = f"{guest.address} is of the wrong family (IPv6): {link_of(link)} carries IPv4"
            yield Problem(f"{key}.address", what, _CARRIES_BOTH)


def _wide_enough(deployment: Deployment, every: Sequence[Carrier]) -> Iterator[Problem]:
    path = deployment.path_mtu_bytes
    if deployment.family == 6 and path < IPV6_MTU_BYTES:
        what = f"{path} is too little for IPv6"
        yield Problem("path_mtu_bytes", what, f"write at least {IPV6_MTU_BYTES}")
        return
    guests = {id(deployment.carrier(g)) for g in deployment.guest if family_of(g.address) == 6}
    for carrier in every:
        passing = (*carrier.a.addresses, *carrier.b.addresses, *carrier.a.routes, *carrier.b.routes)
        if id(carrier.link) in guests or any(each.prefix.family == 6 for each in passing):
            yield from _narrow(carrier.key, carrier.link, deployment)


def _narrow(key: str, link: Tunnel | Extension, deployment: Deployment) -> Iterator[Problem]:
    path, overhead = deployment.path_mtu_bytes, deployment.overhead_bytes(link)
    if link.mtu_bytes is not None and link.mtu_bytes < IPV6_MTU_BYTES:
        what = f"{link.mtu_bytes} is too little for IPv6, which passes there"
        yield Problem(f"{key}.mtu_bytes", what, f"write at least {IPV6_MTU_BYTES}")
    elif (deployment.mtu_of(link) or path - overhead) < IPV6_MTU_BYTES:
        what = f"{path} less {overhead} bytes of overhead is too little for IPv6"
        yield Problem("path_mtu_bytes", what, f"{key} needs at least {IPV6_MTU_BYTES + overhead}")
