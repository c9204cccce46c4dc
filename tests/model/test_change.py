"""Kinds of changes behave as frozen dataclasses do, which they are made like."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcont.model import plan as changes
from netcont.model.plan import AddAddress, AddRoute, AddVxlan, Change, DelAddress
from netcont.model.plan.change import change

KINDS = [
    kind for kind in vars(changes).values() if isinstance(kind, type) and issubclass(kind, Change)
]
ADDRESS = AddAddress("gwa", "lan0", "10.1.0.1", 24)


@dataclass(frozen=True)
class Judge:
    """What dataclasses make of the same fields."""

    node: str
    link: str
    address: str
    prefixlen: int = 32


@change
class Judged(Change):
    """The same by the project's own means."""

    link: str
    address: str
    prefixlen: int = 32


@given(
    st.lists(st.integers(0, 3), max_size=6),
    st.dictionaries(
        st.sampled_from(["node", "link", "address", "prefixlen", "mac"]), st.integers(0, 3)
    ),
)
def test_objects_are_made_as_dataclasses_makes_them(
    positional: list[int], named: dict[str, int]
) -> None:
    try:
        wanted = Judge(*positional, **named)  # type: ignore[arg-type]
    except TypeError:
        # A value given twice is found by mypy.
        if not set(list(Judge.__dataclass_fields__)[: len(positional)]) & named.keys():
            with pytest.raises(TypeError, match="Judged is made of node, link, address, prefixlen"):
                Judged(*positional, **named)  # type: ignore[arg-type]
        return
    found = Judged(*positional, **named)  # type: ignore[arg-type]
    assert vars(found) == vars(wanted)
    assert list(vars(found)) == list(vars(wanted)), "records are written in this order"
    assert repr(found) == repr(wanted).replace("Judge(", "Judged(")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_is_a_dataclass_of_its_own(kind: type[Change]) -> None:
    assert is_dataclass(kind)
    names = [each.name for each in fields(kind)]
    assert names[0] == "node"
    made = kind(*names)
    assert list(vars(made)) == names
    with pytest.raises(TypeError, match=kind.__name__):
        kind(*names, "one too many")
    with pytest.raises(TypeError, match=kind.__name__):
        kind()  # type: ignore[call-arg]


def test_changes_are_never_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ADDRESS.link = "lan1"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del ADDRESS.link
    with pytest.raises(FrozenInstanceError):
        ADDRESS.other = 1  # type: ignore[attr-defined]


def test_changes_of_one_kind_with_the_same_values_are_equal() -> None:
    same: Any = AddAddress("gwa", "lan0", address="10.1.0.1", prefixlen=24)
    assert same == ADDRESS
    assert hash(same) == hash(ADDRESS)
    assert DelAddress("gwa", "lan0", "10.1.0.1", 24) != ADDRESS
    assert replace(ADDRESS, link="lan1") != ADDRESS
    assert ADDRESS != ("gwa", "lan0", "10.1.0.1", 24)
    assert len({same, ADDRESS, DelAddress("gwa", "lan0", "10.1.0.1", 24)}) == 2


def test_another_value_takes_the_place_of_one() -> None:
    vxlan = AddVxlan("gwa", "nc-vx1", 1, "192.0.2.1", 4789, 1450)
    assert replace(vxlan, vni=2) == AddVxlan("gwa", "nc-vx1", 2, "192.0.2.1", 4789, 1450)
    with pytest.raises(TypeError, match="AddVxlan is made of node, name, vni"):
        replace(vxlan, vnii=2)


def test_changes_travel_between_processes() -> None:
    route = AddRoute("gwa", "10.2.0.0/16", link="nc-tun")
    assert pickle.loads(pickle.dumps(route)) == route
