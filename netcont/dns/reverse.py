"""The pointers that go with a move: the old addresses' lose the name, the new ones' get it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from netcont.dns.access import Access
from netcont.dns.authority import Zone
from netcont.dns.records import RecordSet, record_set
from netcont.dns.zone_update import Replacement, ZoneUpdate
from netcont.errors import DnsError


class Extent(Enum):
    """Which new addresses get a pointer.

    ALL: every one, and what cannot be read is an error. IF_ANY: every one, if an old address had
    a pointer; what cannot be read is a note. REST: as IF_ANY, and an old one had a pointer, which
    may be gone already.
    """

    ALL = auto()
    IF_ANY = auto()
    REST = auto()


@dataclass(frozen=True)
class ReverseUpdate:
    """One update of one reverse zone; wanted: what its servers shall answer with."""

    zone: Zone
    update: ZoneUpdate
    wanted: tuple[RecordSet, ...]


@dataclass(frozen=True)
class Reverse:
    """All that is to be done about pointers; notes: what could not be found out, and the like."""

    updates: tuple[ReverseUpdate, ...] = ()
    notes: tuple[str, ...] = ()


def plan_reverse(
    name: str,
    leaving: Iterable[str],
    arriving: Iterable[str],
    ttl_s: int,
    access: Access,
    extent: Extent,
) -> Reverse:
    """Reads the pointers of all addresses and says how they change.

    Pointers to other names stay as they are. Raises DnsError.
    """
    notes: list[str] = []
    changes: list[tuple[Zone, Replacement]] = []

    def look(address: str) -> tuple[Zone, RecordSet] | None:
        try:
            return access.pointers(address)
        except DnsError as error:
            if extent is Extent.ALL:
                raise
            notes.append(f"the pointer of {address} was left alone: {error.message}")
            return None

    for address in leaving:
        found = look(address)
        if found and name in found[1].values:
            zone, was = found
            others = [value for value in was.values if value != name]
            becomes = record_set(was.name, "PTR", others, was.ttl_s)
            changes.append((zone, Replacement(was, becomes)))
    for address in arriving if changes or extent is not Extent.IF_ANY else ():
        found = look(address)
        if found is None:
            continue
        zone, was = found
        if was.values and name not in was.values:
            notes.append(f"{address} has a pointer to {', '.join(was.values)} as well, which stays")
        becomes = record_set(was.name, "PTR", [*was.values, name], was.ttl_s or ttl_s)
        changes.append((zone, Replacement(was, becomes)))
    return Reverse(_by_zone(changes), tuple(notes))


def _by_zone(changes: Iterable[tuple[Zone, Replacement]]) -> tuple[ReverseUpdate, ...]:
    """One update for each zone that has something to change."""
    zones: dict[str, tuple[Zone, list[Replacement]]] = {}
    for zone, change in changes:
        if change.needed:
            zones.setdefault(zone.name, (zone, []))[1].append(change)
    return tuple(
        ReverseUpdate(
            zone,
            ZoneUpdate(zone.name, zone.primary, tuple(needed)),
            tuple(change.becomes for change in needed),
        )
        for zone, needed in zones.values()
    )
