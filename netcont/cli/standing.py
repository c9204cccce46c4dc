"""netcont down, recover, confirm: what stands on this host already, from its record alone."""

from __future__ import annotations

from pathlib import Path

import click

from netcont.cli.deploy_options import absent, engine_here, state_option, wait_option
from netcont.deploy.deployment_name import deployment_name
from netcont.deploy.naming import names_of


@click.command()
@click.argument("name", metavar="FILE|NAME")
@click.option(
    "--no-switch",
    "back",
    is_flag=True,
    help="Guests came home: names get their old addresses back. Default: names stay.",
)
@state_option
@wait_option
def down(name: str, back: bool, state_dir: Path | None, wait_s: float) -> None:
    """Take off this host what `up` made, from its record: FILE may have changed, or be gone."""
    name = deployment_name(name)
    with engine_here(state_dir, wait_s) as engine:
        record = engine.down(name, names=back)
        there = engine.records.names()
    click.echo(f"{name}: down" if record else absent(name, there))
    for one in names_of(record.stands) if record and not back else ():
        click.echo(f"{one.name} stays at {' '.join(one.addresses)}")


@click.command()
@click.argument("name", metavar="[FILE|NAME]", required=False)
@state_option
@wait_option
def recover(name: str | None, state_dir: Path | None, wait_s: float) -> None:
    """Complete or take back what an interrupted netcont left half done."""
    with engine_here(state_dir, wait_s) as engine:
        said = engine.recover(None if name is None else deployment_name(name))
    for line in said or ["nothing was interrupted"]:
        click.echo(line)


@click.command()
@click.argument("name", metavar="FILE|NAME")
@state_option
@wait_option
def confirm(name: str, state_dir: Path | None, wait_s: float) -> None:
    """Keep what `up --confirm-within` changed."""
    name = deployment_name(name)
    with engine_here(state_dir, wait_s) as engine:
        engine.confirm(name)
    click.echo(f"{name}: stays")
