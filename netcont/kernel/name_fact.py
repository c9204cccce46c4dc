"""What a name's servers say, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.model.plan import MoveName
from netcont.model.plan.names import kind_of


@dataclass(frozen=True)
class NameFact:
    """addresses: A and AAAA records, by the zone's primary. ttl_s: the longest of theirs. pointed:
    which of the addresses that were asked about have a pointer to the name. lagging: what servers
    say that have other records than the primary. error: why it could not be asked; the rest says
    nothing then."""

    addresses: tuple[str, ...] = ()
    ttl_s: int = 0
    pointed: frozenset[str] = frozenset()
    lagging: tuple[str, ...] = ()
    error: str = ""
    remedy: str = ""

    def is_moved(self, change: MoveName) -> bool:
        """Whether all is as after the change."""
        return self._has(change.addresses, change) and self._points(change)

    def is_ours(self, change: MoveName) -> bool:
        """Whether the addresses are those before the change or those after it, and no others."""
        return self._has(change.addresses, change) or self._has(change.was, change)

    def _has(self, wanted: tuple[str, ...], change: MoveName) -> bool:
        kinds = {kind_of(each) for each in (*change.addresses, *change.was)}
        return {each for each in self.addresses if kind_of(each) in kinds} == set(wanted)

    def _points(self, change: MoveName) -> bool:
        if not change.pointers:
            return True
        arriving, leaving = set(change.addresses), set(change.was) - set(change.addresses)
        return arriving <= self.pointed and not leaving & self.pointed

    def __str__(self) -> str:
        return self.error or " ".join(self.addresses) or "no address"
