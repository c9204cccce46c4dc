"""netcont status: what is deployed here, and how it is."""

from __future__ import annotations

import time
from pathlib import Path

import click

from netcont.cli.deploy_options import absent, as_json, engine_here, plainly, state_option, warn
from netcont.cli.options import format_option
from netcont.deploy.converge import Kernel
from netcont.deploy.end import ALIAS
from netcont.deploy.file import deployment_name
from netcont.deploy.flows import in_use, look, usage
from netcont.deploy.managers import own_links, warnings
from netcont.deploy.naming import glance, names_of
from netcont.deploy.view import SCHEMA_VERSION, status_of, status_text
from netcont.model.plan import Plan

_DRIFT = 1


@click.command()
@click.argument("name", metavar="[FILE|NAME]", required=False)
@click.option("-v", "--verbose", is_flag=True, help="Show what is as it should be as well.")
@state_option
@format_option("text", "json")
def status(name: str | None, verbose: bool, state_dir: Path | None, output_format: str) -> int:
    """Show what is deployed here, what of it is missing or was changed, and what uses it.

    Needs no root. Exit code 1 if something is missing, changed or interrupted, or if NAME is not
    deployed here.
    """
    with engine_here(state_dir) as engine:
        there = engine.records.names()
        names = there if name is None else (deployment_name(name),)
        records = [found for each in names if (found := engine.records.read(each)) is not None]
        everything = [change for record in records for change in record.stands]
        facts = Kernel(engine.node, ALIAS, ask=glance(names_of(everything))).facts(everything)
        seen = look(engine.node)
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    shown = [
        {**status_of(record, facts, now_s), "connections": in_use(usage(seen, record.stands))}
        for record in records
    ]
    warned = warnings(own_links(Plan(tuple(everything))))
    if output_format == "json":
        content = {"schema_version": SCHEMA_VERSION, "deployments": shown}
        click.echo(as_json({**content, "warnings": plainly(warned)}))
    else:
        nothing = absent(names[0], there) if names else "nothing is deployed here"
        for line in status_text(shown, verbose=verbose) or [nothing]:
            click.echo(line)
        warn(warned)
    amiss = len(shown) < len(names) or any(each["state"] != "up" for each in shown)
    return _DRIFT if amiss else 0
