"""All bindings of a home agent, and what a request does to those of one home address.

Theory. To a request that is authentic, fresh and granted, only two things matter: what the request
asks for, and what is bound for its home address at that time.

- `Asked` has four values: a lifetime and no S bit (this care-of address alone), a lifetime and the
  S bit (this one as well), lifetime 0 for one care-of address, and lifetime 0 with the home address
  for care-of address (the node is at home). RFC 5944 3.8.2.2.
- `Held` has four values: nothing, this care-of address, others, this one and others.

`EFFECTS` says for each pair what happens. A row that does nothing is a success all the same: that
makes deregistration idempotent. The home address is never bound as care-of address, so that rows
"at home" with this care-of address held cannot occur and do not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from types import MappingProxyType

from netcont.mobileip.binding import (
    Binding,
    BindingAdded,
    BindingChange,
    BindingRemoved,
    BindingReplaced,
    Removal,
)
from netcont.mobileip.deadlines import Deadlines


class Asked(Enum):
    """What an accepted request wants of the bindings of its home address."""

    SOLE = "this care-of address alone"
    ALSO = "this care-of address beside the others"
    LEAVE = "without this care-of address"
    HOME = "at home, without any"


class Held(Enum):
    """What is bound, seen from the care-of address of a request."""

    NOTHING = "nothing"
    THIS = "this one"
    OTHERS = "others"
    BOTH = "this one and others"


class Effect(Enum):
    """One thing that a request does."""

    ADD = "bind this one"
    REFRESH = "renew this one"
    SWITCH = "put this one in the place of the others"
    DROP_THIS = "drop this one"
    DROP_OTHERS = "drop the others"


EFFECTS = MappingProxyType(
    {
        (Held.NOTHING, Asked.SOLE): (Effect.ADD,),
        (Held.NOTHING, Asked.ALSO): (Effect.ADD,),
        (Held.NOTHING, Asked.LEAVE): (),
        (Held.NOTHING, Asked.HOME): (),
        (Held.THIS, Asked.SOLE): (Effect.REFRESH,),
        (Held.THIS, Asked.ALSO): (Effect.REFRESH,),
        (Held.THIS, Asked.LEAVE): (Effect.DROP_THIS,),
        (Held.OTHERS, Asked.SOLE): (Effect.SWITCH,),
        (Held.OTHERS, Asked.ALSO): (Effect.ADD,),
        (Held.OTHERS, Asked.LEAVE): (),
        (Held.OTHERS, Asked.HOME): (Effect.DROP_OTHERS,),
        (Held.BOTH, Asked.SOLE): (Effect.REFRESH, Effect.DROP_OTHERS),
        (Held.BOTH, Asked.ALSO): (Effect.REFRESH,),
        (Held.BOTH, Asked.LEAVE): (Effect.DROP_THIS,),
    }
)
"""What a request does, by what is held and what it asks for."""

_HELD = {
    (False, False): Held.NOTHING,
    (True, False): Held.THIS,
    (False, True): Held.OTHERS,
    (True, True): Held.BOTH,
}

_Place = tuple[int, int]
"""A home address and a care-of address; as numbers, which are hashed without detours."""


class Bindings:
    """The bindings of all home addresses; every operation costs the same however many there are."""

    __slots__ = ("_deadlines", "_of")

    def __init__(self) -> None:
        self._of: dict[int, tuple[Binding, ...]] = {}
        self._deadlines: Deadlines[_Place] = Deadlines()

    def __len__(self) -> int:
        return len(self._deadlines)

    def __iter__(self) -> Iterator[Binding]:
        for bound in self._of.values():
            yield from bound

    def of(self, home: int) -> tuple[Binding, ...]:
        """The bindings of one home address, oldest first."""
        return self._of.get(home, ())

    def held(self, home: int, care_of: int) -> Held:
        """What is bound for a home address, seen from a care-of address."""
        bound = self._of.get(home, ())
        this = any(int(one.care_of_address) == care_of for one in bound)
        return _HELD[this, len(bound) > this]

    def bind(self, binding: Binding, asked: Asked) -> list[BindingChange]:
        """Carry out a request that asks for a lifetime (asked: SOLE or ALSO)."""
        home, care_of = int(binding.home_address), int(binding.care_of_address)
        bound = self._of.get(home, ())
        this = [one for one in bound if int(one.care_of_address) == care_of]
        others = [one for one in bound if int(one.care_of_address) != care_of]
        changes: list[BindingChange] = []
        for effect in EFFECTS[_HELD[bool(this), bool(others)], asked]:
            if effect is Effect.ADD:
                changes.append(BindingAdded(binding))
            elif effect is Effect.REFRESH:
                changes.append(BindingReplaced(this[0], binding))
            else:
                gone = others
                if effect is Effect.SWITCH:
                    changes.append(BindingReplaced(others[-1], binding))
                    self._deadlines.discard((home, int(others[-1].care_of_address)))
                    gone = others[:-1]
                changes += self._drop(home, gone, Removal.SUPERSEDED)
                others = []
        self._of[home] = (*others, binding)
        self._deadlines.set((home, care_of), binding.expires_at)
        return changes

    def unbind(
        self, home: int, care_of: int, asked: Asked, why: Removal = Removal.DEREGISTERED
    ) -> list[BindingChange]:
        """Carry out a request with lifetime 0 (asked: LEAVE or HOME)."""
        bound = self._of.get(home, ())
        this = [one for one in bound if int(one.care_of_address) == care_of]
        others = [one for one in bound if int(one.care_of_address) != care_of]
        gone: list[Binding] = []
        for effect in EFFECTS[_HELD[bool(this), bool(others)], asked]:
            gone += this if effect is Effect.DROP_THIS else others
        if not gone:
            return []
        left = () if asked is Asked.HOME else tuple(others)
        if left:
            self._of[home] = left
        else:
            del self._of[home]
        return self._drop(home, gone, why)

    def remove(self, binding: Binding, why: Removal) -> list[BindingChange]:
        """Take one binding away."""
        home, care_of = int(binding.home_address), int(binding.care_of_address)
        return self.unbind(home, care_of, Asked.LEAVE, why)

    def next_deadline(self) -> float | None:
        """When the next binding expires; None if none ever does."""
        return self._deadlines.next()

    def expire(self, now: float) -> list[BindingChange]:
        """Remove the bindings whose lifetime is over, at now sharp."""
        changes: list[BindingChange] = []
        for home, care_of in self._deadlines.take_due(now):
            changes += self.unbind(home, care_of, Asked.LEAVE, Removal.EXPIRED)
        return changes

    def restore(self, bindings: Iterable[Binding]) -> None:
        """Start from these bindings instead of what there is."""
        self._of.clear()
        self._deadlines = Deadlines()
        for binding in bindings:
            self.bind(binding, Asked.ALSO)

    def _drop(self, home: int, gone: Iterable[Binding], why: Removal) -> list[BindingChange]:
        changes: list[BindingChange] = []
        for binding in gone:
            self._deadlines.discard((home, int(binding.care_of_address)))
            changes.append(BindingRemoved(binding, why))
        return changes
