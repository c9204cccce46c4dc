"""What stands, and what is being made or unmade: written before the first change, it holds what is
needed to get from anywhere between two states to either of them. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from netcont.deploy.far_end import FarEnd
from netcont.model import plan as changes
from netcont.model.plan import Plan


class Confirmation(NamedTuple):
    """A change that is reverted unless it is confirmed.

    token: which change it is. due_s: when, on the clock CLOCK_BOOTTIME. back: what to return to.
    back_ends: its links' other ends.
    """

    token: str
    due_s: float
    back: Plan
    back_switched: bool
    back_ends: tuple[FarEnd, ...] = ()


@dataclass(frozen=True)
class Record:
    """One deployment on this host.

    stands: what is there, whole, unless goal says that it is on its way there (an empty goal: to
    nothing). forward: a started way is gone on with, not back. was: settings as they were before
    netcont. source: the file, for people. host: in the namespace that a reboot brings back. ends:
    how the other ends of the links that stand are asked.
    """

    name: str
    side: str
    source: str
    stands: Plan = field(default_factory=Plan)
    switched: bool = False
    goal: Plan | None = None
    forward: bool = False
    was: dict[str, str] = field(default_factory=dict)
    confirmation: Confirmation | None = None
    host: bool = False
    ends: tuple[FarEnd, ...] = ()

    @property
    def outlives_a_boot(self) -> bool:
        """Whether its guests are still at the other side when this host is booted again."""
        due = self.confirmation
        return self.host and (self.switched if due is None else due.back_switched)

    @property
    def known(self) -> Plan:
        """Everything that may be there by netcont's doing."""
        return merged(self.stands, self.goal or Plan())

    def settled(self, plan: Plan) -> Record:
        """The same, now that plan stands."""
        keys = {each.key for each in plan if isinstance(each, changes.SetSysctl)}
        was = {key: value for key, value in self.was.items() if key in keys}
        return replace(self, stands=plan, goal=None, forward=False, was=was)


def merged(one: Plan, other: Plan) -> Plan:
    """Both, nothing twice."""
    if not one or not other:
        return one or other
    return Plan(tuple(dict.fromkeys((*one, *other))))
