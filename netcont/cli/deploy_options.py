"""Options, output and ways in that the commands for deployments share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netcont.cli.collector import without_collector
from netcont.deploy.engine import Engine
from netcont.deploy.here import Here
from netcont.deploy.lock import WAIT_S

if TYPE_CHECKING:
    from netcont.deploy.managers import Warned

Command = TypeVar("Command", bound=Callable[..., object])


def side_option(command: Command) -> Command:
    """--side; arrives as side: str."""
    return click.option(
        "--side",
        required=True,
        type=click.Choice(["a", "b"], case_sensitive=False),
        help="Which half of FILE this is.",
    )(command)


def state_option(command: Command) -> Command:
    """--state-dir; arrives as state_dir: Path | None."""
    return click.option(
        "--state-dir",
        envvar="NETCONT_STATE_DIR",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Where records and the lock are (default: /var/lib/netcont, /run/netcont).",
    )(command)


def wait_option(command: Command) -> Command:
    """--wait; arrives as wait_s: float."""
    return click.option(
        "--wait",
        "wait_s",
        type=click.FloatRange(0, 3600),
        default=WAIT_S,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for another netcont that is at work here.",
    )(command)


def switch_option(command: Command) -> Command:
    """--switch and --no-switch; arrives as switched: bool | None."""
    return click.option(
        "--switch/--no-switch",
        "switched",
        default=None,
        help="Turn guests' traffic to the other side, or back. Default: leave it as it is.",
    )(command)


def names_option(command: Command) -> Command:
    """--names and --no-names; arrives as names: bool."""
    return click.option(
        "--names/--no-names",
        default=True,
        help="Whether --switch and --no-switch move names as well (default), or traffic alone.",
    )(command)


def patience_option(default_s: float) -> Callable[[Command], Command]:
    """--probe-timeout; arrives as patience_s: float."""
    return click.option(
        "--probe-timeout",
        "patience_s",
        type=click.FloatRange(0.1, 60),
        default=default_s,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for the other side's answers.",
    )


def no_probe_option(command: Command) -> Command:
    """--no-probe; arrives as no_probe: bool."""
    return click.option("--no-probe", is_flag=True, help="Ask the other side nothing.")(command)


file_argument = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
"""Arrives as file: Path."""


@contextmanager
def engine_here(state_dir: Path | None, wait_s: float = WAIT_S) -> Iterator[Engine]:
    """The deployments of the network namespace that this process is in."""
    with without_collector(), Here() as node:
        yield Engine(node, state_dir, wait_s, tell=told)


def told(words: str) -> None:
    """Says what is waited for."""
    click.echo(f"netcont: {words}", err=True)


def plainly(warned: Sequence[Warned]) -> list[str]:
    """Warnings as they are printed."""
    return ["\n".join(each.lines) for each in warned]


def warn(warned: Sequence[Warned]) -> None:
    """Prints warnings to standard error."""
    for text in plainly(warned):
        click.echo(f"warning: {text}", err=True)


def absent(name: str, there: Sequence[str]) -> str:
    """What is said of a deployment that there is not; it may have been misspelt."""
    others = f" (here: {', '.join(there)})" if there else ""
    return f"{name}: is not deployed here{others}"


def as_json(value: Any) -> str:
    """A value for programs."""
    return json.dumps(value, indent=2, ensure_ascii=False)
