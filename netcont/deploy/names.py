"""Names in a deployment: what is wrong with them, and the change that moves them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netcont.deploy.address import parsed
from netcont.deploy.carriers import key_of, keyed
from netcont.deploy.forms import host_form
from netcont.deploy.problems import Problem
from netcont.model.deployment import Deployment, DnsName, SideName
from netcont.model.plan import MoveName

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST = 253


def absolute(name: str) -> str:
    """A name as servers know it: in lower case, with the dot at its end."""
    return f"{name.lower().removesuffix('.')}."


def moves(deployment: Deployment, side: SideName, node: str) -> Iterator[MoveName]:
    """The names that this side moves when guests switch."""
    for one in deployment.dns:
        home = deployment.home_of(one)
        if home is None or side is not (one.by or home.other):
            continue
        yield MoveName(
            node,
            absolute(one.name),
            addresses=deployment.addresses_of(one, home.other),
            was=deployment.addresses_of(one, home),
            server=one.server,
            key_file=one.key_file,
            resolvers=one.resolver,
            port=one.port,
            ttl_s=one.ttl_s,
            pointers=one.ptr,
            pointer_server=one.ptr_server,
            pointer_key_file=one.ptr_key_file,
        )


def wrong_names(deployment: Deployment) -> Iterator[Problem]:
    """Everything in the tables of names that cannot be."""
    seen: dict[str, str] = {}
    for index, one in enumerate(deployment.dns):
        key = key_of(deployment, "dns", index)
        yield from _name(f"{key}.name", one.name)
        other = seen.setdefault(absolute(one.name), key)
        if other != key:
            yield Problem(f"{key}.name", f"{one.name} is {other}'s as well", "name it once")
        yield from _servers(key, one)
        yield from key_file_form(f"{key}.key_file", one.key_file)
        yield from key_file_form(f"{key}.ptr_key_file", one.ptr_key_file)
        yield from _place(key, one, deployment)
        yield from _addresses(key, one, deployment)
        if one.ptr is False and (one.ptr_key_file or one.ptr_server):
            yield Problem(f"{key}.ptr", "false, but a key or a server for it", "remove either")


def _name(key: str, value: str) -> Iterator[Problem]:
    labels = absolute(value)[:-1].split(".")
    if not value.isascii():
        yield Problem(key, f"{value!r} is not in ASCII", 'write it as DNS has it: "xn--…"')
    elif len(value) > _LONGEST or not all(map(_LABEL.fullmatch, labels)):
        yield Problem(key, f"{value!r} is no domain name", 'write one such as "www.example.org"')
    elif len(labels) < 2:
        what = f"{value!r} is not a whole domain name"
        yield Problem(key, what, f'write it with its domain: "{value}.example.org"')


def key_file_form(key: str, value: str | None) -> Iterator[Problem]:
    """A secret in the place of a file's name is not shown, and must not get into records."""
    if value is not None and ":" in value:
        what = "it looks like a secret, not like a file's name (it is not shown)"
        yield Problem(key, what, "write the secret into a file with mode 0600, and its name here")


def _servers(key: str, one: DnsName) -> Iterator[Problem]:
    given = [("server", one.server), ("ptr_server", one.ptr_server)]
    places = [(f"{key}.{word}", text) for word, text in given if text is not None]
    for place, text in (*places, *keyed(f"{key}.resolver", one.resolver)):
        address, hash_sign, port = text.partition("#")
        number = int(port) if port.isascii() and port.isdecimal() else 0
        if parsed(address) is None or "/" in address or (hash_sign and not 0 < number < 65536):
            what = f"{text!r} is no name server's address"
            yield Problem(place, what, 'write one such as "192.0.2.53" or "2001:db8::53#5353"')


def _place(key: str, one: DnsName, deployment: Deployment) -> Iterator[Problem]:
    guests = {each.address: each.source for each in deployment.guest}
    if one.guest is None:
        if one.source is None:
            yield Problem(f"{key}.from", "missing", "write the side where it is at home, or guest")
    elif one.guest not in guests:
        known = " or ".join(f'"{each}"' for each in guests) or 'from = "a" instead'
        yield Problem(f"{key}.guest", f"{one.guest} is no guest of the file", f"write {known}")
    elif one.source not in (None, guests[one.guest]):
        yield Problem(
            f"{key}.from", f"{one.source}, but guest {one.guest} is not at home there", "remove it"
        )


def _addresses(key: str, one: DnsName, deployment: Deployment) -> Iterator[Problem]:
    for side in SideName:
        place = f"{key}.addresses.{side}"
        for each, text in keyed(place, one.addresses.at(side)):
            yield from host_form(each, text)
        if not deployment.addresses_of(one, side) and deployment.home_of(one) is not None:
            yield Problem(place, "missing", "add what the name has while guests are there")
    there = [set(deployment.addresses_of(one, side)) for side in SideName]
    if there[0] and there[0] == there[1]:
        yield Problem(
            f"{key}.addresses", "the same at both sides", "remove the table: nothing would move"
        )
