"""What scripts/bench prints: figures read from outcomes, next to what they must be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from netcont.model.outcome import ClientOutcome, Fate, Outcome, Run
from netcont.model.scenario import ClientKind
from netcont.report.codec import load

CONTROLS = ("readdress", "blackhole")
EXTENSIONS = ("vlan", "vxlan")
_TCP = (ClientKind.TCP_ECHO, ClientKind.TCP_BULK_UP, ClientKind.TCP_BULK_DOWN)
_UDP = (ClientKind.UDP_UP, ClientKind.UDP_DOWN)


def repeat(one: Outcome, other: Outcome) -> list[str]:
    """How far two outcomes of the same seed are apart."""
    pairs = [
        (run.approach, a, b)
        for run, again in zip(one.runs, other.runs, strict=True)
        for a, b in zip(run.clients, again.clients, strict=True)
    ]
    fates = sum(a.fate is not b.fate for _, a, b in pairs)
    apart_s, where = max(
        (abs((a.longest_gap_s or 0) - (b.longest_gap_s or 0)), f"{name} {a.name}")
        for name, a, b in pairs
    )
    same = one.runs == other.runs
    return [
        f"repeat: {len(pairs)} clients, {fates} fates differ, largest difference of a gap"
        f" {apart_s * 1e3:.3f} ms ({where}), runs identical: {same}"
    ]


def distances(outcome: Outcome) -> list[str]:
    """Broken connections and UDP gaps over their floors, one line for each approach."""
    rtt_s = 2 * outcome.scenario.network.a_b.delay_s
    return [f"RTT {rtt_s * 1e3:.0f} ms, {_distance(run)}" for run in outcome.runs]


def _distance(run: Run) -> str:
    streams = [client for client in run.clients if client.kind in _TCP]
    broken = sum(client.fate is not Fate.SURVIVED for client in streams)
    over = [
        client.longest_gap_s - client.floor_s
        for client in run.clients
        if client.kind in _UDP
        and _measured(client)
        and client.longest_gap_s is not None
        and client.floor_s is not None
    ]
    worst = f"{max(over) * 1e3:+.1f} ms" if over else "none came through"
    new = run.new_connections
    reached = "never" if new is None or new.unreachable_s is None else f"{new.unreachable_s:.2f} s"
    return (
        f"{run.approach}: {run.status.value}, {broken} of {len(streams)} TCP streams broken,"
        f" worst UDP gap over its floor: {worst}; new connections unreachable: {reached}"
    )


def _measured(client: ClientOutcome) -> bool:
    return client.fate is Fate.SURVIVED


def main(arguments: Sequence[str]) -> int:
    """NAME FILE…; prints what the benchmark NAME makes of the outcomes."""
    name, *paths = arguments
    outcomes = [load(Path(path)) for path in paths]
    lines = {"repeat": repeat, "distances": distances}[name](*outcomes)  # type: ignore[operator]
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
