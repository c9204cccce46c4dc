"""The form of every text in a deployment: addresses, prefixes, names. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network

from netcont.deploy.problems import Problem
from netcont.model.deployment import (
    NAME_BYTES,
    OWN_PREFIX,
    Deployment,
    Extension,
    Guest,
    SideName,
    Tunnel,
)


def key_of(deployment: Deployment, kind: str, index: int) -> str:
    """The key as it is written: without a number where there is one table only."""
    return kind if len(getattr(deployment, kind)) == 1 else f"{kind}.{index}"


def wrong_forms(deployment: Deployment) -> Iterator[Problem]:
    """Every text that cannot be what it stands for."""
    for name in SideName:
        end, place = deployment.at(name), f"side.{name.value}"
        yield from _address(f"{place}.address", end.address)
        yield from _optional(f"{place}.prefix", end.prefix, _prefix)
        yield from _optional(f"{place}.link", end.link, _link)
    for index, tunnel in enumerate(deployment.tunnel):
        key = key_of(deployment, "tunnel", index)
        yield from _own_link(f"{key}.name", tunnel.name)
        yield from _inner_forms(key, tunnel)
    for index, extension in enumerate(deployment.extension):
        key = key_of(deployment, "extension", index)
        yield from _own_link(f"{key}.name", extension.link)
        yield from _inner_forms(key, extension)
        for word, per_side in (("bridge", extension.bridge), ("parent", extension.parent)):
            for side in SideName:
                yield from _optional(f"{key}.{word}.{side.value}", per_side.at(side), _link)
        for number, head in enumerate(extension.head_end):
            yield from _address(f"{key}.head_end.{number}", head)
    for index, guest in enumerate(deployment.guest):
        yield from _guest_forms(key_of(deployment, "guest", index), guest)


def _guest_forms(key: str, guest: Guest) -> Iterator[Problem]:
    yield from _address(f"{key}.address", guest.address)
    yield from _optional(f"{key}.gateway", guest.gateway, _address)
    if guest.mac is not None and not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", guest.mac):
        yield Problem(
            f"{key}.mac", f"{guest.mac!r} is no MAC address", 'write it as "02:00:00:00:00:01"'
        )


def _inner_forms(key: str, one: Tunnel | Extension) -> Iterator[Problem]:
    for side in SideName:
        yield from _optional(f"{key}.addresses.{side.value}", one.addresses.at(side), _interface)
        for number, prefix in enumerate(one.routes.at(side)):
            yield from _prefix(f"{key}.routes.{side.value}.{number}", prefix)


def _optional(
    key: str, value: str | None, check: Callable[[str, str], Iterator[Problem]]
) -> Iterator[Problem]:
    if value is not None:
        yield from check(key, value)


def _address(key: str, value: str) -> Iterator[Problem]:
    try:
        address = IPv4Address(value)
    except ValueError:
        yield _no_address(key, value, "10.0.0.1")
        return
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        yield Problem(key, f"{value} is no address of a host on a network", "write a unicast one")
    elif address == IPv4Address("255.255.255.255"):
        yield Problem(key, f"{value} is everybody's address", "write a unicast one")


def _interface(key: str, value: str) -> Iterator[Problem]:
    try:
        interface = IPv4Interface(value)
    except ValueError:
        yield _no_address(key, value, "10.255.0.1/30")
        return
    if "/" not in value:
        yield Problem(key, f"{value!r} has no prefix length", f'write "{value}/30" or the like')
    network = interface.network
    ends = (network.network_address, network.broadcast_address)
    if network.prefixlen < 31 and interface.ip in ends:
        yield Problem(key, f"{value} is no host's: it is {network}'s own", "take another of them")
    yield from _address(key, str(interface.ip))


def _prefix(key: str, value: str) -> Iterator[Problem]:
    try:
        IPv4Network(value)
    except ValueError:
        try:
            right = IPv4Network(value, strict=False)
        except ValueError:
            yield _no_address(key, value, "10.0.0.0/24")
            return
        yield Problem(key, f"{value!r} has bits beyond its length", f'write "{right}"')
        return
    if "/" not in value:
        yield Problem(key, f"{value!r} has no prefix length", f'write "{value}/32"')


def _no_address(key: str, value: str, example: str) -> Problem:
    if _of_ipv6(value):
        return Problem(
            key,
            f"{value!r} is of the wrong family (IPv6)",
            f'write an IPv4 one, such as "{example}"',
        )
    return Problem(key, f"{value!r} is no IPv4 address", f'write one such as "{example}"')


def _of_ipv6(value: str) -> bool:
    for kind in (IPv6Address, IPv6Network):
        try:
            kind(value)
        except ValueError:
            continue
        return True
    return False


def _link(key: str, value: str) -> Iterator[Problem]:
    length = len(value.encode())
    if length > NAME_BYTES:
        yield Problem(
            key,
            f"{value!r} has {length} characters, the kernel takes {NAME_BYTES}",
            "shorten it",
        )
    elif not re.fullmatch(r"[!-~]+", value) or "/" in value or ":" in value or value in (".", ".."):
        yield Problem(
            key, f"{value!r} is no name of a link", "write letters, digits, '-', '_', '.'"
        )


def _own_link(key: str, value: str) -> Iterator[Problem]:
    wrong = list(_link(key, value))
    yield from wrong
    if wrong:
        return
    if not re.fullmatch(rf"{OWN_PREFIX}[A-Za-z0-9_-]+", value):
        yield Problem(
            key,
            f"{value!r} does not say that it is netcont's",
            f'call it "{OWN_PREFIX}…": letters, digits, "-" and "_"',
        )
