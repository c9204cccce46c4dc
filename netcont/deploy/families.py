"""IPv4 and IPv6 in one deployment: what can be carried in what, and how wide that must be. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from netcont.deploy.address import NAMES
from netcont.deploy.forms import key_of, listed
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
    of_family,
)

_OTHER = {4: 6, 6: 4}
_CARRIES_BOTH = 'write kind = "gre", which carries both, or give both sides IPv6 addresses'


def wrong_families(deployment: Deployment) -> Iterator[Problem]:
    """Every address that is of the wrong family where it stands."""
    outer = deployment.family
    yield from _wanted("side.b.address", deployment.side.b.address, outer, "side a's address")
    for side in SideName:
        yield from _one_of_each(f"side.{side.value}.prefix", deployment.at(side).prefix)
    for index, tunnel in enumerate(deployment.tunnel):
        key = key_of(deployment, "tunnel", index)
        yield from _inner(key, tunnel, deployment)
        if outer == 6 and not tunnel.pmtudisc:
            yield Problem(
                f"{key}.pmtudisc",
                "false means nothing to IPv6, which never fragments on the way",
                "remove it",
            )
    for index, extension in enumerate(deployment.extension):
        key = key_of(deployment, "extension", index)
        for place, head in listed(f"{key}.head_end", extension.head_end):
            yield from _wanted(place, head, outer, "the sides' addresses")
        yield from _inner(key, extension, deployment)
        yield from _next_hops(key, extension)
    yield from _guests(deployment)
    yield from _wide_enough(deployment)


def _wanted(key: str, text: str, family: int, like: str) -> Iterator[Problem]:
    if family_of(text) != family:
        yield Problem(
            key,
            f"{text} is of the wrong family ({NAMES[family_of(text)]})",
            f"write an {NAMES[family]} one, like {like}",
        )


def _one_of_each(key: str, texts: tuple[str, ...]) -> Iterator[Problem]:
    seen: set[int] = set()
    for place, text in listed(key, texts):
        if family_of(text) in seen:
            what = f"{text} is a second one of {NAMES[family_of(text)]}"
            yield Problem(place, what, "write one of each family at most")
        seen.add(family_of(text))


def _inner(key: str, one: Tunnel | Extension, deployment: Deployment) -> Iterator[Problem]:
    """What goes through a link must be of a family that it carries (IP-in-IP: RFC 2003)."""
    for side in SideName:
        addresses = f"{key}.addresses.{side.value}"
        yield from _one_of_each(addresses, one.addresses.at(side))
        if not _ipv4_only(one, deployment):
            continue
        passing = (
            *listed(addresses, one.addresses.at(side)),
            *listed(f"{key}.routes.{side.value}", one.routes.at(side)),
        )
        for place, text in passing:
            if family_of(text) == 6:
                what = f"{text} is of the wrong family (IPv6): ipip over IPv4 carries IPv4 only"
                yield Problem(place, what, _CARRIES_BOTH)


def _ipv4_only(one: Tunnel | Extension | None, deployment: Deployment) -> bool:
    return isinstance(one, Tunnel) and one.kind is TunnelKind.IPIP and deployment.family == 4


def _next_hops(key: str, one: Extension) -> Iterator[Problem]:
    """A segment's routes go by the far end's address, if it has any."""
    for side in SideName:
        far = one.addresses.at(side.other)
        for place, text in listed(f"{key}.routes.{side.value}", one.routes.at(side)):
            if far and of_family(far, family_of(text)) is None:
                has, needs = NAMES[_OTHER[family_of(text)]], NAMES[family_of(text)]
                yield Problem(
                    place,
                    f"{text} is of the wrong family ({needs}): the far end has an {has} address",
                    f"add an {needs} one to {key}.addresses.{side.other.value}",
                )


def _guests(deployment: Deployment) -> Iterator[Problem]:
    for index, guest in enumerate(deployment.guest):
        key = key_of(deployment, "guest", index)
        if guest.gateway is not None:
            family = family_of(guest.address)
            yield from _wanted(f"{key}.gateway", guest.gateway, family, "the guest's address")
        carrier = deployment.carrier(guest)
        if family_of(guest.address) == 6 and carrier and _ipv4_only(carrier, deployment):
            what = f"{guest.address} is of the wrong family (IPv6): {link_of(carrier)} is ipip"
            yield Problem(
                f"{key}.address", f"{what} over IPv4, and carries IPv4 only", _CARRIES_BOTH
            )


def _wide_enough(deployment: Deployment) -> Iterator[Problem]:
    path = deployment.path_mtu_bytes
    if deployment.family == 6 and path < IPV6_MTU_BYTES:
        what = f"{path} is too little for IPv6"
        yield Problem("path_mtu_bytes", what, f"write at least {IPV6_MTU_BYTES}")
        return
    carried = {id(deployment.carrier(g)) for g in deployment.guest if family_of(g.address) == 6}
    for kind in ("tunnel", "extension"):
        for index, one in enumerate(getattr(deployment, kind)):
            if id(one) in carried or _has_ipv6(one):
                yield from _narrow(key_of(deployment, kind, index), one, deployment)


def _has_ipv6(one: Tunnel | Extension) -> bool:
    passing = (*one.addresses.a, *one.addresses.b, *one.routes.a, *one.routes.b)
    return any(family_of(each) == 6 for each in passing)


def _narrow(key: str, one: Tunnel | Extension, deployment: Deployment) -> Iterator[Problem]:
    given, overhead = one.mtu_bytes, deployment.overhead_bytes(one)
    if given is not None and given < IPV6_MTU_BYTES:
        what = f"{given} is too little for IPv6, which passes there"
        yield Problem(f"{key}.mtu_bytes", what, f"write at least {IPV6_MTU_BYTES}")
    elif (
        given is None
        and (deployment.mtu_of(one) or deployment.path_mtu_bytes - overhead) < IPV6_MTU_BYTES
    ):
        yield Problem(
            "path_mtu_bytes",
            f"{deployment.path_mtu_bytes} less {overhead} bytes of overhead is too little for IPv6",
            f"{key} needs at least {IPV6_MTU_BYTES + overhead}",
        )
