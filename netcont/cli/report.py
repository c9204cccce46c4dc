"""netcont report: an old result, printed again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from netcont.cli.options import format_option
from netcont.report import Format, render


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="DIR_OR_FILE")
@format_option(*map(str, Format))
def report(path: Path, output_format: str) -> None:
    """Print the outcome of an earlier comparison again.

    DIR_OR_FILE is a results directory or the outcome.json in it. This needs no lab and no root.
    """
    from netcont.report.codec import load

    outcome = load(path)
    # What stands between colours and a pipe is this line; NO_COLOR is respected by rich.
    text = render(outcome, output_format, colour=sys.stdout.isatty())
    click.echo(text, nl=False, color=True)
