"""Names while deployments come and go: which of them are touched, and what speaks against it.

A name is no state of this host: a reboot does not take it away, and who undoes a tunnel need not
want clients to go elsewhere. So names are touched when guests switch, and by what takes such a
switch back; a plain `up` leaves them as they are, `down` too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from netcont.errors import KernelError
from netcont.kernel.facts import Facts
from netcont.kernel.name_fact import NameFact
from netcont.model.plan import Change, MoveName, Plan

if TYPE_CHECKING:
    from netcont.kernel.names import Names

_AT_ONCE = 16

Ask = Callable[[MoveName], NameFact]


@dataclass
class Asking:
    """Asks the primaries of names; the DNS layer is imported when there is one to ask.

    signed: with the names' keys, by which servers may choose what they show.
    """

    signed: bool = True
    _names: Names | None = field(default=None)

    def __call__(self, change: MoveName) -> NameFact:
        """What the primary has."""
        if self._names is None:
            from netcont.kernel.names import Names

            self._names = Names(signed=self.signed)
        return self._names.fact(change)


def glance(moves: Iterable[MoveName]) -> Ask:
    """Asks all servers of these names, at the same time, without keys and with little patience."""
    wanted = tuple(dict.fromkeys(moves))
    if not wanted:
        return Asking()
    from concurrent.futures import ThreadPoolExecutor

    from netcont.kernel.names import BRIEF, Names

    def look(one: MoveName) -> NameFact:
        return Names(BRIEF, signed=False).fact(one, everywhere=True)

    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(look, wanted), strict=True)).__getitem__


def names_of(plan: Iterable[Change]) -> tuple[MoveName, ...]:
    """Its names."""
    return tuple(each for each in plan if isinstance(each, MoveName))


def without(plan: Plan, some: Collection[Change]) -> Plan:
    """The plan without some of its changes."""
    return Plan(tuple(each for each in plan if each not in some)) if some else plan


def as_told(goal: Plan, stands: Plan, *, told: bool) -> Plan:
    """The goal with the names that are to stand: those of before, unless they were told to move."""
    if told:
        return goal
    before = names_of(stands)
    goal = without(goal, names_of(goal))
    return goal + Plan(before) if before else goal


def resolved(goal: Plan, stands: Plan, facts: Facts) -> Plan:
    """The goal with what its names must know for being taken back: their TTL, and whether they have
    pointers. Those that stand know it already."""
    if not names_of(goal):
        return goal
    known = names_of(stands)
    return Plan(tuple(_resolved(c, known, facts) if isinstance(c, MoveName) else c for c in goal))


def _resolved(change: MoveName, known: Iterable[MoveName], facts: Facts) -> MoveName:
    for one in known:
        if (one.name, one.addresses, one.was) == (change.name, change.addresses, change.was):
            return replace(
                change, was_ttl_s=one.was_ttl_s, pointed=one.pointed, was_pointed=one.was_pointed
            )
    fact = facts.names.get(change.name, NameFact(error="was not asked"))
    return change if fact.error else fact.known(change)


def undo_of(change: MoveName, facts: Facts) -> MoveName | None:
    """What takes a name back; None if it is back, or somebody else has moved it since.

    Raises KernelError if nobody knows.
    """
    fact = facts.names.get(change.name, NameFact(error="was not asked"))
    if fact.error:
        raise _unasked(change, fact)
    undo = change.undo()
    return undo if fact.is_ours(change) and not fact.is_moved(undo) else None


def untouched(stands: Plan, target: Plan, goal: Plan | None) -> frozenset[Change]:
    """Names that stood and are to stand, and were not on their way elsewhere."""
    wanted = set(names_of(target)) & set(names_of(stands))
    return frozenset(wanted if goal is None else wanted & set(names_of(goal)))


def wait_until_all_servers_agree(moves: Iterable[MoveName]) -> None:
    """Waits. Raises DnsError that says which one lags behind."""
    wanted = dict.fromkeys(moves)
    if not wanted:
        return
    from netcont.kernel.names import Names

    for each in wanted:
        Names().agree(each)


def objections(goal: Plan, stands: Plan, facts: Facts, *, rehearsed: bool = True) -> Iterator[str]:
    """What the servers have against moving names; rehearsed: each is asked whether it would."""
    for change in names_of(goal):
        if change.name in facts.names:
            yield from _objections(change, facts, rehearsed=rehearsed)
    for change in names_of(stands):
        if change.name not in facts.names or change in goal or _same_addresses(change, goal):
            continue
        try:
            undo = undo_of(change, facts)
        except KernelError as error:
            yield _with_escape(error)
            continue
        if undo is not None:
            yield from _objections(undo, facts, rehearsed=rehearsed)


def _same_addresses(change: MoveName, goal: Plan) -> bool:
    wanted = {(one.name, one.addresses) for one in names_of(goal)}
    return (change.name, change.addresses) in wanted


def _objections(change: MoveName, facts: Facts, *, rehearsed: bool) -> Iterator[str]:
    from netcont.kernel.names import Names

    fact = facts.names[change.name]
    try:
        if fact.error:
            raise _unasked(change, fact)
        if not fact.is_ours(change):
            raise fact.foreign(change)
        if rehearsed and not fact.is_moved(change):
            Names().rehearse(change)
    except KernelError as error:
        yield _with_escape(error)


def _unasked(change: MoveName, fact: NameFact) -> KernelError:
    return KernelError(f"{change.name} could not be asked about: {fact}", remedy=fact.remedy)


def _with_escape(error: KernelError) -> str:
    return f"{error.message}: {error.remedy}; `--no-names` leaves names as they are"
