"""One line for each client of each run, for spreadsheets and statistics. Unknown is empty."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

from netcont.model.outcome import ClientOutcome, Outcome, Run
from netcont.report.codec import plain

_RUN_FIELDS = (
    "approach",
    "seed",
    "status",
    "downtime_s",
    "migration_s",
    "bytes_moved",
    "memory_equal",
    "floor_s",
    "path_stretch",
    "overhead_bytes_per_packet",
)
_CLIENT_FIELDS = (
    "name",
    "kind",
    "place",
    "fate",
    "longest_gap_s",
    "floor_s",
    "lost",
    "duplicated",
    "reordered",
    "retransmissions",
    "rtt_before_s",
    "rtt_after_s",
)
_GAP_FIELDS = ("freeze_s", "convergence_s", "backoff_s", "stale_dns_s", "lost_state_s")
_EVIDENCE_FIELDS = ("errno", "exit_code")


def to_csv(outcome: Outcome) -> str:
    """All clients of all runs, with a heading line, as RFC 4180 has it (but with line feeds).

    Columns of the run have its names (its floor is run_floor_s), those of the gap begin with
    gap_.
    """
    lines = [_fields(run, client) for run in outcome.runs for client in run.clients]
    out = StringIO()
    writer = csv.DictWriter(out, fieldnames=_headings(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _headings() -> list[str]:
    return [
        *("run_floor_s" if name == "floor_s" else name for name in _RUN_FIELDS),
        *_CLIENT_FIELDS,
        *(f"gap_{name}" for name in _GAP_FIELDS),
        *_EVIDENCE_FIELDS,
    ]


def _fields(run: Run, client: ClientOutcome) -> dict[str, Any]:
    values = [
        *(getattr(run, name) for name in _RUN_FIELDS),
        *(getattr(client, name) for name in _CLIENT_FIELDS),
        *(getattr(client.gap, name) for name in _GAP_FIELDS),
        *(getattr(client.evidence, name) for name in _EVIDENCE_FIELDS),
    ]
    return dict(zip(_headings(), (plain(value) for value in values), strict=True))
