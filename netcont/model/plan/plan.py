"""Changes in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netcont.model.plan.change import Change


@dataclass(frozen=True)
class Plan:
    """Changes in the order in which they are applied."""

    changes: tuple[Change, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.changes + other.changes)

    def on(self, nodes: Iterable[str]) -> Plan:
        """The part of the plan that acts on the given nodes."""
        wanted = frozenset(nodes)
        return Plan(tuple(change for change in self.changes if change.node in wanted))

    def commands(self) -> tuple[str, ...]:
        """Every equal command line, with its node."""
        return tuple(f"[{c.node}] {line}" for c in self.changes for line in c.commands())
