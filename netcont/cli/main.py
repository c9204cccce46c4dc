"""The command netcont: finds the subcommand, runs it, turns errors into lines and exit codes.

Exit codes: 0 as asked; 1 a run failed, or an error that nobody foresaw; 2 usage or configuration;
4 a threshold was missed; 5 a prerequisite or a privilege is missing; 130 interrupted. A subcommand
returns None, or its exit code.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import click

from netcont import __version__
from netcont.cli.collector import without_collector
from netcont.errors import NetcontError, PrerequisiteError

INTERRUPTED = 130


class Entry(NamedTuple):
    """Where a subcommand is ("module:attribute"), and its line in the list of commands."""

    target: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "agent": Entry("netcont.cli.agent:agent", "Mobile IP's daemons (RFC 5944)."),
    "announce": Entry(
        "netcont.cli.announce:announce", "Tell a link's neighbours where an address is now."
    ),
    "compare": Entry(
        "netcont.cli.compare:compare", "Move a server under each approach; show what breaks."
    ),
    "confirm": Entry("netcont.cli.standing:confirm", "Keep what `up --confirm-within` changed."),
    "doctor": Entry(
        "netcont.cli.doctor:doctor", "Say what this machine can run, and what mends the rest."
    ),
    "dns": Entry("netcont.cli.dns:dns", "Move a name to a server's new addresses."),
    "down": Entry("netcont.cli.standing:down", "Take a deployment off this host."),
    "init": Entry("netcont.cli.init:init", "Write a deployment file from what this host has."),
    "lab": Entry("netcont.cli.lab:lab", "Work in the lab by hand."),
    "plan": Entry("netcont.cli.deploy:plan", "Show what a deployment would change on this host."),
    "probe": Entry(
        "netcont.cli.probe:probe", "Ask the other ends of a deployment; find what passes."
    ),
    "recover": Entry("netcont.cli.standing:recover", "Complete or take back what was interrupted."),
    "report": Entry("netcont.cli.report:report", "Draw the results of an earlier run again."),
    "retire": Entry("netcont.cli.retire:retire", "Take a deployment down once nothing uses it."),
    "scenario": Entry("netcont.cli.scenario:scenario", "List, show and check scenarios."),
    "status": Entry("netcont.cli.status:status", "Show what is deployed, and what it lost."),
    "up": Entry("netcont.cli.deploy:up", "Put one side of a deployment onto this host."),
    "validate": Entry("netcont.cli.deploy:validate", "Check deployment files."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand only when it is called, so that start-up stays short."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, without importing anything."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command, imported now.

        Raises click.UsageError, with the nearest name, if there is none of that name. Any error
        while it is imported goes through.
        """
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            import difflib

            near = difflib.get_close_matches(cmd_name, COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            ctx.fail(f"there is no command {cmd_name!r}; {hint}")
        module, _, attribute = entry.target.partition(":")
        with without_collector():
            command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help text, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in sorted(COMMANDS)])


@dataclass
class Settings:
    """What the global options said."""

    debug: bool = False


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="netcont", message="%(prog)s %(version)s")
@click.pass_obj
def netcont(settings: Settings, debug: bool) -> None:
    """Move a server across a wide-area network, and see which client connections break."""
    settings.debug = debug


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs netcont and returns its exit code. arguments: without the program; None: sys.argv, and
    the process ends afterwards."""
    if arguments is not None:
        return _run(arguments)
    code = _run(sys.argv[1:])
    # Nothing becomes garbage any more: Python need not look through all of it before it ends.
    gc.freeze()
    return code


def _run(arguments: Sequence[str]) -> int:
    settings, given = Settings(), list(arguments)
    try:
        result = netcont.main(given, prog_name="netcont", standalone_mode=False, obj=settings)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("netcont: interrupted")
        return INTERRUPTED
    except NetcontError as error:
        _traceback(settings)
        _say(f"netcont: error: {error}")
        return error.exit_code
    # The last resort: a line instead of a traceback, which --debug shows.
    except Exception as error:  # noqa: BLE001
        _traceback(settings)
        missing = _missing_package(error)
        if missing is not None:
            _say(f"netcont: error: {missing}")
            return missing.exit_code
        text = " ".join(str(error).split())
        _say(f"netcont: error: unexpected {type(error).__name__}: {text}")
        if not settings.debug:
            _say("  remedy: run again with --debug for the traceback: netcont --debug …")
        return 1
    return result if isinstance(result, int) else 0


def _missing_package(error: Exception) -> PrerequisiteError | None:
    """What a command says that needs what is not installed, as on a gateway; None: it is not that.

    Any command may import when it runs, so this is found out here.
    """
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    if name is None or name.partition(".")[0] in ("netcont", "topologies"):
        return None
    return PrerequisiteError(
        f"this command needs the Python package {name!r}, which is missing",
        remedy="start it by scripts/netcont, which sets up what is missing",
    )


def _traceback(settings: Settings) -> None:
    if settings.debug:
        import traceback

        traceback.print_exc()


def _say(line: str) -> None:
    click.echo(line, err=True)
