"""What `up` is asked for, against what is there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from netcont.deploy.converge import Kernel
from netcont.deploy.far_end import FarEnd
from netcont.deploy.far_ends import far_ends
from netcont.deploy.half import Half
from netcont.deploy.naming import without
from netcont.deploy.record import Record
from netcont.deploy.standing import Standing, state
from netcont.kernel.facts import Facts
from netcont.model.plan import Plan


@dataclass(frozen=True)
class Wish:
    """One side, and its goal. before: the record until now. facts: what is there."""

    half: Half
    before: Record
    goal: Plan
    kernel: Kernel
    facts: Facts

    @cached_property
    def ends(self) -> tuple[FarEnd, ...]:
        """How the other ends are to be asked."""
        return far_ends(self.half)

    @property
    def stands(self) -> bool:
        """Whether nothing is left to do."""
        before = self.before
        same = (before.stands, before.switched) == (self.goal, self.half.switched)
        if not same or before.ends != self.ends:
            return False
        seen = without(self.goal, self.kernel.left)
        return all(state(each, self.facts).standing is Standing.PRESENT for each in seen)
