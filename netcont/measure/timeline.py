"""The instants of one run that every measure refers to."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.model.samples import RunRecord


@dataclass(frozen=True)
class Timeline:
    """Instants of the run's clock, in seconds.

    start_s: clients began. began_s: from here on a gap is the move's: the pause, or the first
    phase where the guest was never paused. frozen_s, thawed_s: the pause itself. resumed_s: from
    here on the guest can answer (began_s if it was never paused; None if it never ran again).
    probes_end_s: the fast probes stopped. observed_until_s: the last connection was let go.
    """

    start_s: float
    began_s: float
    frozen_s: float | None
    thawed_s: float | None
    resumed_s: float | None
    probes_end_s: float
    observed_until_s: float


def timeline(record: RunRecord) -> Timeline:
    """The instants of record."""
    start_s, probes_end_s = record.window_s
    move = record.move
    if move.frozen_s is not None:
        began_s, resumed_s = move.frozen_s, move.thawed_s
    else:
        began_s = min((span.start_s for span in move.phases), default=start_s)
        resumed_s = began_s
    return Timeline(
        start_s=start_s,
        began_s=began_s,
        frozen_s=move.frozen_s,
        thawed_s=move.thawed_s,
        resumed_s=resumed_s,
        probes_end_s=probes_end_s,
        observed_until_s=max(record.observed_until_s, probes_end_s),
    )
