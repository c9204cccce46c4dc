"""The form of every text in a deployment: addresses, prefixes, names. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from netcont.deploy.address import NAMES, parsed, prefix_of
from netcont.deploy.problems import Problem
from netcont.model.deployment import (
    NAME_BYTES,
    OWN_PREFIX,
    Deployment,
    Extension,
    Guest,
    SideName,
    Tunnel,
    family_of,
)


def key_of(deployment: Deployment, kind: str, index: int) -> str:
    """The key as it is written: without a number where there is one table only."""
    return kind if len(getattr(deployment, kind)) == 1 else f"{kind}.{index}"


def wrong_forms(deployment: Deployment) -> Iterator[Problem]:
    """Every text that cannot be what it stands for."""
    for name in SideName:
        end, place = deployment.at(name), f"side.{name.value}"
        yield from host_form(f"{place}.address", end.address)
        yield from _each(f"{place}.prefix", end.prefix, _prefix)
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
        yield from _each(f"{key}.head_end", extension.head_end, host_form)
    for index, guest in enumerate(deployment.guest):
        yield from _guest_forms(key_of(deployment, "guest", index), guest)


def _guest_forms(key: str, guest: Guest) -> Iterator[Problem]:
    yield from host_form(f"{key}.address", guest.address)
    yield from _optional(f"{key}.gateway", guest.gateway, host_form)
    if guest.mac is not None and not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", guest.mac):
        yield Problem(
            f"{key}.mac", f"{guest.mac!r} is no MAC address", 'write it as "02:00:00:00:00:01"'
        )


def _inner_forms(key: str, one: Tunnel | Extension) -> Iterator[Problem]:
    for side in SideName:
        yield from _each(f"{key}.addresses.{side.value}", one.addresses.at(side), _interface)
        yield from _each(f"{key}.routes.{side.value}", one.routes.at(side), _prefix)


def listed(key: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each text of a list with its key as it is written: without a number if it is the only one."""
    for number, text in enumerate(texts):
        yield (key if len(texts) == 1 else f"{key}.{number}"), text


def _each(
    key: str, values: Sequence[str], check: Callable[[str, str], Iterator[Problem]]
) -> Iterator[Problem]:
    for place, value in listed(key, values):
        yield from check(place, value)


def _optional(
    key: str, value: str | None, check: Callable[[str, str], Iterator[Problem]]
) -> Iterator[Problem]:
    if value is not None:
        yield from check(key, value)


def host_form(key: str, value: str) -> Iterator[Problem]:
    """What keeps a text from being the address of one host on a network."""
    address = parsed(value)
    if address is None or "/" in value:
        yield _no_address(key, value, "10.0.0.1")
        return
    for place, what in _NO_HOSTS:
        if place.holds(address):
            yield Problem(key, f"{value} is {what}", "write a unicast one of a host")


_NO_HOSTS = tuple(
    (prefix_of(text), what)
    for text, what in (
        ("0.0.0.0/32", "no address of a host on a network"),
        ("127.0.0.0/8", "no address of a host on a network"),
        ("224.0.0.0/4", "a multicast address"),
        ("255.255.255.255/32", "everybody's address"),
        ("::/96", "no address of a host on a network"),
        ("::ffff:0:0/96", "an IPv4 address in IPv6's clothes"),
        ("fe80::/10", "link-local: it says nothing without a link"),
        ("ff00::/8", "a multicast address"),
    )
)


def _interface(key: str, value: str) -> Iterator[Problem]:
    interface = parsed(value)
    if interface is None:
        yield _no_address(key, value, "10.255.0.1/30")
        return
    if "/" not in value:
        length = 30 if interface.family == 4 else 64
        yield Problem(key, f"{value!r} has no prefix length", f'write "{value}/{length}"')
    # The last one is for broadcasts, in IPv4; the first was, and is for IPv6's routers (RFC 4291).
    own = (interface.first, interface.last if interface.family == 4 else interface.first)
    if interface.host_bits > 1 and interface.address in own:
        what = f"{value} is no host's: it is {interface.network}'s own"
        yield Problem(key, what, "take another of them")
    yield from host_form(key, interface.host)


def _prefix(key: str, value: str) -> Iterator[Problem]:
    prefix = parsed(value)
    if prefix is None:
        yield _no_address(key, value, "10.0.0.0/24")
    elif prefix.address != prefix.first:
        yield Problem(key, f"{value!r} has bits beyond its length", f'write "{prefix.network}"')
    elif "/" not in value:
        yield Problem(key, f"{value!r} has no prefix length", f'write "{prefix}"')


_IN_IPV6 = {"10.0.0.1": "2001:db8::1", "10.255.0.1/30": "2001:db8:ff::1/64"}


def _no_address(key: str, value: str, example: str) -> Problem:
    if ":" in value:
        example = _IN_IPV6.get(example, "2001:db8::/64")
    family = NAMES[family_of(value)]
    return Problem(key, f"{value!r} is no {family} address", f'write one such as "{example}"')


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
