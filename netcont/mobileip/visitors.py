"""The visitors of a foreign agent, and what replies do to them.

Theory. A node is a visitor or it is not; four inputs move it between the two:

| input                | no visitor | visitor                             |
|----------------------|------------|-------------------------------------|
| a lifetime granted   | added      | replaced                            |
| registration ended   | -          | removed, if it is the one from here |
| lifetime over        | -          | removed                             |
| revoked              | -          | removed                             |

A denial is in no row: the registration that a node has goes on until it expires, whatever becomes
of its renewal.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from netcont.mobileip.binding import Removal
from netcont.mobileip.deadlines import Deadlines
from netcont.mobileip.visitor import (
    Visitor,
    VisitorAdded,
    VisitorChange,
    VisitorRemoved,
    VisitorReplaced,
)


class Visitors:
    """Visitors by home address, with the ends of their lifetimes."""

    __slots__ = ("_deadlines", "_visitors")

    def __init__(self) -> None:
        self._visitors: dict[int, Visitor] = {}
        self._deadlines: Deadlines[int] = Deadlines()

    def __len__(self) -> int:
        return len(self._visitors)

    def __iter__(self) -> Iterator[Visitor]:
        return iter(tuple(self._visitors.values()))

    def get(self, home_address: IPv4Address) -> Visitor | None:
        """The visitor of a home address."""
        return self._visitors.get(int(home_address))

    def grant(self, visitor: Visitor) -> tuple[VisitorChange, ...]:
        """The home agent granted a lifetime."""
        home = int(visitor.home_address)
        old = self._visitors.get(home)
        self._visitors[home] = visitor
        self._deadlines.set(home, visitor.expires_at)
        return (VisitorAdded(visitor) if old is None else VisitorReplaced(old, visitor),)

    def end(self, home_address: IPv4Address, care_of: IPv4Address) -> tuple[VisitorChange, ...]:
        """The home agent ended a care-of address, or all of them if it is the home address."""
        old = self._visitors.get(int(home_address))
        if old is None or care_of not in (old.care_of_address, home_address):
            return ()
        return self.remove(old, Removal.DEREGISTERED)

    def remove(self, visitor: Visitor, why: Removal) -> tuple[VisitorChange, ...]:
        """Take one away that is there."""
        home = int(visitor.home_address)
        del self._visitors[home]
        self._deadlines.discard(home)
        return (VisitorRemoved(visitor, why),)

    def next_deadline(self) -> float | None:
        """When the next lifetime ends."""
        return self._deadlines.next()

    def expire(self, now: float) -> tuple[VisitorChange, ...]:
        """Remove those whose lifetime is over."""
        changes: tuple[VisitorChange, ...] = ()
        for home in self._deadlines.take_due(now):
            changes += self.remove(self._visitors[home], Removal.EXPIRED)
        return changes
