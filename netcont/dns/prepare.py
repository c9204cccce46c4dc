"""The TTL lowered ahead of a move, so that caches follow quickly when it comes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netcont.dns.access import Access
from netcont.dns.agreement import Agreed, wait_until_agreed
from netcont.dns.authority import Zone
from netcont.dns.memo import Memo, Memory
from netcont.dns.records import absolute_name
from netcont.dns.zone_update import Replacement, ZoneUpdate, perform


@dataclass(frozen=True)
class PreparePlan:
    """What is to be done. memo: of an earlier preparation that still holds, or None."""

    name: str
    zone: Zone
    ttl_s: int
    records: tuple[Replacement, ...]
    memo: Memo | None

    @property
    def update(self) -> ZoneUpdate:
        """The update; without replacements if the TTL is what was asked for."""
        needed = tuple(each for each in self.records if each.needed)
        return ZoneUpdate(self.zone.name, self.zone.primary, needed)

    @property
    def old_ttl_s(self) -> int:
        """The longest TTL that the records have now, in seconds."""
        return max(each.was.ttl_s for each in self.records)

    @property
    def first_ttl_s(self) -> int:
        """The TTL before the first preparation: what one goes back to after the move."""
        return max(self.old_ttl_s, self.memo.old_ttl_s if self.memo else 0)


@dataclass(frozen=True)
class Prepared:
    """All servers have the new TTL. safe_at_s: caches have it from then on (seconds since 1970),
    None if it was there before and nobody knows since when."""

    agreed: tuple[Agreed, ...]
    safe_at_s: float | None


def plan_prepare(name: str, ttl_s: int, access: Access, memory: Memory) -> PreparePlan:
    """Reads what there is, and says what must change; changes nothing. Raises DnsError."""
    name = absolute_name(name)
    zone = access.zone(name)
    sets = [each for each in access.addresses(name, zone) if each.values]
    memo = memory.recall(name)
    if memo is not None and memo.ttl_s != max(each.ttl_s for each in sets):
        memo = None  # somebody has changed the TTL since
    records = tuple(Replacement(was, replace(was, ttl_s=ttl_s)) for was in sets)
    return PreparePlan(name, zone, ttl_s, records, memo)


def carry_out_prepare(plan: PreparePlan, access: Access, memory: Memory) -> Prepared:
    """Sets the TTL, waits until all servers have it, and remembers the old one.

    Raises DnsError, and ConfigurationError if the old TTL cannot be remembered: before anything
    is changed.
    """
    caller = access.forward
    known_s = plan.memo.safe_at_s if plan.memo else 0.0
    memo = Memo(plan.name, plan.first_ttl_s, plan.ttl_s, known_s)
    lowered = plan.ttl_s < plan.first_ttl_s
    if plan.update.replacements:
        if lowered:
            # Should all end after the update, the memo errs on the late side.
            latest_s = caller.now() + caller.patience.agreement_s + plan.old_ttl_s
            memory.keep(replace(memo, safe_at_s=max(known_s, latest_s)))
        perform(plan.update, caller)
    agreed = wait_until_agreed(plan.zone, tuple(each.becomes for each in plan.records), caller)
    if not plan.update.replacements:
        return Prepared(agreed, plan.memo.safe_at_s if plan.memo else None)
    safe_at_s = max(known_s, caller.now() + plan.old_ttl_s)
    if lowered:
        memory.keep(replace(memo, safe_at_s=safe_at_s))
    else:
        memory.forget(plan.name)
    return Prepared(agreed, safe_at_s)
