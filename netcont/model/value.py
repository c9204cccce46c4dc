"""Values: frozen dataclasses that share what dataclasses would compile for each of them anew.

A command that deploys needs some seventy classes of them; compiling their methods took a fifth of
its start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """As dataclass(frozen=True): the same fields, equality, hash and repr. No __post_init__."""
    made: Any = dataclass(init=False, eq=False, repr=False)(cls)
    compared = _getter([each.name for each in fields(made) if each.compare])

    def equal(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compared(self) == compared(other)

    def hashed(self: Any) -> int:
        return hash(compared(self))

    shared = {"__eq__": equal, "__hash__": hashed, "__repr__": _shown}
    frozen = {"__setattr__": _refuse, "__delattr__": _refuse}
    for name, method in {"__init__": _initializer(made), **shared, **frozen}.items():
        if name not in vars(cls):
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _initializer(made: Any) -> Callable[..., None]:
    """The one method that differs; it writes where setting attributes is refused."""
    known: dict[str, Any] = {"_missing": MISSING}
    parameters, lines = ["self"], [" values = self.__dict__"]
    for each in fields(made):
        name, given = each.name, each.name
        if each.default is not MISSING:
            known[f"_{name}"] = each.default
            parameters.append(f"{name}=_{name}")
        elif each.default_factory is not MISSING:
            known[f"_{name}"] = each.default_factory
            parameters.append(f"{name}=_missing")
            given = f"_{name}() if {name} is _missing else {name}"
        else:
            parameters.append(name)
        lines.append(f" values[{name!r}] = {given}")
    exec("\n".join([f"def __init__({', '.join(parameters)}):", *lines]), known)
    made_init: Callable[..., None] = known["__init__"]
    made_init.__qualname__ = f"{made.__qualname__}.__init__"
    return made_init


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed")


def _getter(names: list[str]) -> Callable[[object], object]:
    return attrgetter(*names) if names else lambda _: ()


def _shown(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"
