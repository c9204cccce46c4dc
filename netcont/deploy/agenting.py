"""Agents and registrations as changes: made and looked at; their own layer comes in when asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from netcont.errors import ConfigurationError
from netcont.kernel.agent_fact import AgentFact
from netcont.kernel.namespace import Namespace
from netcont.kernel.performing import performs
from netcont.model.plan import Change, Register, RunAgent, StopAgent

_ROLES: dict[str, Literal["home", "foreign"]] = {"home": "home", "foreign": "foreign"}


@performs(RunAgent)
def _run(change: RunAgent, node: Namespace) -> None:
    from netcont.agent.process import AgentProcess

    with node.entered():
        AgentProcess(change.stem).start(change)


@performs(StopAgent)
def _stop(change: StopAgent, node: Namespace) -> None:
    from netcont.agent.process import AgentProcess

    with node.entered():
        AgentProcess(change.stem).stop(change)


def look(plan: Iterable[Change], node: Namespace) -> dict[str, AgentFact]:
    """How the agents are that a plan speaks of, by their sockets."""
    stems = {each.control: "" for each in plan if isinstance(each, Register)}
    stems |= {each.control: each.stem for each in plan if isinstance(each, RunAgent)}
    if not stems:
        return {}
    from netcont.agent.process import AgentProcess, answer

    with node.entered():
        return {
            control: AgentProcess(stem).look(control) if stem else answer(control)
            for control, stem in stems.items()
        }


def wrong_settings(plan: Iterable[Change]) -> Iterator[str]:
    """What the agents of a plan would refuse in their settings: missing keys, keys that others may
    read."""
    for change in plan:
        if isinstance(change, RunAgent):
            from netcont.agent.config import parse_settings

            try:
                parse_settings(_ROLES[change.role], change.settings, f"the {change.role} agent")
            except ConfigurationError as error:
                yield f"{error.message}: {error.remedy}" if error.remedy else error.message
