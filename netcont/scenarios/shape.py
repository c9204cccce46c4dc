"""What a scenario file may hold, read off the dataclasses of netcont.model.scenario.

Error messages and the JSON Schema are both made from this one description, so neither can drift
from the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from netcont.model.scenario import Scenario
from netcont.units import Dimension

NONE = "none"
"""How a file says None where a default says something else: TOML has no null."""


@dataclass(frozen=True)
class Scalar:
    """One value. kind: float, int, bool, str, or an Enum of texts. only: the values that it may
    have, where they are few numbers."""

    kind: type
    nullable: bool = False
    dimension: Dimension | None = None
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    min_length: int = 0
    only: tuple[int, ...] = ()

    @property
    def choices(self) -> tuple[str, ...]:
        """What an Enum may be; empty for every other kind."""
        return tuple(str(m.value) for m in self.kind) if issubclass(self.kind, Enum) else ()

    @property
    def bounds(self) -> str:
        """ "at least 0 and below 1", or "" where there are none."""
        if self.ge is not None and self.ge == self.le:
            return f"only {self.ge:g}"
        named = (("at least", self.ge), ("more than", self.gt))
        upper = (("at most", self.le), ("below", self.lt))
        return " and ".join(
            f"{word} {_plain(limit)}" for word, limit in (*named, *upper) if limit is not None
        )

    @property
    def noun(self) -> str:
        """What it is, with its article."""
        if self.choices or self.only:
            return f"one of {', '.join(map(str, self.choices or self.only))}"
        if self.dimension is not None:
            return f"a {self.dimension.name}"
        nouns: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}
        return nouns.get(self.kind, "a text")

    @property
    def instruction(self) -> str:
        """What to write, as the end of a sentence that begins with "write"."""
        if self.dimension is not None:
            told = f'a number of {self.dimension.unit} or a text such as "{self.dimension.example}"'
        elif self.kind is str:
            told = "a text in quotes" if self.min_length == 0 else "a text, not an empty one"
        else:
            told = self.noun
        told += f", {self.bounds}" if self.bounds else ""
        return told + (f', or "{NONE}"' if self.says_none else "")

    @property
    def says_none(self) -> bool:
        """Whether the text "none" stands for None here."""
        return self.nullable and self.kind is not str


@dataclass(frozen=True)
class Member:
    """One key of a table. default: None too where it must be given (required)."""

    shape: Shape
    required: bool
    default: Any


@dataclass(frozen=True)
class Table:
    """A table with fixed keys: one of the dataclasses."""

    cls: type
    nullable: bool = False

    @property
    def members(self) -> Mapping[str, Member]:
        """Its keys."""
        return _members(self.cls)

    @property
    def noun(self) -> str:
        """What it is, with its article."""
        return "a table"


@dataclass(frozen=True)
class Items:
    """A list."""

    item: Shape

    @property
    def noun(self) -> str:
        """What it is, with its article."""
        return "a list of tables" if isinstance(self.item, Table) else "a list"


@dataclass(frozen=True)
class Names:
    """A table whose keys are free (names of approaches)."""

    value: Shape

    @property
    def noun(self) -> str:
        """What it is, with its article."""
        return "a table"


Shape = Scalar | Table | Items | Names

SCENARIO = Table(Scenario)


def shape_at(location: tuple[str | int, ...]) -> Shape | None:
    """What stands at that place of a scenario; None if there is no such place."""
    shape: Shape = SCENARIO
    for part in location:
        if isinstance(shape, Table) and part in shape.members:
            shape = shape.members[str(part)].shape
        elif isinstance(shape, Items) and isinstance(part, int):
            shape = shape.item
        elif isinstance(shape, Names) and isinstance(part, str):
            shape = shape.value
        else:
            return None
    return shape


def every_key(shape: Shape = SCENARIO, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key there is, as the way to it; lists are passed as "N", free names as "NAME"."""
    if isinstance(shape, Items):
        yield from every_key(shape.item, (*path, "N"))
    elif isinstance(shape, Names):
        yield from every_key(shape.value, (*path, "NAME"))
    elif isinstance(shape, Table):
        for key, member in shape.members.items():
            yield (*path, key)
            yield from every_key(member.shape, (*path, key))


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"


@cache
def _members(cls: type) -> Mapping[str, Member]:
    hints = get_type_hints(cls, include_extras=True)
    found = {}
    for each in fields(cls):
        required = each.default is MISSING and each.default_factory is MISSING
        factory = each.default_factory
        default = None if each.default is MISSING else each.default
        if factory is not MISSING:
            default = factory()
        found[each.name] = Member(_shape(hints[each.name]), required, default)
    return found


def _shape(annotation: Any) -> Shape:
    """The shape of an annotation as the model uses them. Raises TypeError for any other."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        (inner,) = (a for a in arguments if a is not NoneType)
        return _with(_shape(inner), nullable=True)
    if origin is Annotated:
        return _with(_shape(arguments[0]), **_constraints(arguments[1:]))
    if origin is Literal:
        return Scalar(int, only=arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return Items(_shape(arguments[0]))
    if origin is dict and arguments[0] is str:
        return Names(_shape(arguments[1]))
    if isinstance(annotation, type) and is_dataclass(annotation):
        return Table(annotation)
    if isinstance(annotation, type) and issubclass(annotation, bool | int | float | str):
        return Scalar(annotation)
    raise TypeError(f"the model uses a type that scenario files cannot hold: {annotation!r}")


def _constraints(metadata: tuple[Any, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in metadata:
        match each:
            case Dimension():
                found["dimension"] = each
            case Ge(ge=limit):
                found["ge"] = limit
            case Gt(gt=limit):
                found["gt"] = limit
            case Le(le=limit):
                found["le"] = limit
            case Lt(lt=limit):
                found["lt"] = limit
            case MinLen(min_length=length):
                found["min_length"] = length
            case _:
                raise TypeError(f"the model uses a constraint that is not described: {each!r}")
    return found


def _with(shape: Shape, **changes: Any) -> Shape:
    return replace(shape, **changes)
