"""netcont probe: do the other ends answer, and what passes? And the same for `up`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from netcont.cli.deploy_options import as_json, engine_here, patience_option, state_option
from netcont.cli.options import format_option
from netcont.deploy.deployment_name import deployment_name
from netcont.deploy.path_mtu import ANY_BYTES, PathMtu, measure
from netcont.deploy.reach import Reached, reach
from netcont.deploy.reach_view import advice, path_text, reach_text, reach_values
from netcont.deploy.view import SCHEMA_VERSION
from netcont.kernel.asking import Asker

_NOT_WELL = 1


def say_reach(name: str, found: Sequence[Reached]) -> None:
    """Prints what was heard: what is not well as a note on standard error."""
    said, todo = reach_text(found), advice(found, name)
    for line in said.well:
        click.echo(line)
    for line in (*said.not_well, *([todo] if todo else [])):
        click.echo(f"note: {line}", err=True)


@click.command()
@click.argument("name", metavar="[FILE|NAME]", required=False)
@patience_option(2.0)
@state_option
@format_option("text", "json")
def probe(name: str | None, patience_s: float, state_dir: Path | None, output_format: str) -> int:
    """Ask the other ends whether they answer, and find the size of packets that pass.

    Changes nothing. Exit code 1 if an end does not answer, or packets of its link's size do not
    pass.
    """
    shown = []
    with engine_here(state_dir) as engine, Asker(engine.node) as asker:
        for record in engine.records.read_all(None if name is None else deployment_name(name)):
            found = reach(asker, record.ends, patience_s, full=True)
            paths = dict.fromkeys(((each.local, each.remote) for each in record.ends), ANY_BYTES)
            shown.append((record.name, found, measure(asker, paths, patience_s)))
    if output_format == "json":
        values = [_values(*each) for each in shown]
        click.echo(as_json({"schema_version": SCHEMA_VERSION, "deployments": values}))
    else:
        for one, found, paths_found in shown:
            say_reach(one, found)
            for path, mtu in paths_found.items():
                click.echo(path_text(path, mtu))
        if not shown:
            click.echo("nothing is deployed here")
    return 0 if all(each.well for _, found, _ in shown for each in found) else _NOT_WELL


def _values(
    name: str, found: Sequence[Reached], paths: Mapping[tuple[str, str], PathMtu]
) -> dict[str, Any]:
    mtus = [
        {"local": path[0], "remote": path[1], "mtu_bytes": mtu.mtu_bytes, "by": mtu.by}
        for path, mtu in paths.items()
    ]
    return {"name": name, "links": reach_values(found), "paths": mtus}
