"""A results directory: each run's outcome as it comes, then all of them and a summary."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from netcont.errors import ConfigurationError, LabError
from netcont.model.outcome import Outcome, Run, Status
from netcont.report import codec, markdown

SUMMARY = "summary.md"


def run_name(run: Run) -> str:
    """The name of the file that holds one run."""
    return f"{run.approach}-{run.seed}.json"


def save_run(directory: Path, single: Outcome) -> None:
    """Leaves the outcome of one run in directory. Raises LabError if it cannot be written."""
    _write(directory / run_name(single.runs[0]), codec.dumps(single))


def save(directory: Path, outcome: Outcome, remark: str = "") -> None:
    """Leaves outcome and a summary in directory; remark: what the summary begins with.

    Raises LabError if they cannot be written.
    """
    _write(directory / codec.FILE_NAME, codec.dumps(outcome))
    head = f"**{remark}**\n\n" if remark else ""
    _write(directory / SUMMARY, head + markdown.summary(outcome))


def load_earlier(directory: Path) -> Outcome:
    """The outcome in directory, with those runs that it lacks but that lie beside it.

    Raises ConfigurationError if there is none.
    """
    outcome = codec.load(directory)
    runs = tuple(
        _beside(directory, run) if run.status is Status.FAILED else run for run in outcome.runs
    )
    return replace(outcome, runs=runs)


def completed(earlier: Outcome, later: Outcome) -> Outcome:
    """earlier with what later made in the place of what had failed, in earlier's order."""
    made: Mapping[tuple[str, int], Run] = {(run.approach, run.seed): run for run in later.runs}
    old, new = earlier.environment, later.environment
    parts = [part for part in (old.virtual_s, new.virtual_s) if part is not None]
    return replace(
        earlier,
        environment=replace(
            new,
            kernel=new.kernel or old.kernel,
            wall_s=round(old.wall_s + new.wall_s, 3),
            virtual_s=sum(parts) if parts else None,
        ),
        runs=tuple(made.get((run.approach, run.seed), run) for run in earlier.runs),
    )


def _beside(directory: Path, run: Run) -> Run:
    file = directory / run_name(run)
    if not file.is_file():
        return run
    try:
        alone = codec.load(file).runs
    except ConfigurationError:
        return run  # not whole: it is made again
    return alone[0] if len(alone) == 1 else run


def _write(path: Path, text: str) -> None:
    """All of it or nothing: an earlier file stays until the new one is whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise LabError(
            f"cannot write {path}: {error.strerror}",
            remedy="free some space, or choose another --out",
        ) from error
