"""What the engines are given: the site that they act on, and the settings of one move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from netcont.errors import NetcontError
from netcont.migration.wire import RUN_ID_BYTES
from netcont.model.scenario import Migration, Phase

Clock = Callable[[], float]
"""Seconds of a clock that both engines and everybody else who notes instants share."""

Hook = Callable[[Phase, str], None]
"""Called in the engine's process at each boundary of a phase, with one of the edges below."""

START = "start"
END = "end"
COMMIT_SENT = "commit-sent"
RECORDED = "recorded"

FAULTS = (NetcontError, OSError)
"""What an action may raise to say that it failed. Anything else is a mistake in the program: the
engine dies of it, and is recovered like one that was killed."""


class SiteActions(Protocol):
    """One site, as its engine sees it. All of it may be called again after it was done already.

    Every method raises NetcontError or OSError when it cannot do its work; what it had done by
    then is undone by undo().
    """

    def apply(self, phase: Phase) -> None:
        """Applies this site's half of what the approach plans for phase; perhaps nothing."""

    def undo(self) -> None:
        """Undoes everything applied so far, by a killed engine too, in reverse order."""

    def attach(self) -> None:
        """At B: connects the guest to B's network, its link up."""

    def detach(self) -> None:
        """At A: cuts the guest off from A's network."""

    def reattach(self) -> None:
        """At A: connects the guest to A's network again, its link up."""

    def freeze(self) -> None:
        """Returns once nothing of the guest runs."""

    def thaw(self) -> None:
        """Lets the guest run."""


class Writer(Protocol):
    """The process that writes the guest's memory (Workload is one)."""

    pid: int

    def hold(self, *, wait: bool = True) -> None:
        """Stops it; with wait, returns once it stands still."""

    def release(self) -> None:
        """Lets it go on."""


@dataclass(frozen=True)
class Setup:
    """One side's settings of one move.

    address: where the destination listens (port 0: the kernel chooses). image: the memory image
    of this side; the source's exists, the destination's must not. record: this side's commit
    record. memory_bytes: of the guest. bandwidth_bps bounds the copying. give_up_s: how long an
    unsure source asks for the outcome, and how long the destination waits for a source to come.
    peer_record: the other side's record, where it can be read (a lab; sites far apart must ask).
    """

    run_id: str
    address: tuple[str, int]
    image: Path
    record: Path
    memory_bytes: int
    bandwidth_bps: float
    migration: Migration
    give_up_s: float = 60.0
    peer_record: Path | None = None

    @property
    def wire_run_id(self) -> bytes:
        """run_id as the frames carry it."""
        return blake2b(self.run_id.encode(), digest_size=RUN_ID_BYTES).digest()


def no_hook(phase: Phase, edge: str) -> None:
    """A hook that does nothing."""
