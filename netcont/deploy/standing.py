"""A change against the kernel: is it there, is it missing, is something else in its place. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from netcont.kernel.agent_fact import AgentFact
from netcont.kernel.facts import Facts, LinkFact
from netcont.model import plan as changes
from netcont.model.numbers import ALL_MACS
from netcont.model.own import OWN_PREFIX, ROUTE_PROTOCOL
from netcont.model.plan import Change


class Standing(StrEnum):
    """How the kernel is, seen from a change."""

    PRESENT = "present"
    MISSING = "missing"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class State(NamedTuple):
    """found: what is there instead, in words."""

    standing: Standing
    found: str = ""


PRESENT = State(Standing.PRESENT)
MISSING = State(Standing.MISSING)


def _otherwise(found: str) -> State:
    return State(Standing.CHANGED, found)


Look = Callable[[Any, Facts], State]

_LOOKS: dict[type[Change], Look] = {}


def state(change: Change, facts: Facts) -> State:
    """Whether what the change makes is there."""
    look = _LOOKS.get(type(change))
    if look is None:
        raise TypeError(f"{type(change).__name__} leaves nothing behind that could be looked at")
    return look(change, facts)


def _on(kind: type[Change]) -> Callable[[Look], None]:
    def register(function: Look) -> None:
        _LOOKS[kind] = function

    return register


def _compared(link: LinkFact | None, kind: str, wanted: Mapping[str, object]) -> State:
    if link is None:
        return MISSING
    if link.kind != kind:
        return _otherwise(f"a link of kind {link.kind or 'physical'}")
    is_so = {"mtu": link.mtu_bytes, "mac": link.mac, **link.details}
    differing = [f"{key} {is_so.get(key)}" for key, v in wanted.items() if is_so.get(key) != v]
    return _otherwise(", ".join(differing)) if differing else PRESENT


def _given(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


@_on(changes.AddTunnel)
def _tunnel(change: changes.AddTunnel, facts: Facts) -> State:
    wanted = {
        "local": change.local,
        "remote": change.remote,
        "ttl": change.ttl,
        "tos": change.tos,
        "key": change.key,
        "pmtudisc": change.pmtudisc,
        **_given(mtu=change.mtu_bytes),
    }
    return _compared(facts.links.get(change.name), change.link_kind, wanted)


@_on(changes.AddBridge)
def _bridge(change: changes.AddBridge, facts: Facts) -> State:
    wanted = _given(mtu=change.mtu_bytes, mac=change.mac)
    return _compared(facts.links.get(change.name), "bridge", wanted)


@_on(changes.AddVlan)
def _vlan(change: changes.AddVlan, facts: Facts) -> State:
    wanted = {"parent": change.parent, "vlan_id": change.vlan_id}
    return _compared(facts.links.get(change.name), "vlan", wanted)


@_on(changes.AddVxlan)
def _vxlan(change: changes.AddVxlan, facts: Facts) -> State:
    wanted = {
        "vni": change.vni,
        "local": change.local,
        "port": change.port,
        "mtu": change.mtu_bytes,
        "group": change.group,
        "remote": change.remote,
        "device": change.device,
        **_given(mac=change.mac),
    }
    found = _compared(facts.links.get(change.name), "vxlan", wanted)
    if found is PRESENT and change.remote is not None:
        # It is an entry like any other, once the link is made.
        there = (change.name, ALL_MACS, change.remote) in facts.fdb
        return (
            PRESENT if there else _otherwise(f"frames for everybody do not go to {change.remote}")
        )
    return found


def _setting(link: LinkFact | None, found: object, wanted: object) -> State:
    if link is None:
        return MISSING
    return PRESENT if found == wanted else _otherwise(str(found))


@_on(changes.SetUp)
def _up(change: changes.SetUp, facts: Facts) -> State:
    link = facts.links.get(change.link)
    if link is not None and change.alias not in (None, link.alias):
        return _otherwise(f'alias "{link.alias}"')
    words = {True: "up", False: "down"}
    return _setting(link, words[bool(link and link.up)], words[change.up])


@_on(changes.SetMaster)
def _master(change: changes.SetMaster, facts: Facts) -> State:
    link = facts.links.get(change.link)
    return _setting(link, link.master if link else None, change.master)


@_on(changes.SetBridgePort)
def _port(change: changes.SetBridgePort, facts: Facts) -> State:
    link = facts.links.get(change.link)
    if link is None:
        return MISSING
    words = {True: "on", False: "off", None: "no bridge's port"}
    pairs = {
        "neigh_suppress": (link.neigh_suppress, change.neigh_suppress),
        "guard": (link.guard, change.guard),
    }
    differing = [
        f"{key} {words[found]}"
        for key, (found, wanted) in pairs.items()
        if wanted not in (None, found)
    ]
    return _otherwise(", ".join(differing)) if differing else PRESENT


@_on(changes.AddAddress)
def _address(change: changes.AddAddress, facts: Facts) -> State:
    there = (change.link, change.address, change.prefixlen) in facts.addresses
    return PRESENT if there else MISSING


@_on(changes.AddRoute)
def _route(change: changes.AddRoute, facts: Facts) -> State:
    found = facts.routes.get((change.destination, change.table), ())
    for route in found:
        same = (route.protocol, route.kind) == (ROUTE_PROTOCOL, change.kind)
        way = route.via == change.via and change.link in (None, route.link)
        if same and way:
            return PRESENT
    if not found:
        return MISSING
    first = found[0]
    kind = "" if first.kind == "unicast" else f"{first.kind} "
    via = f"via {first.via} " if first.via else ""
    return _otherwise(f"{kind}{via}dev {first.link} proto {first.protocol}")


@_on(changes.AddRule)
def _rule(change: changes.AddRule, facts: Facts) -> State:
    for rule in facts.rules:
        if (rule.priority, rule.source, rule.destination, rule.incoming) == (
            change.priority,
            change.source,
            change.destination,
            change.incoming,
        ):
            if rule.table == change.table and rule.protocol == ROUTE_PROTOCOL:
                return PRESENT
            return _otherwise(f"lookup {rule.table} protocol {rule.protocol}")
    return MISSING


@_on(changes.AddNeighbour)
def _neighbour(change: changes.AddNeighbour, facts: Facts) -> State:
    if change.mac is None:
        return PRESENT if (change.link, change.address) in facts.proxies else MISSING
    lladdr, permanent = facts.neighbours.get((change.link, change.address), ("", False))
    if not permanent:
        return MISSING
    return PRESENT if lladdr == change.mac else _otherwise(lladdr)


@_on(changes.AddFdb)
def _fdb(change: changes.AddFdb, facts: Facts) -> State:
    there = (change.link, change.mac, change.remote) in facts.fdb
    return PRESENT if there else MISSING


@_on(changes.AddIsolation)
def _isolation(change: changes.AddIsolation, facts: Facts) -> State:
    fact = facts.isolations.get(change)
    if fact is None or fact.error:
        return State(Standing.UNKNOWN, fact.error if fact else "it was not looked at")
    if not fact.found:
        return MISSING
    return PRESENT if fact.as_wanted else _otherwise("a table with other rules")


@_on(changes.SetSysctl)
def _sysctl(change: changes.SetSysctl, facts: Facts) -> State:
    found = facts.sysctls.get(change.key)
    if found is None:
        return MISSING
    return PRESENT if found == change.value else _otherwise(found)


@_on(changes.RunAgent)
def _agent(change: changes.RunAgent, facts: Facts) -> State:
    fact = facts.agents.get(change.control, AgentFact())
    if not fact.running:
        return MISSING
    if fact.settings != change.settings:
        return _otherwise("it runs with other settings")
    return _otherwise(fact.error) if fact.error else PRESENT


@_on(changes.Register)
def _registration(change: changes.Register, facts: Facts) -> State:
    fact = facts.agents.get(change.control, AgentFact())
    guest, failure = fact.guest(change.home_address), fact.failure(change.home_address)
    asked = guest.get("asked")
    if asked is None:
        return MISSING
    if asked != ("ahead" if change.ahead else "here"):
        return _otherwise("registered" if asked == "here" else "prepared")
    if failure:
        return _otherwise(failure)
    granted = change.ahead or guest["registered"]
    return PRESENT if granted else _otherwise("the home agent has not granted it")


@_on(changes.MoveName)
def _name(change: changes.MoveName, facts: Facts) -> State:
    fact = facts.names.get(change.name)
    if fact is None or fact.error:
        return State(Standing.UNKNOWN, fact.error if fact else "it was not asked about")
    if fact.is_moved(change):
        return _otherwise("; ".join(fact.lagging)) if fact.lagging else PRESENT
    return State(Standing.MISSING, str(fact)) if fact.is_ours(change) else _otherwise(str(fact))


def link_named(change: Change) -> str | None:
    """The link that a change is about; None: none."""
    if isinstance(change, changes.AddLink):
        return change.name
    if isinstance(change, changes.SetSysctl):
        # Only keys of one link have one: net.ipv4.conf.LINK.rp_filter.
        parts = change.key.split(".")
        return ".".join(parts[3:-1]) if len(parts) > 4 else None
    link: str | None = getattr(change, "link", None)
    return link


def hangs_on_own(change: Change) -> bool:
    """Whether it vanishes together with a link of netcont's."""
    link = link_named(change)
    return link is not None and link.startswith(OWN_PREFIX)


_NOBODYS = frozenset(
    {
        changes.SetSysctl,
        changes.SetUp,
        changes.SetMaster,
        changes.SetBridgePort,
        # Its servers say themselves what they have against it (see netcont.deploy.naming).
        changes.MoveName,
        changes.RunAgent,
        changes.Register,
    }
)

Traffic = Mapping[tuple[object, ...], str]
"""Links by the packets that they take: the kernel could not tell two of them apart, or a reader
could not."""


def traffic_of(facts: Facts) -> Traffic:
    """What is taken already."""
    found: dict[tuple[object, ...], str] = {}
    for link in facts.links.values():
        details = link.details
        if link.kind == "vxlan":
            # The kernel lets one VNI on two ports pass; a mistake all the same.
            found[("vxlan", details.get("vni"))] = link.name
        elif link.kind == "vlan":
            found[("vlan", details.get("parent"), details.get("vlan_id"))] = link.name
        elif "remote" in details:
            ends = details.get("local"), details.get("remote"), details.get("key")
            found[(link.kind, *ends)] = link.name
    return found


def _packets(change: changes.AddLink) -> tuple[object, ...]:
    match change:
        case changes.AddVxlan():
            return "vxlan", change.vni
        case changes.AddVlan():
            return "vlan", change.parent, change.vlan_id
        case changes.AddTunnel():
            return change.link_kind, change.local, change.remote, change.key
        case _:
            return ()


def occupied(change: Change, facts: Facts, traffic: Traffic) -> str | None:
    """What is in the place of a change that netcont has not made; None: the place is free."""
    if type(change) in _NOBODYS:
        return None
    if isinstance(change, changes.AddLink):
        return _occupied_link(change, facts, traffic)
    found = state(change, facts)
    if found.standing in (Standing.MISSING, Standing.UNKNOWN):
        return None
    what = change.commands()[0].replace(" add ", " ").replace(" append ", " ")
    return f"{what}: it is there already" + (f" ({found.found})" if found.found else "")


def _occupied_link(change: changes.AddLink, facts: Facts, traffic: Traffic) -> str | None:
    link = facts.links.get(change.name)
    if link is not None:
        alias = f", alias {link.alias!r}" if link.alias else ""
        return f"the name {change.name} is taken by a foreign {link.kind or 'physical'} link{alias}"
    other = traffic.get(_packets(change))
    return None if other is None else f"{other} takes the same packets ({change.commands()[0]})"
