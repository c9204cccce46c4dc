"""The thresholds of a scenario ([expect]) against one run: a sentence for each that was missed.

A value that could not be measured does not meet its threshold: nobody knows whether it would.
"""

from __future__ import annotations

from netcont.model.outcome import Fate, Run
from netcont.model.scenario import ClientKind, Expect


def missed(expect: Expect, run: Run) -> tuple[str, ...]:
    """What run should have reached and did not."""
    sentences = (_broken(expect, run), _gap(expect, run), _downtime(expect, run))
    return tuple(sentence for sentence in sentences if sentence is not None)


def _broken(expect: Expect, run: Run) -> str | None:
    limit = expect.max_broken.get(run.approach)
    if limit is None:
        return None
    broken = [c for c in run.clients if c.fate not in (None, Fate.SURVIVED)]
    if len(broken) > limit:
        who = ", ".join(f"{c.name} {c.fate}" for c in broken)
        return (
            f"{run.approach}: {_connections(len(broken))} broke ({who}); "
            f"at most {limit} expected (max_broken)"
        )
    untold = [c.name for c in run.clients if c.fate is None]
    if len(broken) + len(untold) > limit:
        return (
            f"{run.approach}: the fate of {', '.join(untold)} is not known; "
            f"at most {limit} broken expected (max_broken)"
        )
    return None


def _gap(expect: Expect, run: Run) -> str | None:
    limit = expect.max_gap_s.get(run.approach)
    if limit is None:
        return None
    gaps = [(c.longest_gap_s, c.name) for c in run.clients if c.longest_gap_s is not None]
    if gaps and max(gaps)[0] > limit:
        longest_s, name = max(gaps)
        return (
            f"{run.approach}: the longest gap of {name} was {longest_s:.3f} s; "
            f"at most {limit:g} s expected (max_gap_s)"
        )
    untold = [
        c.name for c in run.clients if c.longest_gap_s is None and c.kind is not ClientKind.PROGRAM
    ]
    if untold or not gaps:
        return (
            f"{run.approach}: the longest gap of {', '.join(untold) or 'any client'} is not "
            f"known; at most {limit:g} s expected (max_gap_s)"
        )
    return None


def _downtime(expect: Expect, run: Run) -> str | None:
    limit = expect.max_downtime_s.get(run.approach)
    if limit is None or (run.downtime_s is not None and run.downtime_s <= limit):
        return None
    was = "is not known" if run.downtime_s is None else f"was {run.downtime_s:.3f} s"
    return f"{run.approach}: the downtime {was}; at most {limit:g} s expected (max_downtime_s)"


def _connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"
