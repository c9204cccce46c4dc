"""Waits until every authoritative server answers with the same, new records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from netcont.dns.authority import Zone
from netcont.dns.exchange import Caller
from netcont.dns.records import RecordSet, read
from netcont.dns.server import Server
from netcont.errors import DnsError


@dataclass(frozen=True)
class Agreed:
    """One server has the new records. after_s: seconds since they were first asked for."""

    server: Server
    after_s: float


def wait_until_agreed(
    zone: Zone, wanted: Sequence[RecordSet], caller: Caller
) -> tuple[Agreed, ...]:
    """Asks all servers of the zone again and again until each has the wanted sets.

    At most for the caller's agreement_s. The primary is asked with the caller's key, by which it
    may choose what it shows (BIND's views); the others without, as everybody does.
    Raises DnsError that says what each server that lags behind has.
    """
    begun_s = time.monotonic()
    agreed: dict[Server, Agreed] = {}
    once = replace(caller, patience=replace(caller.patience, tries=1))
    while True:
        lagging: dict[Server, DnsError] = {}
        for server in zone.servers:
            if server in agreed:
                continue
            asker = once if server == zone.primary else replace(once, key=None)
            said = _difference(server, wanted, asker)
            if said:
                lagging[server] = said
            else:
                agreed[server] = Agreed(server, time.monotonic() - begun_s)
        lagging = _without_other_addresses(lagging, agreed)
        if not lagging:
            return tuple(agreed.values())
        if time.monotonic() - begun_s >= caller.patience.agreement_s:
            raise _disagreement(zone, lagging, caller)
        time.sleep(caller.patience.poll_s)


def _difference(server: Server, wanted: Sequence[RecordSet], asker: Caller) -> DnsError | None:
    """What the server has instead of what is wanted; None if it agrees."""
    try:
        for one in wanted:
            found = read(one.name, one.kind, server, asker)
            if found != one:
                return DnsError(f"{server} still has: {found}", code="OLD")
    except DnsError as error:
        return error
    return None


def _without_other_addresses(
    lagging: dict[Server, DnsError], agreed: dict[Server, Agreed]
) -> dict[Server, DnsError]:
    """Without addresses of a family that this host has not, if their server agreed by another."""
    names = {server.name for server in agreed}
    return {
        server: said
        for server, said in lagging.items()
        if said.code != "NOROUTE" or server.name not in names
    }


def _disagreement(zone: Zone, lagging: dict[Server, DnsError], caller: Caller) -> DnsError:
    servers = ", ".join(map(str, lagging))
    details = "; ".join(said.message for said in lagging.values())
    return DnsError(
        f"{zone.primary} has the new records, but after {caller.patience.agreement_s:g} s not all "
        f"servers of {zone.name} do: {details}",
        code="DISAGREE",
        server=servers,
        remedy=f"see that {servers} is told of changes (NOTIFY) and may fetch them (transfer); "
        "repeat the command to check again: it changes nothing that is done",
    )
