"""netcont scenario: what there is, what it says, whether a file is right."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from netcont.cli.options import format_option, set_option
from netcont.errors import ConfigurationError
from netcont.model.scenario import each_client
from netcont.scenarios import load_scenario, scenario_schema, scenario_text
from netcont.scenarios.builtin import builtin_description, builtin_names


@click.group()
def scenario() -> None:
    """List, show and check scenarios."""


@scenario.command("list")
@format_option("text", "json")
def list_(output_format: str) -> None:
    """List the built-in scenarios."""
    found = {name: builtin_description(name) for name in builtin_names()}
    if output_format == "json":
        click.echo(_json([{"name": n, "description": d} for n, d in found.items()]))
        return
    width = max(map(len, found))
    for name, description in found.items():
        click.echo(f"{name:{width}}  {description}")


@scenario.command()
@click.argument("name")
@set_option
@format_option("toml", "json")
def show(name: str, overrides: tuple[str, ...], output_format: str) -> None:
    """Show the scenario NAME, built in or a file.

    toml prints the text as it stands, comments and all; json prints what it means: every value,
    in SI units, defaults filled in, --set applied.
    """
    if output_format == "json":
        click.echo(_json(asdict(load_scenario(name, overrides))))
    elif overrides:
        raise click.UsageError("--set changes no text; add --format json")
    else:
        click.echo(scenario_text(name)[1], nl=False)


@scenario.command()
def schema() -> None:
    """Print the JSON Schema (2020-12) of scenario files, for editors."""
    click.echo(_json(scenario_schema()))


@scenario.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@set_option
def check(files: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Check scenario files and name everything that is wrong in them (exit code 2)."""
    wrong = []
    for name in files:
        try:
            checked = load_scenario(name, overrides)
        except ConfigurationError as error:
            wrong.append(str(error))
        else:
            connections = len(each_client(checked.client))
            runs = len(checked.approaches)
            click.echo(f"{name}: right: {_count(runs, 'run')}, {_count(connections, 'client')}")
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
