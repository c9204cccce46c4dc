"""netcont status: what is deployed here, and how it is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from netcont.cli.deploy_options import (
    absent,
    as_json,
    engine_here,
    no_probe_option,
    patience_option,
    plainly,
    state_option,
    warn,
)
from netcont.cli.options import format_option
from netcont.deploy.converge import Kernel
from netcont.deploy.deployment_name import deployment_name
from netcont.deploy.flows import look, usage
from netcont.deploy.managers import own_links, warnings
from netcont.deploy.naming import glance, names_of
from netcont.deploy.reach import Reached, reach
from netcont.deploy.reach_view import reach_text, reach_values
from netcont.deploy.record import Record
from netcont.deploy.view import SCHEMA_VERSION, status_of, status_text
from netcont.kernel.asking import Asker
from netcont.kernel.namespace import Namespace
from netcont.model.own import ALIAS
from netcont.model.plan import Plan

_DRIFT = 1


@click.command()
@click.argument("name", metavar="[FILE|NAME]", required=False)
@click.option("-v", "--verbose", is_flag=True, help="Show what is as it should be as well.")
@patience_option(1.0)
@no_probe_option
@state_option
@format_option("text", "json")
def status(
    name: str | None,
    verbose: bool,
    patience_s: float,
    no_probe: bool,
    state_dir: Path | None,
    output_format: str,
) -> int:
    """Show what is deployed here, what of it is missing or was changed, what uses it, and whether
    the other ends answer.

    Needs no root, but for what root alone may see or ask. Exit code 1 if something is missing,
    changed or interrupted, or if NAME is not deployed here.
    """
    with engine_here(state_dir) as engine:
        there = engine.records.names()
        names = there if name is None else (deployment_name(name),)
        records = [found for each in names if (found := engine.records.read(each)) is not None]
        everything = [change for record in records for change in record.stands]
        seen = look(
            engine.node, everything
        )  # before others are asked: the kernel tracks that as well
        with ThreadPoolExecutor(1) as beside:
            asking = beside.submit(_reached, engine.node, () if no_probe else records, patience_s)
            ask = glance(names_of(everything))
            facts = Kernel(engine.node, ALIAS, ask=ask, counters=True).facts(everything)
            reached = asking.result()
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    shown = [
        {
            **status_of(record, facts, now_s),
            "connections": usage(seen, record.stands).values(),
            "ends": reach_values(reached.get(record.name, ())),
        }
        for record in records
    ]
    warned = warnings(own_links(Plan(tuple(everything))))
    if output_format == "json":
        content = {"schema_version": SCHEMA_VERSION, "deployments": shown}
        click.echo(as_json({**content, "warnings": plainly(warned)}))
    else:
        nothing = absent(names[0], there) if names else "nothing is deployed here"
        heard = {each: [*itertools.chain(*reach_text(found))] for each, found in reached.items()}
        for line in status_text(shown, verbose=verbose, heard=heard) or [nothing]:
            click.echo(line)
        warn(warned)
    amiss = len(shown) < len(names) or any(each["state"] != "up" for each in shown)
    return _DRIFT if amiss else 0


def _reached(
    node: Namespace, records: Sequence[Record], patience_s: float
) -> dict[str, Sequence[Reached]]:
    """What the other ends say, by the deployment's name; all are asked at once."""
    with Asker(node) as asker:
        ends = [each for record in records for each in record.ends]
        found = {each.link: each for each in reach(asker, ends, patience_s, full=False)}
    return {record.name: [found[each.link] for each in record.ends] for record in records}
