"""Values beside frozen dataclasses with the same fields."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

import pytest

from netcont.model.value import value


def classes(decorate: Callable[[type], type]) -> tuple[Any, Any, Any]:
    @decorate
    class Point:
        x: int
        y: int = 2
        tags: tuple[str, ...] = ()

    @decorate
    class Named(Point):
        name: str = "n"
        secret: str = field(default="s", repr=False)
        note: str = field(default="", compare=False)
        more: list[int] = field(default_factory=list, compare=False)

        @cached_property
        def length(self) -> int:
            return self.x + self.y

    @decorate
    class Nothing:
        pass

    return Point, Named, Nothing


OURS, THEIRS = classes(value), classes(dataclass(frozen=True))


def made(found: tuple[Any, Any, Any]) -> list[Any]:
    point, named, nothing = found
    return [
        point(1),
        point(1, 2, ("a",)),
        point(y=3, x=1),
        named(1),
        named(1, name="m"),
        named(1, secret="t"),
        named(1, note="u"),
        named(1, more=[1]),
        nothing(),
    ]


def test_they_are_equal_where_dataclasses_are() -> None:
    ours, theirs = made(OURS), made(THEIRS)
    judged = [[a == b for b in theirs] for a in theirs]
    assert [[a == b for b in ours] for a in ours] == judged
    assert [[hash(a) == hash(b) for b in ours] for a in ours] == judged
    assert ours[0] != theirs[0]


def test_they_look_and_are_replaced_as_dataclasses_are() -> None:
    for ours, theirs in zip(made(OURS), made(THEIRS), strict=True):
        assert repr(ours) == repr(theirs)
        assert is_dataclass(ours)
        assert [each.name for each in fields(ours)] == [each.name for each in fields(theirs)]
    assert replace(OURS[1](1), x=5) == OURS[1](5)


def test_they_cannot_be_changed() -> None:
    point = OURS[0](1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2
    with pytest.raises(FrozenInstanceError):
        del point.x


def test_what_was_computed_from_one_does_not_make_it_another() -> None:
    one, other = OURS[1](1), OURS[1](1)
    assert one.length == 3
    assert one == other
    assert hash(one) == hash(other)


@value
class Kept:
    x: int

    def __repr__(self) -> str:
        return "kept"


def test_methods_of_their_own_are_kept_and_they_can_be_pickled() -> None:
    assert repr(Kept(1)) == "kept"
    assert pickle.loads(pickle.dumps(Kept(1))) == Kept(1)
