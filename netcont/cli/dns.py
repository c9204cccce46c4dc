"""netcont dns: a name moved to a server's new addresses, and prepared for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netcont.cli.options import format_option

if TYPE_CHECKING:
    from netcont.dns.access import Access

Command = TypeVar("Command", bound=Callable[..., object])

_LONGEST_TTL_S = 2**31 - 1  # RFC 2181 §8
_TTL = click.IntRange(0, _LONGEST_TTL_S)
_KEY_HELP = (
    "TSIG key, in a file that only its owner can read: as tsig-keygen or keymgr writes it, or one "
    "line algorithm:name:secret."
)
_OPTIONS = (
    click.option("--key", metavar="FILE", help=_KEY_HELP),
    click.option(
        "--server",
        metavar="ADDRESS[#PORT]",
        help="The zone's primary (default: by the zone's SOA record).",
    ),
    click.option(
        "--resolver",
        "resolvers",
        multiple=True,
        metavar="ADDRESS[#PORT]",
        help="Resolver for finding servers (default: /etc/resolv.conf).",
    ),
    click.option(
        "--port",
        type=click.IntRange(1, 65535),
        default=53,
        show_default=True,
        help="Where authoritative servers that are found listen.",
    ),
    click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for all authoritative servers to have the new records.",
    ),
    click.option("--dry-run", is_flag=True, help="Read everything, print the update, send none."),
    format_option("text", "json"),
)


def _common(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def dns() -> None:
    """Move a name to a server's new addresses (RFC 2136), and prepare the move."""


@dns.command()
@click.argument("name")
@click.option(
    "--to", required=True, multiple=True, metavar="ADDRESS", help="A new address of any family."
)
@click.option(
    "--from",
    "leaving",
    multiple=True,
    metavar="ADDRESS",
    help="Replace this address only (default: all of the families that --to names).",
)
@click.option("--ttl", "ttl_s", type=_TTL, metavar="SECONDS", help="New TTL (default: as it is).")
@click.option(
    "--ptr/--no-ptr",
    default=None,
    help="Also move the pointer records (default: if the old address has one).",
)
@click.option("--ptr-key", metavar="FILE", help="Key for the reverse zone (default: --key).")
@click.option("--ptr-server", metavar="ADDRESS[#PORT]", help="Primary of the reverse zone.")
@click.option("--wait", is_flag=True, help="End only when caches have dropped the old addresses.")
@_common
def move(
    name: str,
    to: Sequence[str],
    leaving: Sequence[str],
    ttl_s: int | None,
    ptr: bool | None,
    wait: bool,
    dry_run: bool,
    output_format: str,
    **access_options: Any,
) -> None:
    """Give NAME new addresses at all its authoritative servers, pointers included.

    The update is made only if the records are still what was read; a second identical move
    changes nothing. Established connections do not follow DNS: this is for new ones.
    """
    from netcont.cli.dns_output import Shown, show_move
    from netcont.dns.memo import Memory, state_dir
    from netcont.dns.move import Wish, carry_out, plan_move
    from netcont.dns.records import host_address

    new, old = (tuple(dict.fromkeys(map(host_address, given))) for given in (to, leaving))
    access, memory = _access(**access_options), Memory(state_dir())
    plan = plan_move(Wish(name, new, old, ttl_s, ptr), access, memory)
    memo = memory.recall(plan.name)
    moved = None if dry_run else carry_out(plan, access, memory)
    stale_until_s = show_move(plan, moved, memo, Shown(output_format, time.time()))
    if wait and stale_until_s is not None:
        time.sleep(max(0.0, stale_until_s - time.time()))
        click.echo("netcont: the old TTL has passed", err=True)


@dns.command()
@click.argument("name")
@click.option(
    "--ttl",
    "ttl_s",
    type=_TTL,
    default=5,
    show_default=True,
    metavar="SECONDS",
    help="TTL until the move; after it, give the old one back.",
)
@_common
def prepare(
    name: str, ttl_s: int, dry_run: bool, output_format: str, **access_options: Any
) -> None:
    """Lower the TTL of NAME's addresses ahead of a move, and say when it is safe to move.

    Run it at least one old TTL before the move: caches keep the record for the TTL that they
    were given.
    """
    from netcont.cli.dns_output import Shown, show_prepare
    from netcont.dns.memo import Memory, state_dir
    from netcont.dns.prepare import carry_out_prepare, plan_prepare

    access, memory = _access(**access_options), Memory(state_dir())
    plan = plan_prepare(name, ttl_s, access, memory)
    prepared = None if dry_run else carry_out_prepare(plan, access, memory)
    show_prepare(plan, prepared, Shown(output_format, time.time()))


def _access(
    *,
    key: str | None,
    server: str | None,
    resolvers: Sequence[str],
    port: int,
    timeout_s: float,
    ptr_key: str | None = None,
    ptr_server: str | None = None,
) -> Access:
    """What the options say about who asks whom."""
    from netcont.dns.access import Access
    from netcont.dns.authority import system_resolvers
    from netcont.dns.exchange import Caller, Patience
    from netcont.dns.key import load_key
    from netcont.dns.server import parse_server

    patience = Patience(agreement_s=timeout_s)
    forward = Caller(load_key(key) if key else None, patience)
    return Access(
        forward=forward,
        reverse=Caller(load_key(ptr_key), patience) if ptr_key else forward,
        resolvers=tuple(map(parse_server, resolvers)) or system_resolvers(),
        server=parse_server(server, port) if server else None,
        ptr_server=parse_server(ptr_server, port) if ptr_server else None,
        port=port,
    )
