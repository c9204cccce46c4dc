"""netcont announce: the neighbours on a link are told where an address is now."""

from __future__ import annotations

import ipaddress
import re

import click

from netcont.errors import ConfigurationError

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@click.command()
@click.argument("address")
@click.option("--dev", "link", required=True, metavar="DEV", help="The link to announce on.")
@click.option("--mac", metavar="MAC", help="Where the address is (default: DEV's own MAC).")
@click.option(
    "--rounds",
    type=click.IntRange(0, 100),
    default=5,
    show_default=True,
    help="Repeats: after 50 ms, then each 100 ms later than the one before, 550 ms at most.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, send nothing.")
def announce(address: str, link: str, mac: str | None, rounds: int, dry_run: bool) -> None:
    """Tell DEV's neighbours that ADDRESS is here, or at MAC, from now on.

    For IPv4 by gratuitous ARP, and RARP for switches; for IPv6 by unsolicited Neighbour
    Advertisements. Caches that know the address are corrected; nobody else learns it.
    """
    from netcont.kernel.announcer import announce_here, delays_s
    from netcont.kernel.own_link import own_ethernet, require_raw_frames
    from netcont.model.plan import Announce

    address, version = _host_address(address)
    mac = None if mac is None else _unicast_mac(mac)
    require_raw_frames()
    own = own_ethernet(link)
    if mac is None and address not in own.addresses:
        click.echo(
            f"netcont: note: {link} does not have {address}: neighbours will send to {own.mac}, "
            "which must then forward it; --mac names another place",
            err=True,
        )
    change = Announce("localhost", link, address, mac or own.mac, rarp=version == 4, rounds=rounds)
    way = "gratuitous ARP and RARP" if version == 4 else "unsolicited Neighbour Advertisements"
    if dry_run:
        pauses = ", ".join(f"{delay_s * 1000:.0f}" for delay_s in delays_s(rounds)) or "no"
        click.echo(f"would announce {address} at {change.mac} on {link} by {way}: now, then after")
        click.echo(f"{pauses} ms")
        return
    sent = announce_here(change)
    click.echo(f"announced {address} at {change.mac} on {link} by {way}, {sent} times")
    if sent <= rounds:
        click.echo(f"netcont: note: {link} went away after that", err=True)


def _host_address(text: str) -> tuple[str, int]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{text!r} is no address: {error}", remedy="give one such as 192.0.2.10 or 2001:db8::10"
        ) from error
    broadcast = text == "255.255.255.255"
    if address.is_multicast or address.is_unspecified or address.is_loopback or broadcast:
        raise ConfigurationError(
            f"{text} is not the address of one host on a link",
            remedy="give the unicast address that moved",
        )
    return str(address), address.version


def _unicast_mac(text: str) -> str:
    mac = text.lower().replace("-", ":")
    # IEEE 802 §8.2: the lowest bit of the first byte marks a group.
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise ConfigurationError(
            f"{text!r} is not the MAC of one host", remedy="give it as 02:00:00:00:00:0a"
        )
    return mac
