"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])


def set_option(command: Command) -> Command:
    """--set KEY=VALUE, any number of times; arrives as overrides: tuple[str, ...]."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Put a value into the scenario: --set network.a_b.delay_s=50ms, client.0.count=3.",
    )(command)


def format_option(*choices: str) -> Callable[[Command], Command]:
    """--format; the first choice is the default; arrives as output_format: str."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="How to print the result.",
    )
