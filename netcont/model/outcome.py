"""The record of runs under several approaches, as it is written to JSON. Pure values.

Unknown is None (null), never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from netcont.model.samples import PhaseSpan
from netcont.model.scenario import ClientKind, Place, Scenario

SCHEMA_VERSION = 1


class Fate(StrEnum):
    """What became of a connection."""

    SURVIVED = "survived"
    STALLED = "stalled"
    RESET = "reset"
    TIMED_OUT = "timed-out"
    REFUSED = "refused"


class Status(StrEnum):
    """How a run ended. partial: something could not be measured; its errors say what."""

    OK = "ok"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"
    PARTIAL = "partial"


@dataclass(frozen=True)
class Gap:
    """What a client's longest gap consisted of, in seconds; None: unknown or does not apply.

    freeze: the guest was paused. convergence: it ran, but the network did not lead there.
    backoff: the network worked, and TCP or the client still waited. stale_dns: the name led to
    the address that the guest had left. lost_state: what did not go on was silent to its end.
    Where every part that applies is known, they sum to the gap.
    """

    freeze_s: float | None = None
    convergence_s: float | None = None
    backoff_s: float | None = None
    stale_dns_s: float | None = None
    lost_state_s: float | None = None


@dataclass(frozen=True)
class Evidence:
    """Why the fate was given.

    Instants count from the start of the clients. last_before_s, first_after_s: the units around
    the longest gap (first_after_s None: nothing came any more). disturbed: why there is no fate.
    """

    errno: str | None = None
    last_before_s: float | None = None
    first_after_s: float | None = None
    ended_s: float | None = None
    backoff: int | None = None
    unacked: int | None = None
    exit_code: int | None = None
    output: str | None = None
    disturbed: str | None = None


@dataclass(frozen=True)
class ClientOutcome:
    """What became of one client. fate None: it could not be told (evidence.disturbed says why).

    node: the host that it ran on.
    """

    name: str
    kind: ClientKind
    place: Place
    fate: Fate | None
    longest_gap_s: float | None
    floor_s: float | None
    gap: Gap
    lost: int | None
    duplicated: int | None
    reordered: int | None
    retransmissions: int | None
    rtt_before_s: float | None
    rtt_after_s: float | None
    evidence: Evidence = field(default_factory=Evidence)
    node: str = ""


@dataclass(frozen=True)
class NewConnections:
    """The short connections tried after the guest resumed.

    unreachable_s: from the last success before the move (or the pause) to the first success after
    the resume, at the client that waited longest; None if one never succeeded again.
    """

    attempted: int
    failed: int
    unreachable_s: float | None


@dataclass(frozen=True)
class Run:
    """One move under one approach.

    floor_s: the downtime that physics allows. migration_s: from the first byte copied until the
    guest ran at B. path_stretch: the round trip afterwards over that of the direct path. phases
    count from the start of the clients. missed: the scenario's thresholds that were not met.
    """

    approach: str
    seed: int
    status: Status
    downtime_s: float | None
    migration_s: float | None
    bytes_moved: int | None
    memory_equal: bool | None
    floor_s: float | None
    clients: tuple[ClientOutcome, ...]
    new_connections: NewConnections | None
    overhead_bytes_per_packet: int | None
    path_stretch: float | None = None
    phases: tuple[PhaseSpan, ...] = ()
    rounds: int | None = None
    host_reads: int | None = None
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()

    def client(self, name: str) -> ClientOutcome:
        """The client of that name. Raises LookupError, with the names that there are."""
        for client in self.clients:
            if client.name == name:
                return client
        there = ", ".join(client.name for client in self.clients) or "no client at all"
        raise LookupError(f"{self.approach} has no client {name!r}; there is {there}")

    @property
    def broken(self) -> tuple[ClientOutcome, ...]:
        """The clients that did not survive (those whose fate is unknown are none of them)."""
        return tuple(c for c in self.clients if c.fate not in (None, Fate.SURVIVED))


@dataclass(frozen=True)
class Environment:
    """Where and how it was measured. wall_s: the only thing that another time is another."""

    clock: str
    lab: str
    kernel: str | None
    wall_s: float
    virtual_s: float | None
    netcont: str
    programs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """One comparison."""

    schema_version: int
    scenario: Scenario
    environment: Environment
    runs: tuple[Run, ...]

    def run(self, approach: str, seed: int | None = None) -> Run:
        """The run of that approach (and seed; default: the first one).

        Raises LookupError, with the runs that there are.
        """
        for run in self.runs:
            if run.approach == approach and seed in (None, run.seed):
                return run
        which = f"{approach!r}" if seed is None else f"{approach!r} with seed {seed}"
        there = ", ".join(f"{run.approach} (seed {run.seed})" for run in self.runs) or "none"
        raise LookupError(f"there is no run of {which}; there is {there}")
