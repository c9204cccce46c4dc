"""netcont retire: the old path goes once nothing uses it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from netcont.cli.deploy_options import absent, as_json, engine_here, state_option, wait_option
from netcont.cli.options import format_option
from netcont.deploy.deployment_name import deployment_name
from netcont.deploy.retire import retire as retired
from netcont.deploy.usage import InUseError, Usage
from netcont.deploy.view import SCHEMA_VERSION


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
@click.option(
    "--idle-timeout",
    "idle_timeout_s",
    type=click.IntRange(1, 30 * 86400),
    metavar="SECONDS",
    help="Leave out what has said nothing for so long.",
)
@state_option
@wait_option
@format_option("text", "json")
def retire(
    name: str,
    force: bool,
    drain_s: float,
    idle_timeout_s: int | None,
    state_dir: Path | None,
    wait_s: float,
    output_format: str,
) -> int:
    """Do what `down` does, but only when no connection uses the path any more.

    Connections are seen in the kernel's connection table and among this host's own sockets. Exit
    code 1 if there are any, or if they cannot be seen.

    The kernel keeps an established TCP connection for days after its last packet. --idle-timeout
    leaves out those that are idle, and lists them. Keep-alives are packets. A connection counts
    where it cannot be known since when it is idle: of UDP sockets of this host's, of what a flow
    table forwards, and where rules give connections timeouts of their own; with --drain, what is
    tracked is then watched.

    What a bridge passes on is not tracked. There --idle-timeout asks the bridge who was heard
    beyond the link: any station that spoke, or was sent to, within that time keeps it. That nobody
    was heard proves that no frame came from there; not that nothing is sent to somebody there who
    never answers, nor that no connection will speak again.
    """
    name = deployment_name(name)
    last = ""

    def tell(found: Usage) -> None:
        nonlocal last
        if found.left() != last:
            last = found.left()
            click.echo(f"{name}: {last} left", err=True)

    found, refused = None, None
    with engine_here(state_dir, wait_s) as engine:
        try:
            if force:
                changed = engine.down(name) is not None
            else:
                timeout_s = math.inf if idle_timeout_s is None else idle_timeout_s
                found = retired(engine, name, drain_s=drain_s, idle_timeout_s=timeout_s, tell=tell)
                changed = found is not None
        except InUseError as error:
            if output_format != "json":
                raise
            found, refused, changed = error.usage, error, False
        there = engine.records.names()
    if output_format == "json":
        click.echo(as_json(_values(name, changed, found, refused)))
    else:
        if found is not None and found.idle:
            click.echo(found.idle_text(), err=True)
        click.echo(f"{name}: down" if changed else absent(name, there))
    return refused.exit_code if refused else 0


def _values(
    name: str, changed: bool, found: Usage | None, refused: InUseError | None
) -> dict[str, Any]:
    """For JSON. connections: null where nobody looked; error: null unless it was refused."""
    if refused is not None:
        state = "in-use" if refused.usage.users() else "unknown"
    else:
        state = "down" if changed else "absent"
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "state": state,
        "connections": found and found.values(),
        "error": refused and {"message": refused.message, "remedy": refused.remedy},
    }
