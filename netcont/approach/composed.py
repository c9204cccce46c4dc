"""Several approaches at once, written "ddns+ipip": a tunnel for the old flows, DNS for the new."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.approach.base import Approach, Context
from netcont.model.plan import Plan
from netcont.model.scenario import Phase


@dataclass(frozen=True)
class Composed:
    """Parts whose plans follow one another in every phase; what keeps the address goes first."""

    parts: tuple[Approach, ...]

    @property
    def name(self) -> str:
        """As it is written."""
        return "+".join(part.name for part in self.parts)

    @property
    def keeps_address(self) -> bool:
        """If any part does."""
        return any(part.keeps_address for part in self.parts)

    @property
    def stretches(self) -> bool:
        """If any part does."""
        return any(part.stretches for part in self.parts)

    def plan(self, phase: Phase, context: Context) -> Plan:
        """The parts' plans, one after the other."""
        ordered = sorted(self.parts, key=lambda part: not part.keeps_address)
        return sum((part.plan(phase, context) for part in ordered), Plan())
