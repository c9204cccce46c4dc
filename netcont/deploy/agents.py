"""Mobile IP in a deployment: what is wrong with its table, and the agents of each side. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from netcont.deploy.carriers import key_of
from netcont.deploy.names import key_file_form
from netcont.deploy.problems import Problem
from netcont.kernel.agent_fact import AgentFact
from netcont.model.deployment import (
    HOME_AGENT,
    Deployment,
    Guest,
    HomeAgent,
    SideName,
    TunnelKind,
    family_of,
    of_family,
)
from netcont.model.plan import Change, Register, RunAgent

Value = str | int | bool
_KEY = "home_agent"
_LIFETIME_S = 1800
_GRANT_LIMIT_S = 8.0
"""Three requests: they are repeated after 1 s, 2 s and 4 s."""


def agents(
    deployment: Deployment, side: SideName, node: str, stem: str, *, switched: bool
) -> Iterator[Change]:
    """The agent of this side, and, away from home, what it registers. stem: of the agent's files
    and its socket's name: DIRECTORY/DEPLOYMENT."""
    table, guests = deployment.home_agent, deployment.mobile
    if table is None or not guests:
        return
    home = guests[0].source
    role, tell = ("home", _home) if side is home else ("foreign", _foreign)
    name = stem.rpartition("/")[2]
    control = f"@netcont-{name}-{role}"
    settings = _toml(
        {
            "address": deployment.at(side).address,
            "link": deployment.at(side).link or "",
            "control": control,
            "state": f"{stem}.{role}.sqlite",
            "advertises": False,
            "gre": table.gre,
            "max_lifetime_s": max(table.lifetime_s, _LIFETIME_S),
        }
    ) + "".join(tell(deployment, table, home, guests))
    yield RunAgent(
        node, role, f"{stem}.{role}", control, settings, tunnels="gre" if table.gre else "ipip"
    )
    for guest in guests if side is not home else ():
        # Ahead nobody waits: the other side may not be up yet.
        yield Register(
            node, control, guest.address, ahead=not switched, wait=switched, limit_s=_GRANT_LIMIT_S
        )


def _home(
    deployment: Deployment, table: HomeAgent, home: SideName, guests: tuple[Guest, ...]
) -> Iterator[str]:
    for guest in guests:
        yield "[[node]]\n" + _toml({"address": guest.address})
        yield "[[node.key]]\n" + _toml({"spi": table.spi, "key_file": table.key_file})
    yield from _peer("foreign_agent", deployment.at(home.other).address, table)


def _foreign(
    deployment: Deployment, table: HomeAgent, home: SideName, guests: tuple[Guest, ...]
) -> Iterator[str]:
    agent = deployment.at(home).address
    yield from _peer("home_agent", agent, table)
    for guest in guests:
        values: dict[str, Value] = {"home_address": guest.address, "home_agent": agent}
        if guest.gateway is not None:
            values["gateway"] = guest.gateway
        prefix = of_family(deployment.at(home).prefix, 4)
        if prefix is not None:
            values["home_network"] = prefix
        values |= {
            "reverse_tunnel": guest.reverse,
            "gre": table.gre,
            "lifetime_s": table.lifetime_s,
        }
        yield "[[guest]]\n" + _toml(values)
        yield "[guest.key]\n" + _toml({"spi": table.spi, "key_file": table.key_file})


def _peer(word: str, address: str, table: HomeAgent) -> Iterator[str]:
    if table.agents_spi is None or table.agents_key_file is None:
        return
    yield f"[[{word}]]\n" + _toml({"address": address})
    key: dict[str, Value] = {"spi": table.agents_spi, "key_file": table.agents_key_file}
    yield f"[[{word}.key]]\n" + _toml(key)


def _toml(values: Mapping[str, Value]) -> str:
    """Lines of TOML: its strings, numbers and truths are JSON's."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def shown(change: RunAgent, fact: AgentFact) -> list[str]:
    """What a running agent says, a line for each guest."""
    who = f"{change.role} agent"
    if not fact.told:
        return [f"{who}: {fact.error}"] if fact.error else []
    if change.role == "foreign":
        return [f"{who}: {one['home_address']} {_standing(one)}" for one in fact.told["guests"]]
    bound = fact.told["bindings"]
    lines = [f"{one['home_address']} is at {one['care_of_address']}{_rest(one)}" for one in bound]
    return [f"{who}: {line}" for line in lines or ["nobody is away"]]


def _standing(guest: Mapping[str, Any]) -> str:
    if guest["registered"]:
        return "is registered here"
    if guest["asked"] is None:
        return "is not asked for"
    return "is prepared" if guest["prepared"] else "is asked for, and not granted yet"


def _rest(binding: Mapping[str, Any]) -> str:
    prepared = "SIMULTANEOUS_BINDINGS" in binding["flags"]
    return f" ({'prepared, ' if prepared else ''}{binding['remaining_s']:.0f} s left)"


def wrong_agents(deployment: Deployment) -> Iterator[Problem]:
    """Everything in the table of the home agent that cannot be."""
    table, guests = deployment.home_agent, deployment.mobile
    for index, guest in enumerate(deployment.guest):
        if guest.over == HOME_AGENT and table is None:
            key = key_of(deployment, "guest", index)
            yield Problem(f"{key}.over", f"there is no [{_KEY}]", "add it, or name a tunnel")
    if table is None:
        return
    yield from key_file_form(f"{_KEY}.key_file", table.key_file)
    yield from key_file_form(f"{_KEY}.agents_key_file", table.agents_key_file)
    if (table.agents_spi is None) is not (table.agents_key_file is None):
        missing = "agents_spi" if table.agents_spi is None else "agents_key_file"
        yield Problem(f"{_KEY}.{missing}", "missing", "a key has both")
    if not guests:
        yield Problem(_KEY, "carries no guest", f'write over = "{_KEY}" into a [[guest]]')
    elif len({guest.source for guest in guests}) > 1:
        yield Problem(_KEY, "its guests are at home on both sides", "carry some over a tunnel")
    yield from _of_ipv4(deployment)
    yield from _beside_tunnels(deployment, table)


def _of_ipv4(deployment: Deployment) -> Iterator[Problem]:
    only = "Mobile IP (RFC 5944) is IPv4's: use a tunnel for IPv6"
    for side in SideName:
        address = deployment.at(side).address
        if family_of(address) == 6:
            yield Problem(f"side.{side}.address", f"{address} cannot be an agent's", only)
    for index, guest in enumerate(deployment.guest):
        if guest in deployment.mobile and family_of(guest.address) == 6:
            key = key_of(deployment, "guest", index)
            yield Problem(f"{key}.address", f"{guest.address} cannot be registered", only)


def _beside_tunnels(deployment: Deployment, table: HomeAgent) -> Iterator[Problem]:
    """The kernel tells tunnels apart by kind, ends and key; the agents' have no key."""
    kind = TunnelKind.GRE if table.gre else TunnelKind.IPIP
    for index, tunnel in enumerate(deployment.tunnel):
        if tunnel.kind is kind and tunnel.key is None:
            key = key_of(deployment, "tunnel", index)
            other = "false" if table.gre else "true"
            what = f"the agents' tunnel is {kind} between the same ends"
            yield Problem(f"{key}.kind", what, f"write gre = {other} into [{_KEY}]")
