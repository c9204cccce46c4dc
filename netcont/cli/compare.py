"""netcont compare: one move for each approach, and what became of every client."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from netcont.cli.options import format_option, set_option
from netcont.report import Format

if TYPE_CHECKING:
    from netcont.model.outcome import Outcome
    from netcont.model.scenario import Scenario

RUN_FAILED = 1
THRESHOLD_MISSED = 4
INTERRUPTED = 130


@dataclass(frozen=True)
class Wanted:
    """What is to be run, and where it goes. earlier: what a results directory already holds."""

    scenario: Scenario
    runs: tuple[tuple[str, int], ...]
    directory: Path
    earlier: Outcome | None = None


@click.command()
@click.argument("scenario", default="default")
@click.option("--approach", "approaches", multiple=True, metavar="NAME", help="Only this one.")
@click.option("--repeat", type=click.IntRange(1, 1000), default=1, help="Runs of each approach.")
@click.option("--seed", type=click.IntRange(min=0), help="First seed; repeats count up from it.")
@set_option
@click.option("--lab", "lab_kind", type=click.Choice(["auto", "vm", "host"]), default="auto")
@click.option("--clock", type=click.Choice(["virtual", "real"]), help="The VM's clock.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), metavar="DIR")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Make the runs that an earlier results directory lacks, and nothing else.",
)
@click.option("--jobs", type=click.IntRange(1, 64), help="Labs side by side (default: CPUs).")
@click.option("--pcap", is_flag=True, help="Keep captures of the WAN links.")
@click.option("--quiet", is_flag=True, help="Say nothing of the progress.")
@format_option(*map(str, Format))
@click.pass_context
def compare(
    context: click.Context,
    scenario: str,
    approaches: Sequence[str],
    repeat: int,
    seed: int | None,
    overrides: Sequence[str],
    lab_kind: str,
    clock: Literal["virtual", "real"] | None,
    out: Path,
    resume: Path | None,
    jobs: int | None,
    pcap: bool,
    quiet: bool,
    output_format: str,
) -> int:
    """Move a server from A to B under each approach, and show which connections break.

    SCENARIO is a built-in name (netcont scenario list) or a TOML file. The result goes to
    stdout; progress to stderr; every outcome as JSON into a new directory below --out.
    """
    from netcont.cli.progress import progress
    from netcont.lab.comparison import Interrupted, run_comparison
    from netcont.lab.places import choose
    from netcont.lab.results import new_directory
    from netcont.report.directory import load_earlier, save
    from netcont.scenarios import load_scenario

    if resume is not None:
        _only_resumed(context)
        wanted = _left_of(load_earlier(resume), resume)
        clock = _clock_of(wanted)
    else:
        chosen = load_scenario(scenario, overrides, approaches=approaches)
        _say_what_is_left_out(chosen)
        first = chosen.seed if seed is None else seed
        runs = tuple((name, first + n) for n in range(repeat) for name in chosen.approaches)
        wanted = Wanted(chosen, runs, out)
    place = choose(lab_kind, clock, jobs, max(1, len(wanted.runs)))
    if resume is None:
        wanted = replace(wanted, directory=new_directory(out, wanted.scenario.name))
    plan = place.plan(wanted.scenario, wanted.runs, wanted.directory.absolute(), pcap)
    interrupted = False
    with progress(len(wanted.runs), wanted.directory, quiet=quiet) as report:
        if resume is None:
            # Whatever happens, the directory says what was wanted.
            save(wanted.directory, plan.nothing_yet(), "Not finished.")
        try:
            outcome = run_comparison(plan, report)
        except Interrupted as interruption:
            outcome, interrupted = interruption.outcome, True
            # What follows takes a moment, and is what impatience would lose.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    return _conclude(wanted, outcome, output_format, interrupted=interrupted)


def _conclude(wanted: Wanted, outcome: Outcome, output_format: str, *, interrupted: bool) -> int:
    """Leaves and prints the result; returns the exit code."""
    from netcont.report import render
    from netcont.report.directory import completed, save

    if wanted.earlier is not None:
        outcome = completed(wanted.earlier, outcome)
    made = sum(run.status != "failed" for run in outcome.runs)
    if interrupted:
        save(
            wanted.directory,
            outcome,
            f"Partial: interrupted when {made} of {len(outcome.runs)} runs were made.",
        )
        click.echo(
            f"netcont: interrupted; {made} of {len(outcome.runs)} runs were made, and kept in "
            f"{wanted.directory}\n  remedy: netcont compare --resume {wanted.directory}",
            err=True,
        )
        return INTERRUPTED
    # Printed first: where the disk is full, this is all that there is.
    click.echo(render(outcome, output_format, colour=sys.stdout.isatty()), nl=False, color=True)
    save(wanted.directory, outcome)
    click.echo(f"results: {wanted.directory}", err=True)
    if any(run.status == "failed" for run in outcome.runs):
        return RUN_FAILED
    return THRESHOLD_MISSED if any(run.missed for run in outcome.runs) else 0


def _say_what_is_left_out(scenario: Scenario) -> None:
    """Who named no approaches learns which are not run, and why."""
    from netcont.approach import default_approaches, left_out_approaches

    left_out = left_out_approaches(scenario.network)
    if left_out and scenario.approaches == default_approaches(scenario.network):
        click.echo(
            f"netcont: left out: {', '.join(left_out)} (Mobile IP as of RFC 5944 is IPv4's)",
            err=True,
        )


def _only_resumed(context: click.Context) -> None:
    """The earlier comparison says what is run: nothing else may say so too."""
    for name in ("scenario", "approaches", "repeat", "seed", "overrides", "clock", "out"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"--resume takes {name} from the earlier comparison: leave it out"
            )


def _left_of(earlier: Outcome, directory: Path) -> Wanted:
    """What an earlier comparison lacks."""
    runs = tuple((run.approach, run.seed) for run in earlier.runs if run.status == "failed")
    return Wanted(earlier.scenario, runs, directory, earlier)


def _clock_of(wanted: Wanted) -> Literal["virtual", "real"] | None:
    """The earlier clock: runs of one comparison are measured by the same one."""
    if wanted.earlier is None or wanted.earlier.environment.lab == "host":
        return None
    return "real" if wanted.earlier.environment.clock == "real" else "virtual"
