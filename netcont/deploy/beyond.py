"""Changes that reach beyond this host's kernel, names and agents: how they go on, and how back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netcont.deploy import naming
from netcont.deploy.agenting import wrong_settings
from netcont.deploy.standing import Standing, state
from netcont.kernel.agent_fact import AgentFact
from netcont.kernel.facts import Facts
from netcont.model.plan import Change, Leave, MoveName, Plan, Register, RunAgent

BEYOND = (MoveName, RunAgent, Register)
"""Of these nobody may know, after an error, whether they were made."""


def goes_on(change: Change, goal: Iterable[Change]) -> bool:
    """Whether the goal wants the same of the same, though perhaps in another way."""
    return isinstance(change, MoveName | Register) and any(_same(change, one) for one in goal)


def _same(one: Change, other: Change) -> bool:
    match one, other:
        case MoveName(), MoveName():
            return (one.name, one.addresses) == (other.name, other.addresses)
        case Register(), Register():
            return (one.control, one.home_address) == (other.control, other.home_address)
        case _:
            return False


def undo_of(change: Change, facts: Facts) -> Change | None:
    """What takes it back; None if there is nothing to take back. Raises KernelError."""
    match change:
        case MoveName():
            return naming.undo_of(change, facts)
        case RunAgent():
            fact = facts.agents.get(change.control, AgentFact())
            return change.undo() if fact.running or fact.remains else None
        case Register():
            fact = facts.agents.get(change.control, AgentFact())
            asked = fact.guest(change.home_address).get("asked")
            return None if asked is None else change.undo()
        case _:
            return change.undo()


def before(change: Change) -> Change | None:
    """What must be done first where something else is in the place of a change."""
    if isinstance(change, RunAgent):
        return change.undo()
    if isinstance(change, Register) and change.ahead:
        # Registered here alone: a place beside another one is asked for anew.
        return Leave(change.node, change.control, change.home_address)
    return None


def objections(goal: Plan, stands: Plan, facts: Facts, *, rehearsed: bool = True) -> Iterator[str]:
    """What speaks against a plan outside of this kernel. rehearsed: servers of names are asked, and
    key files opened, for both of which root is needed."""
    if rehearsed:
        missing = (c for c in goal if isinstance(c, RunAgent))
        absent = [c for c in missing if state(c, facts).standing is not Standing.PRESENT]
        yield from wrong_settings(absent)
    yield from naming.objections(goal, stands, facts, rehearsed=rehearsed)
