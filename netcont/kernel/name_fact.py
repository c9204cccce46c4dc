"""What a name's servers say, as a value."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from netcont.errors import KernelError
from netcont.model.plan import MoveName
from netcont.model.plan.names import kind_of


class NameFact(NamedTuple):
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

    def together(self, other: NameFact) -> NameFact:
        """The same, with the other's pointers: it was asked about other addresses."""
        return self._replace(pointed=self.pointed | other.pointed)

    def known(self, change: MoveName) -> MoveName:
        """The change with what must be known for taking it back."""
        had = tuple(each for each in change.was if each in self.pointed)
        if any(each in self.pointed for each in change.addresses):
            had = had or change.was  # it has moved already
        moves = bool(had) if change.pointers is None else change.pointers
        return replace(
            change,
            was_ttl_s=self.ttl_s,
            pointed=change.addresses if moves else (),
            was_pointed=had if moves else (),
        )

    def is_moved(self, change: MoveName) -> bool:
        """Whether all is as after the change."""
        return self._has(change.addresses, change) and self._points(change)

    def is_ours(self, change: MoveName) -> bool:
        """Whether the addresses are those before the change or those after it, and no others."""
        return self._has(change.addresses, change) or self._has(change.was, change)

    def foreign(self, change: MoveName) -> KernelError:
        """The addresses are others."""
        return KernelError(
            f"{change.name} has {self}, neither {' '.join(change.was)} nor"
            f" {' '.join(change.addresses)}: somebody else moved it",
            remedy="if it should move nevertheless, use `netcont dns move`",
        )

    def _has(self, wanted: tuple[str, ...], change: MoveName) -> bool:
        kinds = {kind_of(each) for each in (*change.addresses, *change.was)}
        return {each for each in self.addresses if kind_of(each) in kinds} == set(wanted)

    def _points(self, change: MoveName) -> bool:
        return self.pointed.issuperset(change.pointed or ()) and self.pointed.isdisjoint(
            change.unpointed
        )

    def __str__(self) -> str:
        return self.error or " ".join(self.addresses) or "no address"
