"""What all changes have in common. Nothing here acts; ``netcont.kernel`` does.

Each kind is a frozen dataclass, but for one thing: what makes, compares and shows its objects is
here, once. dataclasses would compile six functions for each kind, which takes longer than reading
a deployment of a thousand tunnels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, fields
from typing import Any, ClassVar, TypeVar, dataclass_transform


@dataclass_transform(frozen_default=True)
def change(kind: type[_Kind]) -> type[_Kind]:
    """Makes a kind of change of a class: its annotations, below those of its bases, are its
    fields. Defaults are values that cannot be changed."""
    made = dataclass(init=False, repr=False, eq=False)(kind)
    made._fields = {each.name: each.default for each in fields(made)}
    made._required = sum(each is MISSING for each in made._fields.values())
    return made


class Values:
    """Objects of named values, in one order: made of these, equal by these, never changed."""

    _fields: ClassVar[Mapping[str, Any]] = {}
    """Each with its default, MISSING if it has none: the first _required of them."""
    _required: ClassVar[int] = 0

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init__(self, *given: Any, **named: Any) -> None:
        known, values = self._fields, self.__dict__
        values.update(known)
        values.update(zip(known, given, strict=False))
        values.update(named)
        lacking = len(given) < self._required and MISSING in values.values()
        if lacking or len(values) > len(known) or len(given) > len(known):
            raise TypeError(f"{type(self).__name__} is made of {', '.join(known)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


@change
class Change(Values):
    """One change on one node.

    Addresses and prefixes are in the text form that the kernel and RFC 5952 agree on; their family
    decides what is made of them.
    """

    node: str

    def undo(self) -> Change | None:
        """The change that takes this one back."""
        return None

    def commands(self) -> tuple[str, ...]:
        """Equal command lines."""
        raise NotImplementedError(type(self).__name__)


_Kind = TypeVar("_Kind", bound=Values)


def is_ipv6(address: str) -> bool:
    """Whether an address or a prefix is of IPv6."""
    return ":" in address


def ip(address: str) -> str:
    """The word that a line about this address begins with."""
    return "ip -6" if is_ipv6(address) else "ip"
