"""netcont validate, plan, up: approaches put onto real gateways, from a file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from netcont.cli.collector import without_collector
from netcont.cli.deploy_options import (
    as_json,
    engine_here,
    file_argument,
    names_option,
    no_probe_option,
    patience_option,
    plainly,
    side_option,
    state_option,
    switch_option,
    told,
    wait_option,
    warn,
)
from netcont.cli.options import format_option
from netcont.deploy.beyond import objections
from netcont.deploy.builder import Builder, Watch
from netcont.deploy.converge import Kernel
from netcont.deploy.deployment_name import deployment_name
from netcont.deploy.file import deployment_schema, load_deployment
from netcont.deploy.half import Half
from netcont.deploy.here import Here, may_change
from netcont.deploy.managers import own_links, warnings
from netcont.deploy.naming import Asking, as_told, names_of, resolved
from netcont.deploy.record import merged
from netcont.deploy.refusals import refusals
from netcont.errors import ConfigurationError
from netcont.model.deployment import SideName
from netcont.model.own import ALIAS
from netcont.model.plan import Plan


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of such files, for editors.")
def validate(files: tuple[Path, ...], schema: bool) -> None:
    """Check deployment files and name everything that is wrong in them (exit code 2).

    Needs no root and asks no kernel.
    """
    if schema:
        click.echo(as_json(deployment_schema()))
    elif not files:
        raise click.UsageError("name a FILE, or write --schema")
    wrong = []
    for path in files:
        try:
            with without_collector():
                name, found = deployment_name(str(path)), load_deployment(path)
        except ConfigurationError as error:
            wrong.append(str(error))
            continue
        with without_collector():
            counts = [Half(found, side, name, switched=True).plan() for side in SideName]
        click.echo(f"{path}: right: {len(counts[0])} changes on side a, {len(counts[1])} on side b")
    if wrong:
        raise ConfigurationError("\n".join(wrong))


@click.command()
@file_argument
@side_option
@switch_option
@names_option
@state_option
@format_option("text", "json")
def plan(
    file: Path,
    side: str,
    switched: bool | None,
    names: bool,
    state_dir: Path | None,
    output_format: str,
) -> int:
    """Show what `up` would change on this host, and what is there; change nothing.

    = is there, + would be added, ~ would be changed, - would be removed; each as the ip, bridge,
    sysctl or nsupdate line that does the same. Needs no root. Exit code 2 if `up` would refuse.
    """
    told = switched is not None and names
    from netcont.deploy.view import SCHEMA_VERSION, plan_lines

    with engine_here(state_dir) as engine:
        half = _half(file, side)
        record = engine.records.read(half.name)
        if switched is None:
            switched = engine.is_switched(half.name, record)
        half = replace(half, switched=switched, directory=engine.records.directory)
        known, stands = (record.known, record.stands) if record else (Plan(), Plan())
        goal = as_told(half.plan(), stands, told=told)
        kernel = Kernel(engine.node, f"{ALIAS} {half.name}", ask=Asking(signed=may_change()))
        kernel.left = frozenset() if told else frozenset(names_of(goal))
        facts = kernel.facts(merged(known, goal))
        goal = resolved(goal, stands, facts)
        lines = plan_lines(goal, record, facts)
        against = refusals(half, goal, known, facts, engine.node)
        against = against or list(objections(goal, stands, facts, rehearsed=may_change()))
    warned = warnings(own_links(goal))
    if output_format == "json":
        content = {
            "schema_version": SCHEMA_VERSION,
            "name": half.name,
            "side": side,
            "switched": switched,
            "changes": [vars(line) for line in lines],
            "refusals": against,
            "warnings": plainly(warned),
        }
        click.echo(as_json(content))
    else:
        for line in lines:
            click.echo(str(line))
        count = sum(line.action != "keep" for line in lines)
        click.echo(
            f"{half.name}, side {side}: {count} of {len(lines)} lines would change something"
        )
        warn(warned)
        for each in against:
            click.echo(f"refused: {each}", err=True)
    return ConfigurationError.exit_code if against else 0


@click.command()
@file_argument
@side_option
@switch_option
@names_option
@click.option(
    "--confirm-within",
    "confirm_within_s",
    type=click.FloatRange(1, 86400),
    metavar="SECONDS",
    help="Revert unless `netcont confirm` is said within this time.",
)
@patience_option(2.0)
@no_probe_option
@state_option
@wait_option
def up(
    file: Path,
    side: str,
    switched: bool | None,
    names: bool,
    confirm_within_s: float | None,
    patience_s: float,
    no_probe: bool,
    state_dir: Path | None,
    wait_s: float,
) -> None:
    """Put one side of FILE onto this host, whole or not at all; twice is once.

    What is missing is put back. If the kernel refuses, all is undone. New links whose packets do
    not pass to the other side are refused; then the other ends are asked whether they answer, and a
    note says which do not.
    """
    with without_collector(), Here() as node:
        half = _half(file, side)
        builder = Builder(node, state_dir, wait_s, tell=told)
        changed = builder.up(
            half,
            str(file.absolute()),
            switched=switched,
            names=names,
            confirm_within_s=confirm_within_s,
            watch=_watcher(state_dir) if confirm_within_s is not None else None,
            patience_s=None if no_probe else patience_s,
        )
        moving = half.deployment.guest or half.deployment.dns
        record = builder.records.read(half.name) if moving else None
        warned = warnings(own_links(half.plan()))
    turned = ", guests switched" if record is not None and record.switched else ""
    click.echo(f"{half.name}: {'up' if changed else 'was up already'} as side {side}{turned}")
    warn(warned)
    if changed and confirm_within_s is not None:
        click.echo(f"reverts in {confirm_within_s:g} s unless you say: netcont confirm {half.name}")
    elif record is not None and record.confirmation is not None:
        left_s = max(0.0, record.confirmation.due_s - time.clock_gettime(time.CLOCK_BOOTTIME))
        click.echo(f"still reverts in {left_s:.0f} s unless you say: netcont confirm {half.name}")
    if changed and not no_probe:
        _say_whether_reached(half, patience_s)


def _watcher(state_dir: Path | None) -> Watch:
    from netcont.deploy.watch import Watcher

    return Watcher(state_dir)


def _say_whether_reached(half: Half, patience_s: float) -> None:
    """Prints which of the other ends answer."""
    from netcont.cli.probe import say_reach
    from netcont.deploy.far_ends import far_ends
    from netcont.deploy.reach import reach
    from netcont.kernel.asking import Asker

    with Here() as node, Asker(node) as asker:
        say_reach(half.name, reach(asker, far_ends(half), patience_s, full=True))


def _half(file: Path, side: str) -> Half:
    name = deployment_name(str(file))
    return Half(load_deployment(file), SideName(side), name)
