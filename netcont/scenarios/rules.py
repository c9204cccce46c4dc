"""What must hold between the values of a scenario, each of which is right by itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from types import MappingProxyType

from netcont.approach import find, require_suited
from netcont.errors import ConfigurationError
from netcont.model.scenario import (
    ONE_LAN,
    SITE_PREFIXES,
    TRANSIT_PREFIX,
    ClientKind,
    FaultKind,
    Path,
    Scenario,
    each_client,
)
from netcont.scenarios.problems import Location, Problem, nearest, shown

PAGE_BYTES = 4096

GUEST_KINDS = ("namespace",)
STRATEGIES = ("pre-copy",)
TOPOLOGIES = ("two_site", "lan", "three_site")
ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
Prefix = IPv4Network | IPv6Network
PREFIXES = tuple(SITE_PREFIXES[4])
PREFIX_LENGTHS: Mapping[int, tuple[int, int]] = MappingProxyType({4: (8, 24), 6: (16, 64)})
SMALLEST_MTU_BYTES = 1280
"""Of IPv6, RFC 8200 section 5."""

UNUSED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "two_site": ("clients2_a", "clients2_b", "client2_prefix"),
        "lan": ("clients_b", "circuit", "clients2_a", "clients2_b", "client2_prefix", "b_prefix"),
    }
)
"""Keys of the network that a topology has no use for."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def broken_rules(scenario: Scenario, approaches: Sequence[str]) -> Iterator[Problem]:
    """Everything that does not fit together. approaches: the scenario's, defaults filled in."""
    for rule in _RULES:
        yield from rule(scenario)
    yield from _approaches(scenario)
    yield from _expect(scenario, approaches)


def _approaches(scenario: Scenario) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(scenario.approaches):
        location: Location = ("approaches", index)
        yield from _unknown_approach(location, name)
        if name in seen:
            yield Problem(location, f"{shown(name)} stands there twice", "remove one")
        seen.add(name)


def unsuited_approaches(scenario: Scenario) -> Iterator[Problem]:
    """Approaches that make no sense on the scenario's network."""
    for index, name in enumerate(scenario.approaches):
        try:
            require_suited(name, scenario.network)
        except ConfigurationError as error:
            reads: tuple[Location, ...] = (("network", "topology"), ("network", "family"))
            yield Problem(("approaches", index), error.message, error.remedy, reads=reads)


def _expect(scenario: Scenario, approaches: Sequence[str]) -> Iterator[Problem]:
    for threshold in ("max_broken", "max_gap_s", "max_downtime_s"):
        for name in getattr(scenario.expect, threshold):
            location: Location = ("expect", threshold, name)
            unknown = list(_unknown_approach(location, name))
            yield from unknown
            if not unknown and name not in approaches:
                remedy = f'add "{name}" to approaches, or remove this threshold'
                yield Problem(location, "is not run", remedy, reads=(("approaches",),))


def _unknown_approach(location: Location, name: str) -> Iterator[Problem]:
    try:
        find(name)
    except ConfigurationError as error:
        yield Problem(location, error.message, error.remedy)


def _offered(scenario: Scenario) -> Iterator[Problem]:
    """Texts of which only some are built."""
    for location, value, choices in (
        (("network", "topology"), scenario.network.topology, TOPOLOGIES),
        (("guest", "kind"), scenario.guest.kind, GUEST_KINDS),
        (("migration", "strategy"), scenario.migration.strategy, STRATEGIES),
        (("dns", "algorithm"), scenario.dns.algorithm, ALGORITHMS),
    ):
        if value not in choices:
            near = nearest(value, choices) if len(choices) > 1 else choices[0]
            what = f"{shown(value)} is not known; there is {', '.join(choices)}"
            yield Problem(location, what, f'write "{near or choices[0]}"')


def _unused_paths(scenario: Scenario) -> Iterator[Problem]:
    """Paths that the topology does not have, but that somebody cared to describe."""
    network = scenario.network
    for key in UNUSED.get(network.topology, ()):
        value = getattr(network, key)
        # A path that says nothing new does no harm: many files give all of them one delay.
        same = value in (None, Path(), network.clients_a, network.a_b)
        if isinstance(value, Path) and not same:
            what = f'the topology "{network.topology}" has no such path'
            lan = " (B is reached by clients_a and a_b)" if network.topology in ONE_LAN else ""
            reads: tuple[Location, ...] = (("network", "topology"),)
            yield Problem(("network", key), what, f"remove it{lan}", reads=reads)


def _names(scenario: Scenario) -> Iterator[Problem]:
    if not _NAME.fullmatch(scenario.name):
        yield Problem(
            ("name",),
            f"{shown(scenario.name)} cannot name a folder of results",
            "write at most 64 letters, digits, dots, dashes and underscores",
        )
    for key, value in (("zone", scenario.dns.zone), ("name", scenario.dns.name)):
        labels = value.split(".")
        if len(value) > 200 or not all(_LABEL.fullmatch(label) for label in labels):
            what = f"{shown(value)} is not a domain name"
            yield Problem(("dns", key), what, 'write labels joined by dots, such as "lab.test"')


def _memory(scenario: Scenario) -> Iterator[Problem]:
    guest = scenario.guest
    for key, size in (
        ("memory_bytes", guest.memory_bytes),
        ("working_set_bytes", guest.working_set_bytes),
    ):
        if size % PAGE_BYTES:
            rounded = (size // PAGE_BYTES + 1) * PAGE_BYTES
            what = f"{size} is not a multiple of the page size, {PAGE_BYTES}"
            yield Problem(("guest", key), what, f"write {rounded}")
    if guest.working_set_bytes > guest.memory_bytes:
        yield Problem(
            ("guest", "working_set_bytes"),
            f"{guest.working_set_bytes} is larger than memory_bytes, {guest.memory_bytes}",
            "make it smaller, or the memory larger",
            reads=(("guest", "memory_bytes"),),
        )


def _prefixes(scenario: Scenario) -> Iterator[Problem]:
    network = scenario.network
    good: dict[str, Prefix] = {}
    for key in PREFIXES:
        text = getattr(network, key)
        verdict = _prefix(text, network.family)
        if isinstance(verdict, tuple):
            yield Problem(("network", key), *verdict, reads=(("network", "family"),))
        else:
            good[key] = verdict
    used = [key for key in good if key not in UNUSED.get(network.topology, ())]
    for one, other in combinations(used, 2):
        if good[one].overlaps(good[other]):
            yield Problem(
                ("network", other),
                f'"{good[other]}" overlaps with {one}, "{good[one]}"',
                "give every site addresses of its own",
                reads=(("network", one),),
            )


def _prefix(text: str, family: int) -> Prefix | tuple[str, str]:
    """The prefix, or what is wrong with it and what mends it."""
    example = f'write an IPv{family} prefix such as "{SITE_PREFIXES[family]["a_prefix"]}"'
    shortest, longest = PREFIX_LENGTHS[family]
    try:
        prefix: Prefix = ip_network(text, strict=False)
    except ValueError:
        return f"{shown(text)} is not a prefix", example
    if prefix.version != family:
        return f"{shown(text)} is an IPv{prefix.version} prefix, but family is {family}", example
    if "/" not in text or not shortest <= prefix.prefixlen <= longest:
        return f"{shown(text)} has no length from /{shortest} to /{longest}", example
    if text != str(prefix):
        return f"{shown(text)} is an address within a prefix", f'write "{prefix}"'
    if not _is_for_hosts(prefix):
        return f"{shown(text)} is not for hosts", example
    transit = TRANSIT_PREFIX[family]
    if prefix.overlaps(ip_network(transit)):
        what = f"{shown(text)} overlaps with {transit}, which joins the providers"
        return what, example
    return prefix


def _is_for_hosts(prefix: Prefix) -> bool:
    special = prefix.is_multicast or prefix.is_loopback or prefix.is_link_local
    unknown = prefix.overlaps(ip_network("0.0.0.0/8" if prefix.version == 4 else "::/8"))
    return not (special or unknown or prefix.is_reserved)


def _mtu(scenario: Scenario) -> Iterator[Problem]:
    network = scenario.network
    if network.family == 6 and network.mtu_bytes < SMALLEST_MTU_BYTES:
        yield Problem(
            ("network", "mtu_bytes"),
            f"{network.mtu_bytes} is less than what every link of IPv6 carries",
            f"write at least {SMALLEST_MTU_BYTES}",
            reads=(("network", "family"),),
        )


def _clients(scenario: Scenario) -> Iterator[Problem]:
    if not scenario.client:
        yield Problem(("client",), "there is no client", "write at least one [[client]]")
    for index, client in enumerate(scenario.client):
        program = client.kind is ClientKind.PROGRAM
        here: Location = ("client", index, "command")
        if program and not (client.command or "").strip():
            yield Problem(here, "a program needs a command", 'write command = "…"')
        if not program and client.command is not None:
            remedy = f'write kind = "{ClientKind.PROGRAM.value}", or remove the command'
            yield Problem(here, f"{client.kind.value} runs no command", remedy)
        if client.name is not None and not _CLIENT_NAME.fullmatch(client.name):
            yield Problem(
                ("client", index, "name"),
                f"{shown(client.name)} cannot be a client's name",
                "write at most 64 letters, digits and any of . _ @ + -",
            )
    yield from _same_names(scenario)


def _same_names(scenario: Scenario) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, client in enumerate(scenario.client):
        taken = [c.name or "" for c in each_client([client])]
        clash = next((name for name in taken if name in first), None)
        if clash is not None:
            what = f"{shown(clash)} is also the name of client.{first[clash]}"
            remedy = "give it a name of its own, or raise the other's count"
            yield Problem(("client", index, "name"), what, remedy, reads=(("client",),))
        for name in taken:
            first.setdefault(name, index)


def _commands(scenario: Scenario) -> Iterator[Problem]:
    commands: list[tuple[Location, str | None]] = [
        (("client", index, "command"), client.command)
        for index, client in enumerate(scenario.client)
    ]
    if scenario.server is not None:
        commands.append((("server", "command"), scenario.server.command))
        if not scenario.server.command.strip():
            yield Problem(("server", "command"), "the text is empty", 'write command = "…"')
    for location, command in commands:
        if command is not None and "\0" in command:
            yield Problem(location, "a command cannot hold the character 0", "remove it")


def _faults(scenario: Scenario) -> Iterator[Problem]:
    for index, fault in enumerate(scenario.fault):
        if fault.kind is FaultKind.WAN_CUT and fault.duration_s == 0:
            remedy = 'write how long it lasts, such as "3 s"'
            yield Problem(("fault", index, "duration_s"), "a cut of 0 s cuts nothing", remedy)
    for (kind, phase, after), count in Counter(
        (f.kind.value, f.phase.value, f.after_s) for f in scenario.fault
    ).items():
        if count > 1:
            what = f"{kind} stands there {count} times for {phase}, {after:g} s into it"
            yield Problem(("fault",), what, "remove the repetition")


_RULES: tuple[Callable[[Scenario], Iterator[Problem]], ...] = (
    _names,
    _offered,
    _prefixes,
    _mtu,
    _unused_paths,
    _memory,
    _clients,
    _commands,
    _faults,
)
