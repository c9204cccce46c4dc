"""The form of every text in a deployment: addresses, prefixes, names. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from netcont.deploy.address import LINK_LOCAL, NAMES, Prefix, is_link_local, parsed, prefix_of
from netcont.deploy.carriers import key_of, keyed
from netcont.deploy.problems import Problem
from netcont.model.deployment import (
    NAME_BYTES,
    Deployment,
    Extension,
    Guest,
    SideName,
    Tunnel,
    family_of,
)
from netcont.model.own import OWN_PREFIX

Wrong = tuple[str, str]
"""What is wrong with a text, and the remedy."""

_SIDES = tuple(SideName)

Check = Callable[[str], Wrong | None]


def wrong_forms(deployment: Deployment) -> Iterator[Problem]:
    """Every text that cannot be what it stands for."""
    for side in SideName:
        end, place = deployment.at(side), f"side.{side}"
        yield from _each(f"{place}.address", (end.address,), _address)
        yield from _each(f"{place}.prefix", end.prefix, _prefix)
        yield from _each(f"{place}.link", _given(end.link), _link)
    for index, tunnel in enumerate(deployment.tunnel):
        key = key_of(deployment, "tunnel", index)
        yield from _each(f"{key}.name", (tunnel.name,), _own_link)
        yield from _inner_forms(key, tunnel)
    for index, extension in enumerate(deployment.extension):
        key = key_of(deployment, "extension", index)
        yield from _inner_forms(key, extension)
        yield from _segment_forms(key, extension)
    for index, guest in enumerate(deployment.guest):
        yield from _guest_forms(key_of(deployment, "guest", index), guest)


def _inner_forms(key: str, one: Tunnel | Extension) -> Iterator[Problem]:
    for side in _SIDES:
        if addresses := one.addresses.at(side):
            yield from _each(f"{key}.addresses.{side}", addresses, _interface)
        if routes := one.routes.at(side):
            yield from _each(f"{key}.routes.{side}", routes, _prefix)


def _segment_forms(key: str, one: Extension) -> Iterator[Problem]:
    if one.name is not None:
        yield from _each(f"{key}.name", (one.name,), _own_link)
    for word, texts in (("bridge", one.bridge), ("parent", one.parent), ("device", one.device)):
        for side in _SIDES if any(texts) else ():
            if (text := texts.at(side)) is not None:
                yield from _each(f"{key}.{word}.{side}", (text,), _link)
    if one.head_end:
        yield from _each(f"{key}.head_end", one.head_end, _address)
    if one.anycast_gateway:
        yield from _each(f"{key}.anycast_gateway", one.anycast_gateway, _address)
    if one.group is not None:
        yield from _each(f"{key}.group", (one.group,), _group)


def _guest_forms(key: str, guest: Guest) -> Iterator[Problem]:
    yield from _each(f"{key}.address", (guest.address,), _address)
    yield from _each(f"{key}.gateway", _given(guest.gateway), _router)
    yield from _each(f"{key}.neighbours", guest.neighbours, _router)
    yield from _each(f"{key}.mac", _given(guest.mac), _mac)


def _given(text: str | None) -> tuple[str, ...]:
    return () if text is None else (text,)


def _each(key: str, texts: Sequence[str], check: Check) -> Sequence[Problem]:
    # Nearly all of them are right: nothing is made for those.
    if not any(map(check, texts)):
        return ()
    found = [(place, check(text)) for place, text in keyed(key, texts)]
    return [Problem(place, *wrong) for place, wrong in found if wrong is not None]


def host_form(key: str, text: str) -> Sequence[Problem]:
    """What keeps a text from being the address of one host on a network."""
    return _each(key, (text,), _address)


def _address(text: str) -> Wrong | None:
    address = parsed(text)
    if address is None or "/" in text:
        return _no_address(text, "10.0.0.1", "2001:db8::1")
    return _no_host(text, address)


def _group(text: str) -> Wrong | None:
    """A multicast group that is not of a link's own (RFC 5771 §4, RFC 4291 §2.7)."""
    group = parsed(text)
    if group is None or "/" in text:
        return _no_address(text, "239.1.1.1", "ff05::77")
    routed = group.overlaps(_MULTICAST[group.family])
    if group.family == 4:
        routed &= not group.overlaps(_OF_A_LINK)
    else:
        routed &= group.address >> 112 & 0xF > _LINK_SCOPE
    if routed:
        return None
    return f"{text} is no multicast group that is routed", 'write one such as "239.1.1.1"'


_MULTICAST = {4: prefix_of("224.0.0.0/4"), 6: prefix_of("ff00::/8")}
_OF_A_LINK = prefix_of("224.0.0.0/24")
_LINK_SCOPE = 2


def _router(text: str) -> Wrong | None:
    """On one link an address of that link's own is enough (RFC 4861 §6.2.1)."""
    return None if is_link_local(text) else _address(text)


def _no_host(text: str, address: Prefix) -> Wrong | None:
    for place, what in _NO_HOSTS[address.family]:
        if place.first <= address.address <= place.last:
            return f"{text} is {what}", "write a unicast one of a host"
    return None


_NO_HOSTS = {
    4: (
        (prefix_of("0.0.0.0"), "no address of a host on a network"),
        (prefix_of("127.0.0.0/8"), "no address of a host on a network"),
        (prefix_of("224.0.0.0/4"), "a multicast address"),
        (prefix_of("255.255.255.255"), "everybody's address"),
    ),
    6: (
        (prefix_of("::/96"), "no address of a host on a network"),
        (prefix_of("::ffff:0:0/96"), "an IPv4 address in IPv6's clothes"),
        (LINK_LOCAL, "link-local: it says nothing without a link"),
        (prefix_of("ff00::/8"), "a multicast address"),
    ),
}


def _interface(text: str) -> Wrong | None:
    interface = parsed(text)
    if interface is None:
        return _no_address(text, "10.255.0.1/30", "2001:db8:ff::1/64")
    if "/" not in text:
        return f"{text!r} has no prefix length", f'write "{text}/{_USUAL[interface.family]}"'
    # The first address was for broadcasts once, and is for routers in IPv6 (RFC 4291 §2.6.1).
    _, address, _, first, last = interface
    if last - first > 1 and (address == first or (address == last and interface.family == 4)):
        return f"{text} is no host's: it is {interface.network}'s own", "take another of them"
    return _no_host(text, interface)


_USUAL = {4: 30, 6: 64}


def _prefix(text: str) -> Wrong | None:
    prefix = parsed(text)
    if prefix is None:
        return _no_address(text, "10.0.0.0/24", "2001:db8::/64")
    if prefix.address != prefix.first:
        return f"{text!r} has bits beyond its length", f'write "{prefix.network}"'
    if "/" not in text:
        return f"{text!r} has no prefix length", f'write "{prefix}"'
    return None


def _no_address(text: str, *examples: str) -> Wrong:
    family = family_of(text)
    example = examples[family == 6]
    return f"{text!r} is no {NAMES[family]} address", f'write one such as "{example}"'


def _mac(text: str) -> Wrong | None:
    if re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text):
        return None
    return f"{text!r} is no MAC address", 'write it as "02:00:00:00:00:01"'


def _link(text: str) -> Wrong | None:
    length = len(text.encode())
    if length > NAME_BYTES:
        what = f"{text!r} has {length} characters, the kernel takes {NAME_BYTES}"
        return what, "shorten it"
    if not re.fullmatch(r"[!-~]+", text) or "/" in text or ":" in text or text in (".", ".."):
        return f"{text!r} is no name of a link", "write letters, digits, '-', '_', '.'"
    return None


def _own_link(text: str) -> Wrong | None:
    wrong = _link(text)
    if wrong is not None or re.fullmatch(rf"{OWN_PREFIX}[A-Za-z0-9_-]+", text):
        return wrong
    what = f"{text!r} does not say that it is netcont's"
    return what, f'call it "{OWN_PREFIX}…": letters, digits, "-" and "_"'
