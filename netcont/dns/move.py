"""A name moved to new addresses: what it takes is read first, then done, then checked.

The forward zone is changed first, in one update for both families: that is what clients follow.
Then the pointers, each reverse zone in an update of its own. No transaction spans zones; should
one fail after the first, or the command be killed, the same command does the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netcont.dns.access import Access
from netcont.dns.agreement import Agreed, wait_until_agreed
from netcont.dns.authority import Zone
from netcont.dns.memo import Memory, Unfinished
from netcont.dns.records import RecordSet, absolute_name, kind_of, record_set
from netcont.dns.reverse import Extent, Reverse, plan_reverse
from netcont.dns.zone_update import Replacement, ZoneUpdate, perform
from netcont.errors import DnsError


@dataclass(frozen=True)
class Wish:
    """What the user asked for.

    to: the new addresses. leaving: these alone are replaced; if empty, all of the families in to.
    ttl_s: None keeps the TTL. ptr: True, False, or None: if the old address has a pointer.
    """

    name: str
    to: tuple[str, ...]
    leaving: tuple[str, ...] = ()
    ttl_s: int | None = None
    ptr: bool | None = None


@dataclass(frozen=True)
class MovePlan:
    """What is to be done. records: the name's address sets, those that stay as well."""

    zone: Zone
    records: tuple[Replacement, ...]
    to: tuple[str, ...]
    leaving: tuple[str, ...]
    reverse: Reverse
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name that moves, absolute."""
        return self.records[0].was.name

    @property
    def forward(self) -> ZoneUpdate:
        """The update of the forward zone; without replacements if nothing changes there."""
        needed = tuple(each for each in self.records if each.needed)
        return ZoneUpdate(self.zone.name, self.zone.primary, needed)

    @property
    def updates(self) -> tuple[ZoneUpdate, ...]:
        """All updates that are needed, in their order."""
        forward = (self.forward,) if self.forward.replacements else ()
        return (*forward, *(each.update for each in self.reverse.updates))

    @property
    def old_ttl_s(self) -> int:
        """How long caches may keep an address that leaves; 0 if the addresses stay."""
        changed = [each for each in self.records if each.was.values != each.becomes.values]
        return max((each.was.ttl_s for each in changed), default=0)


@dataclass(frozen=True)
class Moved:
    """The new records are with all servers. at_s: since when (seconds since 1970)."""

    agreed: tuple[Agreed, ...]
    at_s: float


def plan_move(wish: Wish, access: Access, memory: Memory | None = None) -> MovePlan:
    """Reads what there is, and says what must change; changes nothing. Raises DnsError.

    memory: knows the old addresses of a move that was begun and not ended.
    """
    name = absolute_name(wish.name)
    zone = access.zone(name)
    sets = access.addresses(name, zone)
    ttl_s = max(each.ttl_s for each in sets) if wish.ttl_s is None else wish.ttl_s
    records = tuple(Replacement(was, _becomes(was, wish, ttl_s)) for was in sets)
    gone = [v for each in records for v in each.was.values if v not in each.becomes.values]
    begun = memory.unfinished(name) if memory else None
    if begun is not None and begun.to != wish.to:
        begun = None  # that was another move
    gone += begun.leaving if begun else ()
    staying = {v for each in records for v in each.becomes.values}
    leaving = tuple(dict.fromkeys(a for a in (*gone, *wish.leaving) if a not in staying))
    reverse = Reverse()
    if wish.ptr is not False:
        extent = Extent.ALL if wish.ptr else Extent.REST if begun else Extent.IF_ANY
        reverse = plan_reverse(name, leaving, wish.to, ttl_s, access, extent)
    return MovePlan(zone, records, wish.to, leaving, reverse, (*_notes(sets, wish), *reverse.notes))


def carry_out(plan: MovePlan, access: Access, memory: Memory | None = None) -> Moved:
    """Makes the updates that are needed, and waits until all servers answer accordingly.

    memory: where the old addresses are kept until their pointers are gone.
    Raises DnsError, and ConfigurationError if they cannot be kept: before anything is changed.
    """
    if memory and plan.leaving and plan.reverse.updates:
        memory.begin(Unfinished(plan.name, plan.to, plan.leaving))
    # From here on the name may be moved, whatever fails later.
    make_updates(plan, access)
    if memory:
        memory.finish(plan.name)
    agreed = wait_until_agreed(
        plan.zone, tuple(each.becomes for each in plan.records), access.forward
    )
    at_s = access.forward.now()
    for each in plan.reverse.updates:
        wait_until_agreed(each.zone, each.wanted, access.reverse)
    return Moved(agreed, at_s)


def make_updates(plan: MovePlan, access: Access) -> None:
    """Makes the updates that are needed at the zones' primaries. Raises DnsError."""
    if plan.forward.replacements:
        perform(plan.forward, access.forward)
    for each in plan.reverse.updates:
        try:
            perform(each.update, access.reverse)
        except DnsError as error:
            raise _half_done(error, plan.leaving) from error


def _becomes(was: RecordSet, wish: Wish, ttl_s: int) -> RecordSet:
    new = [address for address in wish.to if kind_of(address) == was.kind]
    if wish.leaving:
        new += [value for value in was.values if value not in wish.leaving]
    elif not new:
        return was
    keep = was.ttl_s if was.values and wish.ttl_s is None else ttl_s
    return record_set(was.name, was.kind, new, keep)


def _notes(sets: Iterable[RecordSet], wish: Wish) -> tuple[str, ...]:
    """Clients prefer IPv6: an AAAA record that is left behind keeps them at the old place."""
    if wish.leaving:
        return ()
    given = {kind_of(address) for address in wish.to}
    return tuple(
        f"{each} stays, and clients may go on using it: give --to an address of that family, or "
        f"take it away with --from {each.values[0]}"
        for each in sets
        if each.values and each.kind not in given
    )


def _half_done(error: DnsError, leaving: tuple[str, ...]) -> DnsError:
    again = " ".join(f"--from {address}" for address in leaving)
    return DnsError(
        f"the addresses are moved, but not the pointers: {error.message}",
        code=error.code,
        server=error.server,
        remedy=f"{error.remedy}; then repeat the command here (elsewhere with --ptr {again}), or "
        "with --no-ptr to leave the pointers",
    )
