"""What the tables show: one line for each run, one for each group of like clients. Text cells.

Clients of one kind at one place with one fate share a row; it shows the one with the longest gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netcont.model.outcome import ClientOutcome, Fate, Outcome, Run
from netcont.model.scenario import ClientKind

UNKNOWN = "–"

CLIENT_HEADINGS = (
    "approach",
    "client",
    "fate",
    "gap",
    "floor",
    "freeze",
    "network",
    "back-off",
    "DNS",
    "lost",
)

RUN_HEADINGS = (
    "approach",
    "status",
    "broken",
    "migration",
    "downtime",
    "floor",
    "stretch",
    "overhead",
    "new failed",
    "unreachable",
)

LEGEND = (
    "Seconds. gap: the longest silence around the move; floor: what physics allows on this "
    "network; the gap consisted of: freeze (the guest paused), network (not yet converged), "
    "back-off (TCP still waiting), DNS (stale names), lost (state that was gone). "
    f"{UNKNOWN}: unknown or does not apply."
)


@dataclass(frozen=True)
class ClientRow:
    """One row of clients; cells follow CLIENT_HEADINGS."""

    cells: tuple[str, ...]
    fate: str


@dataclass(frozen=True)
class RunRow:
    """One run; cells follow RUN_HEADINGS. remarks: errors, missed thresholds, notes."""

    cells: tuple[str, ...]
    clients: tuple[ClientRow, ...]
    errors: tuple[str, ...]
    missed: tuple[str, ...]
    notes: tuple[str, ...]


def run_rows(outcome: Outcome) -> tuple[RunRow, ...]:
    """All runs in their order."""
    return tuple(
        RunRow(
            cells=(label, *_run_cells(run)),
            clients=tuple(_client_rows(label, run.clients)),
            errors=run.errors,
            # They name their approach; here the label does, with the number of the run.
            missed=tuple(text.removeprefix(f"{run.approach}: ") for text in run.missed),
            notes=run.notes,
        )
        for label, run in zip(labels(outcome), outcome.runs, strict=True)
    )


def labels(outcome: Outcome) -> tuple[str, ...]:
    """What each run is called: its approach, numbered where an approach was run repeatedly."""
    names = [run.approach for run in outcome.runs]
    return tuple(
        f"{name}#{names[: index + 1].count(name)}" if names.count(name) > 1 else name
        for index, name in enumerate(names)
    )


def headline(outcome: Outcome) -> str:
    """What was compared, where and how long it took, in one line."""
    environment = outcome.environment
    kernel = f", kernel {environment.kernel}" if environment.kernel else ""
    virtual = environment.virtual_s
    lasted = "" if virtual is None else f", {virtual:.0f} s of {environment.clock} time"
    return (
        f"{outcome.scenario.name}: {_count(len(outcome.runs), 'run')}, seed "
        f"{outcome.scenario.seed}, lab {environment.lab}, {environment.clock} clock{kernel}; "
        f"{environment.wall_s:.0f} s of wall time{lasted}"
    )


def seconds(value: float | None) -> str:
    """Milliseconds matter up to a minute; above, a tenth of a second is plenty."""
    if value is None:
        return UNKNOWN
    return f"{value:.3f}" if abs(value) < 60 else f"{value:.1f}"


def _run_cells(run: Run) -> tuple[str, ...]:
    new = run.new_connections
    overhead = run.overhead_bytes_per_packet
    return (
        str(run.status),
        f"{sum(c.fate not in (None, Fate.SURVIVED) for c in run.clients)} of {len(run.clients)}",
        seconds(run.migration_s),
        seconds(run.downtime_s),
        seconds(run.floor_s),
        UNKNOWN if run.path_stretch is None else f"{run.path_stretch:.2f}",
        UNKNOWN if overhead is None else f"{overhead} B",
        UNKNOWN if new is None else f"{new.failed} of {new.attempted}",
        UNKNOWN if new is None else seconds(new.unreachable_s),
    )


def _client_rows(label: str, clients: Iterable[ClientOutcome]) -> Iterable[ClientRow]:
    groups: dict[tuple[str, str | None], list[ClientOutcome]] = {}
    for client in clients:
        groups.setdefault((_group(client), client.fate), []).append(client)
    for (name, _), members in groups.items():
        # A gap that is not known is no short one, but a known one says more.
        worst = max(members, key=lambda c: -1.0 if c.longest_gap_s is None else c.longest_gap_s)
        count = f" ×{len(members)}" if len(members) > 1 else ""
        fate = "unknown" if worst.fate is None else str(worst.fate)
        yield ClientRow(
            cells=(
                label,
                f"{name}{count}",
                fate,
                seconds(worst.longest_gap_s),
                seconds(worst.floor_s),
                seconds(worst.gap.freeze_s),
                seconds(worst.gap.convergence_s),
                seconds(worst.gap.backoff_s),
                seconds(worst.gap.stale_dns_s),
                seconds(worst.gap.lost_state_s),
            ),
            fate=fate,
        )


def _group(client: ClientOutcome) -> str:
    """Programs have nothing in common but being programs, so each goes by its name."""
    if client.kind is ClientKind.PROGRAM:
        return client.name
    return f"{client.kind}@{client.place}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
