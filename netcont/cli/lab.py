"""netcont lab: the lab by hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from netcont.cli.options import set_option

if TYPE_CHECKING:
    from netcont.lab.qemu import Clock

_DAY_S = 86400.0


@click.group()
def lab() -> None:
    """Work in the lab by hand."""


@lab.command()
@click.argument("topology", default="two_site")
@set_option
@click.option("--lab", "lab_kind", type=click.Choice(["auto", "vm", "host"]), default="auto")
@click.option(
    "--clock",
    type=click.Choice(["real", "virtual"]),
    default="real",
    show_default=True,
    help="The VM's clock.",
)
def shell(topology: str, overrides: Sequence[str], lab_kind: str, clock: Clock) -> int:
    """Open Mininet's CLI in the lab, with name servers and the guest's services running.

    TOPOLOGY is two_site, lan or three_site; --set changes its paths and everything else. Ctrl-D
    ends the lab, and so does Ctrl-C at the prompt; in a VM, Ctrl-a x ends it at any time. Nothing
    is left behind.
    """
    from netcont.lab.places import choose
    from netcont.lab.shell import open_shell, require_terminal
    from netcont.scenarios import load_scenario

    require_terminal()
    chosen = load_scenario(
        "default",
        (f"network.topology={topology}", *overrides),
        # None is tried: this one suits every network.
        approaches=("blackhole",),
    )
    place = choose(lab_kind, None if lab_kind == "host" else clock, 1, 1)
    if place.files is not None:
        click.echo("netcont: the lab VM starts; Ctrl-a x ends it at any time", err=True)
    return open_shell(chosen, place)


@lab.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--clock",
    type=click.Choice(["virtual", "real"]),
    default="virtual",
    show_default=True,
    help="The VM's clock; the virtual one jumps over all waiting.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(clock: Clock, command: Sequence[str]) -> int:
    """Run COMMAND as root in the lab VM: netcont lab run -- COMMAND …

    It sees this machine's files, in the current directory; what it writes stays in the VM and is
    gone with it. Output and errors are handed on, and the exit code is the command's.
    """
    from netcont.lab.places import choose
    from netcont.lab.qemu import VmSettings
    from netcont.lab.shell import run_command

    place = choose("vm", clock, 1, 1)
    assert place.files is not None
    settings = VmSettings(clock=place.clock, watchdog_s=_DAY_S, limit_s=_DAY_S)

    def complain(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    return run_command(command, place.files, settings, click.echo, complain)
