"""Every row of the table of effects, as changes of a table of bindings."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from netcont.mobileip.binding import (
    Binding,
    BindingAdded,
    BindingChange,
    BindingRemoved,
    BindingReplaced,
    Removal,
)
from netcont.mobileip.bindings import EFFECTS, Asked, Bindings, Held
from netcont.mobileip.messages import Flags

from .machines import AGENT_A, AGENT_B, HOME, NOW

AGENT_C = IPv4Address("203.0.113.9")


def binding(care_of: IPv4Address, expires_at: float = NOW + 60) -> Binding:
    return Binding(HOME, care_of, Flags(0), 60, expires_at, 1, 256)


BEFORE = {
    Held.NOTHING: (),
    Held.THIS: (AGENT_A,),
    Held.OTHERS: (AGENT_B, AGENT_C),
    Held.BOTH: (AGENT_A, AGENT_B, AGENT_C),
}
AFTER = {
    (Held.NOTHING, Asked.SOLE): "a",
    (Held.NOTHING, Asked.ALSO): "a",
    (Held.NOTHING, Asked.LEAVE): "",
    (Held.NOTHING, Asked.HOME): "",
    (Held.THIS, Asked.SOLE): "a",
    (Held.THIS, Asked.ALSO): "a",
    (Held.THIS, Asked.LEAVE): "",
    (Held.OTHERS, Asked.SOLE): "a",
    (Held.OTHERS, Asked.ALSO): "abc",
    (Held.OTHERS, Asked.LEAVE): "bc",
    (Held.OTHERS, Asked.HOME): "",
    (Held.BOTH, Asked.SOLE): "a",
    (Held.BOTH, Asked.ALSO): "abc",
    (Held.BOTH, Asked.LEAVE): "bc",
}
NAMES = {AGENT_A: "a", AGENT_B: "b", AGENT_C: "c"}


def names(bindings: Bindings) -> str:
    return "".join(sorted(NAMES[one.care_of_address] for one in bindings.of(int(HOME))))


@pytest.mark.parametrize(("held", "asked"), EFFECTS)
def test_each_row_leaves_what_it_says(held: Held, asked: Asked) -> None:
    bindings = Bindings()
    for care_of in BEFORE[held]:
        bindings.bind(binding(care_of), Asked.ALSO)
    before = names(bindings)
    care_of = HOME if asked is Asked.HOME else AGENT_A
    if asked is not Asked.HOME:
        assert bindings.held(int(HOME), int(care_of)) is held
    changes: list[BindingChange] = (
        bindings.bind(binding(care_of), asked)
        if asked in (Asked.SOLE, Asked.ALSO)
        else bindings.unbind(int(HOME), int(care_of), asked)
    )
    after = names(bindings)
    assert after == AFTER[held, asked]
    assert len(bindings) == len(after)
    added = [one for one in changes if isinstance(one, BindingAdded)]
    removed = [one for one in changes if isinstance(one, BindingRemoved)]
    replaced = [one for one in changes if isinstance(one, BindingReplaced)]
    assert len(before) + len(added) - len(removed) == len(after)
    assert len(added) + len(replaced) == (asked in (Asked.SOLE, Asked.ALSO))


def test_bindings_expire_one_by_one_and_of_each_node_by_itself() -> None:
    bindings = Bindings()
    bindings.bind(binding(AGENT_A, NOW + 1), Asked.ALSO)
    bindings.bind(binding(AGENT_B, NOW + 2), Asked.ALSO)
    (change,) = bindings.expire(NOW + 1)
    assert change == BindingRemoved(binding(AGENT_A, NOW + 1), Removal.EXPIRED)
    assert names(bindings) == "b"
    assert bindings.next_deadline() == NOW + 2
    assert len(bindings.expire(NOW + 9)) == 1
    assert len(bindings) == 0
    assert bindings.next_deadline() is None
