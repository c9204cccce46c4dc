"""netcont init: a deployment file to start from, written by asking the kernel what is there."""

from __future__ import annotations

from pathlib import Path

import click

from netcont.deploy.address import parsed
from netcont.deploy.deployment_name import deployment_name
from netcont.deploy.example import KINDS, Wish, example
from netcont.deploy.here import Here
from netcont.deploy.survey import survey
from netcont.errors import ConfigurationError
from netcont.kernel.reader import read_facts
from netcont.model.deployment import SideName


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--side", required=True, type=click.Choice(["a", "b"]), help="Which side this host is."
)
@click.option("--peer", metavar="ADDRESS", help="The other gateway.")
@click.option("--guest", metavar="ADDRESS", help="What is to be carried to the other side.")
@click.option("--kind", type=click.Choice(KINDS), help="Default: gre, where the kernel has it.")
@click.option("--force", is_flag=True, help="Write over FILE if it is there.")
def init(
    file: str, side: str, peer: str | None, guest: str | None, kind: str | None, force: bool
) -> None:
    """Write a commented deployment file to FILE (- prints it) from what this host has.

    Asks the kernel for addresses, links, routes and modules; needs no root and changes nothing
    else. What it cannot know is marked <so>, and named at the end.
    """
    for option, given in (("--peer", peer), ("--guest", guest)):
        if given is not None and (parsed(given) is None or "/" in given):
            raise ConfigurationError(
                f"{option} {given!r} is no address", remedy="write an IPv4 or IPv6 address"
            )
    name = "web.toml" if file == "-" else file
    deployment_name(name)
    with Here() as node:
        seen = survey(node, read_facts(node), peer)
    made = example(name, seen, Wish(SideName(side), peer, guest, kind))
    if file == "-":
        click.echo(made.text, nl=False)
    else:
        _write(Path(file), made.text, force=force)
    if made.missing:
        click.echo(f"to be filled in: {', '.join(made.missing)}", err=True)


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x") as out:
            out.write(text)
    except FileExistsError as error:
        raise ConfigurationError(
            f"{path} is there already", remedy="name another file, or write --force"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written: {error.strerror}", remedy="name a file that you may write"
        ) from error
    click.echo(f"{path}: written")
