"""netcont compare: one move for each approach, and what became of every client."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from netcont.cli.options import format_option, set_option
from netcont.report import Format

RUN_FAILED = 1
THRESHOLD_MISSED = 4


@click.command()
@click.argument("scenario", default="default")
@click.option("--approach", "approaches", multiple=True, metavar="NAME", help="Only this one.")
@click.option("--repeat", type=click.IntRange(1, 1000), default=1, help="Runs of each approach.")
@click.option("--seed", type=click.IntRange(min=0), help="First seed; repeats count up from it.")
@set_option
@click.option("--lab", "lab_kind", type=click.Choice(["auto", "vm", "host"]), default="auto")
@click.option("--clock", type=click.Choice(["virtual", "real"]), help="The VM's clock.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), metavar="DIR")
@click.option("--jobs", type=click.IntRange(1, 64), help="Labs side by side (default: CPUs).")
@click.option("--pcap", is_flag=True, help="Keep captures of the WAN links.")
@format_option(*map(str, Format))
def compare(
    scenario: str,
    approaches: Sequence[str],
    repeat: int,
    seed: int | None,
    overrides: Sequence[str],
    lab_kind: str,
    clock: str | None,
    out: Path,
    jobs: int | None,
    pcap: bool,
    output_format: str,
) -> int:
    """Move a server from A to B under each approach, and show which connections break.

    SCENARIO is a built-in name (netcont scenario list) or a TOML file. The result goes to
    stdout; progress to stderr; every outcome as JSON into a new directory below --out.
    """
    from netcont.lab.comparison import run_comparison
    from netcont.lab.places import choose
    from netcont.lab.results import new_directory
    from netcont.report import render
    from netcont.scenarios import load_scenario

    chosen = load_scenario(scenario, overrides, approaches=approaches)
    first = chosen.seed if seed is None else seed
    runs = tuple(
        (approach, first + number) for number in range(repeat) for approach in chosen.approaches
    )
    place = choose(lab_kind, clock, jobs, len(runs))
    directory = new_directory(out, chosen.name)
    plan = place.plan(chosen, runs, directory.absolute(), pcap)
    with _progress(len(runs)) as report:
        outcome = run_comparison(plan, report)
    _leave(directory, outcome)
    text = render(outcome, output_format, colour=sys.stdout.isatty())
    click.echo(text, nl=False, color=True)
    click.echo(f"results: {directory}", err=True)
    if any(run.status == "failed" for run in outcome.runs):
        return RUN_FAILED
    return THRESHOLD_MISSED if any(run.missed for run in outcome.runs) else 0


def _leave(directory: Path, outcome: Any) -> None:
    from netcont.lab.results import single_outcomes
    from netcont.report import codec, markdown

    (directory / codec.FILE_NAME).write_text(codec.dumps(outcome))
    for name, single in single_outcomes(outcome).items():
        (directory / name).write_text(codec.dumps(single))
    (directory / "summary.md").write_text(markdown.summary(outcome))


def _progress(total: int) -> AbstractContextManager[Callable[[str, str], None]]:
    """A bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        done = 0

        def say(event: str, run: str) -> None:
            nonlocal done
            if event == "done":
                done += 1
                click.echo(f"netcont: {done}/{total} {run}", err=True)

        return nullcontext(say)
    return _Bar(total)


class _Bar:
    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("starting the lab", total=total)
        self._running: list[str] = []

    def __enter__(self) -> Callable[[str, str], None]:
        self._bar.start()
        return self._report

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _report(self, event: str, run: str) -> None:
        approach = run.split()[0]
        if event == "started":
            self._running.append(approach)
        elif approach in self._running:
            self._running.remove(approach)
            self._bar.advance(self._task)
        self._bar.update(self._task, description=", ".join(self._running) or "finishing")


