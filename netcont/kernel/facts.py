"""What stands, as values: links, addresses, routes, rules, neighbours, FDB, names, agents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from netcont.kernel.agent_fact import AgentFact
from netcont.kernel.isolation_fact import IsolationFact
from netcont.kernel.name_fact import NameFact
from netcont.model.plan import Change

NONE: Mapping[Any, Any] = MappingProxyType({})
"""Nothing of the kind."""


class LinkMark(NamedTuple):
    """How a link says whose it is. group: see ip-link(8)."""

    ifindex: int
    alias: str
    group: int


class LinkFact(NamedTuple):
    """A link. details: of its kind, in the words of netcont's changes (vni, local, …).

    neigh_suppress, guard, shut: None where it is no bridge's port; shut: its bridge takes nothing
    from it.
    """

    name: str
    ifindex: int
    kind: str
    mtu_bytes: int
    up: bool
    mac: str | None = None
    alias: str = ""
    master: str | None = None
    neigh_suppress: bool | None = None
    details: Mapping[str, object] = NONE
    counters: Mapping[str, int] = NONE
    guard: bool | None = None
    shut: bool | None = None


class RouteFact(NamedTuple):
    """A route of one table; protocol as in rtnetlink(7), kind as in changes, or its number."""

    via: str | None
    link: str | None
    protocol: int
    kind: str = "unicast"


class RuleFact(NamedTuple):
    """A policy rule. source: a prefix, also for all of a family; incoming: a link."""

    priority: int
    source: str
    destination: str | None
    table: int
    protocol: int
    incoming: str | None = None


class Facts(NamedTuple):
    """Everything at one time, of both families.

    Prefixes are written as in changes ("default", "::/0", "10.0.0.0/8"). isolations: by what makes
    them.
    """

    links: Mapping[str, LinkFact] = NONE
    addresses: frozenset[tuple[str, str, int]] = frozenset()
    routes: Mapping[tuple[str, int], tuple[RouteFact, ...]] = NONE
    rules: frozenset[RuleFact] = frozenset()
    neighbours: Mapping[tuple[str, str], tuple[str, bool]] = NONE
    proxies: frozenset[tuple[str, str]] = frozenset()
    fdb: frozenset[tuple[str, str, str]] = frozenset()
    sysctls: Mapping[str, str] = NONE
    names: Mapping[str, NameFact] = NONE
    agents: Mapping[str, AgentFact] = NONE
    isolations: Mapping[Change, IsolationFact] = NONE
