"""How far a comparison is, on stderr: a bar on a terminal, a line for each run elsewhere.

Runs are saved here as they come: what was measured outlives whatever happens afterwards.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netcont.errors import NetcontError
from netcont.report.directory import save_run

if TYPE_CHECKING:
    from netcont.model.outcome import Outcome


class Lines:
    """A line for each run that is over; none if quiet."""

    def __init__(self, total: int, directory: Path, *, quiet: bool = False) -> None:
        self._total = total
        self._directory = directory
        self._quiet = quiet
        self._done = 0
        self._lock = threading.Lock()

    def started(self, approach: str, seed: int) -> None:
        """Nothing to say."""

    def finished(self, single: Outcome, wall_s: float) -> None:
        """Saves the run and says how it went."""
        _keep(self._directory, single)
        with self._lock:
            self._done += 1
            if not self._quiet:
                click.echo(f"netcont: {self._done}/{self._total} {_told(single, wall_s)}", err=True)


class Bar:
    """A bar with the approaches under way; what failed is said above it."""

    def __init__(self, total: int, directory: Path) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._directory = directory
        self._lock = threading.Lock()
        self._running: list[tuple[str, int]] = []
        self._task = self.bar.add_task("starting the lab", total=total)

    def started(self, approach: str, seed: int) -> None:
        """One more is under way."""
        with self._lock:
            self._running.append((approach, seed))
            self._show()

    def finished(self, single: Outcome, wall_s: float) -> None:
        """Saves the run; one is over."""
        _keep(self._directory, single)
        run = single.runs[0]
        with self._lock:
            self._running.remove((run.approach, run.seed))
            self.bar.advance(self._task)
            if run.status != "ok":
                self.bar.console.print(_told(single, wall_s), markup=False, highlight=False)
            self._show()

    def _show(self) -> None:
        names = ", ".join(approach for approach, _ in self._running)
        self.bar.update(self._task, description=names or "finishing")


@contextmanager
def progress(total: int, directory: Path, *, quiet: bool) -> Iterator[Lines | Bar]:
    """Whom a comparison of total runs tells how far it is; directory is where runs are saved."""
    if quiet or not sys.stderr.isatty():
        yield Lines(total, directory, quiet=quiet)
        return
    bar = Bar(total, directory)
    with bar.bar:
        yield bar


def _keep(directory: Path, single: Outcome) -> None:
    """Saves the run; one that cannot be saved is still in the result, so the others go on."""
    try:
        save_run(directory, single)
    except NetcontError as error:
        click.echo(f"netcont: {error}", err=True)


def _told(single: Outcome, wall_s: float) -> str:
    run = single.runs[0]
    why = f": {run.errors[0].partition(chr(10))[0]}" if run.errors else ""
    return f"{run.approach} {run.seed} {run.status}, {wall_s:.1f} s{why}"
