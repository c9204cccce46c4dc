"""netcont retire: the old path goes once nothing uses it."""

from __future__ import annotations

from pathlib import Path

import click

from netcont.cli.deploy_options import absent, engine_here, state_option, wait_option
from netcont.deploy.file import deployment_name
from netcont.deploy.flows import Usage, in_words
from netcont.deploy.retire import retire as retired


@click.command()
@click.argument("name", metavar="FILE|NAME")
@click.option("--force", is_flag=True, help="Break what still uses it.")
@click.option(
    "--drain",
    "drain_s",
    type=click.FloatRange(0, 7 * 86400),
    default=0.0,
    metavar="SECONDS",
    help="Wait so long for the last connection to end.",
)
@state_option
@wait_option
def retire(name: str, force: bool, drain_s: float, state_dir: Path | None, wait_s: float) -> None:
    """Do what `down` does, but only when no connection uses the path any more.

    Connections are seen in the kernel's connection table and among this host's own sockets. Exit
    code 1 if there are any, or if they cannot be seen.
    """
    name = deployment_name(name)
    last = -1

    def tell(found: Usage) -> None:
        nonlocal last
        if len(found.flows) != last:
            last = len(found.flows)
            click.echo(f"{name}: {in_words(last)} left", err=True)

    with engine_here(state_dir, wait_s) as engine:
        changed = engine.down(name) if force else retired(engine, name, drain_s=drain_s, tell=tell)
        there = engine.records.names()
    click.echo(f"{name}: down" if changed else absent(name, there))
