"""How the memory gets across: when another round of copying is worth it, and when to pause.

One entry so far. A strategy only decides; the engines copy. (Copying after the guest has resumed
would be another entry here and needs its own order of phases.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from netcont.errors import ConfigurationError
from netcont.model.scenario import Migration


@dataclass(frozen=True)
class Progress:
    """After a round: rounds done so far, what the last one carried, what is dirty by now."""

    rounds: int
    sent_bytes: int
    dirty_bytes: int


class Strategy(Protocol):
    """Decides after each round."""

    def enough(self, progress: Progress, migration: Migration, bandwidth_bps: float) -> bool:
        """Whether to pause the guest now and send the rest."""


class PreCopy:
    """Rounds while the guest runs, until the rest fits into the downtime that is allowed."""

    def enough(self, progress: Progress, migration: Migration, bandwidth_bps: float) -> bool:
        """Also when the rounds are used up, or when one leaves as much as it carried."""
        fits = progress.dirty_bytes * 8 / bandwidth_bps <= migration.downtime_target_s
        stuck = progress.dirty_bytes >= progress.sent_bytes
        return fits or stuck or progress.rounds >= migration.max_rounds


STRATEGIES: Mapping[str, Strategy] = MappingProxyType({"pre-copy": PreCopy()})


def strategy(name: str) -> Strategy:
    """The strategy of that name. Raises ConfigurationError."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise ConfigurationError(
            f"unknown migration strategy {name!r}",
            remedy=f"use one of {', '.join(STRATEGIES)}",
        ) from None
