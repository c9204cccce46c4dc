"""netcont agent: Mobile IP's daemons, and what they are doing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from netcont.agent.config import RoleName

_TIMEOUT_S = 70.0
_ANY_WIDTH = 1000
_CONTROL_HELP = "The agent's control socket."


@click.group()
def agent() -> None:
    """Run a home agent, a foreign agent or a mobile node (RFC 5944), and ask what it does."""


def _config(command: Any) -> Any:
    return click.option(
        "--config",
        "path",
        required=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Its settings (TOML).",
    )(command)


@agent.command()
@_config
def home(path: Path) -> None:
    """Tunnel what comes for nodes that are away to where they are."""
    _run("home", path)


@agent.command()
@_config
def foreign(path: Path) -> None:
    """Lend a care-of address to visitors, and register guests that cannot do it themselves."""
    _run("foreign", path)


@agent.command()
@_config
def node(path: Path) -> None:
    """Keep this host's home address reachable wherever it is."""
    _run("node", path)


@agent.command()
@click.argument("role", type=click.Choice(["home", "foreign", "node"]), default="home")
@click.option("--control", metavar="PATH", help=_CONTROL_HELP)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table")
def status(role: str, control: str | None, output_format: str) -> None:
    """Bindings or visitors, counters, and denials by code."""
    from netcont.kernel.agent_control import ask

    answer = ask(_control(role, control), {"do": "status"}, _TIMEOUT_S)
    if output_format == "json":
        click.echo(json.dumps(answer, indent=2))
        return
    _show(answer)


def _verb(name: str, summary: str, *, role: str) -> None:
    @agent.command(name, help=summary)
    @click.argument("home_address")
    @click.option("--control", metavar="PATH", help=_CONTROL_HELP)
    @click.option("--no-wait", is_flag=True, help="Do not wait for the home agent's answer.")
    def act(home_address: str, control: str | None, no_wait: bool) -> None:
        from netcont.kernel.agent_control import ask

        request = {"do": name, "home_address": home_address, "wait": not no_wait}
        answer = ask(_control(role, control), request, _TIMEOUT_S)
        click.echo(f"{home_address}: {answer['done']}")


_verb("prepare", "A guest will come: register it beside its present place.", role="foreign")
_verb("register", "A guest has come: register it here, and nowhere else.", role="foreign")
_verb("leave", "A guest has left, or will not come.", role="foreign")
_verb("revoke", "End the bindings of a home address.", role="home")


def _control(role: str, control: str | None) -> str:
    from netcont.agent.settings import DEFAULT_CONTROL

    return control or DEFAULT_CONTROL.format(role=role)


def _run(role: RoleName, path: Path) -> None:
    from netcont.agent.config import load_settings
    from netcont.agent.daemon import run_agent
    from netcont.agent.settings import NODE
    from netcont.errors import PrerequisiteError
    from netcont.kernel.namespace import Namespace

    settings = load_settings(role, path)
    if os.geteuid() != 0:
        raise PrerequisiteError(
            f"a {role} agent changes the kernel's routes", remedy="run it as root"
        )
    with Namespace(NODE, os.getpid()) as here:
        run_agent(settings, here, _say, again=lambda: load_settings(role, path))


def _say(level: str, line: str) -> None:
    # sd-daemon(3): the journal takes a level in angle brackets; a terminal needs none.
    mark = {"info": "<6>", "warning": "<4>"}[level] if "JOURNAL_STREAM" in os.environ else ""
    print(f"{mark}{line}", file=sys.stderr, flush=True)


def _show(answer: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    # Half an address helps nobody: a narrow terminal breaks lines instead.
    console = Console(highlight=False, width=_ANY_WIDTH)
    for key, value in answer.items():
        if not isinstance(value, list | dict):
            console.print(f"{key}: {value}")
    for key, value in answer.items():
        if isinstance(value, dict):
            text = ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
            console.print(f"{key}: {text}")
        elif isinstance(value, list):
            console.print(f"{key}: {len(value)}")
            if value:
                table = Table(box=None, pad_edge=False)
                for column in value[0]:
                    table.add_column(column)
                for row in value:
                    table.add_row(*(_cell(cell) for cell in row.values()))
                console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "–" if value is None else str(value)
