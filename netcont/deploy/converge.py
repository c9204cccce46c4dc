"""From wherever the kernel is to a goal: what is superfluous goes, what is missing comes.

Every step looks at what is there, so it does not matter how far an earlier process got. Only what
netcont knows to be its own is removed: what its record names, and what looks like it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netcont.deploy.agenting import look
from netcont.deploy.beyond import BEYOND, before, goes_on, undo_of
from netcont.deploy.naming import Ask, Asking, names_of, without
from netcont.deploy.standing import (
    Standing,
    hangs_on_own,
    link_named,
    state,
)
from netcont.errors import KernelError
from netcont.kernel.facts import Facts, LinkMark
from netcont.kernel.indices import Indices
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.isolation_fact import IsolationFact
from netcont.kernel.name_fact import NameFact
from netcont.kernel.namespace import Namespace
from netcont.kernel.performing import refused
from netcont.kernel.reader import read_facts, read_marks
from netcont.kernel.requests import delete_group, encoded, into_group, unused_group
from netcont.kernel.rtnetlink import CHUNK, send
from netcont.kernel.sender import Sender
from netcont.model import plan as changes
from netcont.model.own import ROUTE_PROTOCOL
from netcont.model.plan import Change, Plan

_GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL})


@dataclass
class Kernel:
    """A namespace that is looked at and changed.

    alias: what netcont's links of this deployment carry. left: names that stay as they are; ask:
    asks about the others. counters: whether those of links are read. meanwhile: what can be done
    while the kernel makes links. made: changes that were made by this object and not taken back.
    """

    node: Namespace
    alias: str
    left: frozenset[Change] = frozenset()
    ask: Ask = field(default_factory=Asking)
    counters: bool = False
    meanwhile: Callable[[], object] = tuple
    made: list[Change] = field(default_factory=list)

    def facts(self, plan: Iterable[Change]) -> Facts:
        """What is there, with the settings that a plan speaks of. Raises KernelError."""
        facts = read_facts(self.node, counters=self.counters)
        keys = {each.key for each in plan if isinstance(each, changes.SetSysctl)}
        found = {}
        for key in sorted(keys):
            try:
                found[key] = self.node.read_sysctl(key)
            except KernelError:
                continue  # of a link that is not there yet
        names: dict[str, NameFact] = {}
        for each in names_of(plan):
            if each not in self.left:
                fact = self.ask(each)
                names[each.name] = fact.together(names.get(each.name, fact))
        agents, isolations = look(plan, self.node), _isolations(plan, self.node)
        return facts._replace(sysctls=found, names=names, agents=agents, isolations=isolations)

    def converge(
        self, known: Plan, goal: Plan, was: Mapping[str, str], facts: Facts | None = None
    ) -> None:
        """Makes goal stand and removes what else there is of known.

        was: settings before netcont. facts: what is there, read a moment ago. Raises KernelError
        with the first refusal; what is superfluous is removed as far as possible nevertheless.
        """
        superfluous = list(reversed(known.changes))
        if superfluous and goal:
            wanted = set(goal)
            superfluous = [each for each in superfluous if each not in wanted]
        goal = without(goal, self.left)
        superfluous = [each for each in superfluous if not goes_on(each, goal)]
        if superfluous or facts is None:
            self._remove(superfluous, was)
            facts = self.facts(goal)
        self._add(goal, facts)
        self.verify(goal)

    def verify(self, goal: Plan) -> None:
        """Reads back. Raises KernelError if something of the goal is not there."""
        facts = self.facts(goal)
        for change in goal:
            found = state(change, facts)
            if found.standing is not Standing.PRESENT:
                others = (
                    "does something else manage this link? NetworkManager and"
                    " systemd-networkd must leave nc-* alone"
                )
                raise KernelError(
                    f"{change.commands()[-1]}: it was made, but is {found.standing.value}"
                    + (f": {found.found}" if found.found else ""),
                    remedy="" if isinstance(change, BEYOND) else others,
                )

    # ---- adding

    def _add(self, goal: Plan, facts: Facts) -> None:
        rest: list[Change] = []
        with Sender(self.node, self.made) as sender, Indices(self.node) as indices:
            for change in self._missing(goal, facts):
                if isinstance(change, changes.AddLink):
                    self._make(change, sender, indices)
                else:
                    rest.append(change)
            self.meanwhile()
            sender.finish()
            # First what is no request: all others can be sent together then.
            rest.sort(key=lambda each: not _is_own_setting(each))
            for change in rest:
                self._make(change, sender, indices)
            sender.finish()

    def _missing(self, goal: Plan, facts: Facts) -> Iterator[Change]:
        """What is to be made, once what is in its way has gone."""
        remade: set[str] = set()
        for change in goal:
            found = state(change, facts).standing
            if found is Standing.PRESENT and link_named(change) not in remade:
                continue
            if found is Standing.CHANGED and isinstance(change, changes.AddLink):
                self._refuse_foreign(change, facts)
                self._perform(changes.DelLink(change.node, change.name))
                remade.add(change.name)
            elif found is Standing.CHANGED and isinstance(change, changes.AddRoute):
                self._refuse_foreign(change, facts)
                change = replace(change, replace=True)
            elif found is Standing.CHANGED and (first := before(change)) is not None:
                self._perform(first)
            yield change

    def _make(self, change: Change, sender: Sender, indices: Indices) -> None:
        """In the order of the calls; those that can be sent together are."""
        try:
            message = encoded(change, indices)
        except KernelError:
            sender.finish()  # the link that it needs may be among those
            message = encoded(change, indices)
        if message is not None:
            sender.add(change, message)
            return
        sender.finish()
        sure = not isinstance(change, BEYOND)
        self.made += () if sure else (change,)
        self._perform(change)
        self.made += (change,) if sure else ()

    def _refuse_foreign(self, change: Change, facts: Facts) -> None:
        if not self._looks_own(change, facts):
            raise KernelError(
                f"{change.commands()[0]}: something foreign has taken its place:"
                f" {state(change, facts).found}",
                remedy="remove that, or choose another name or prefix",
            )

    # ---- removing

    def _remove(self, superfluous: list[Change], was: Mapping[str, str]) -> None:
        if not superfluous:
            return
        made = [each for each in superfluous if isinstance(each, changes.AddLink)]
        names, marks = {each.name for each in made}, read_marks(self.node)
        links, first = [each for each in made if each.name in marks], None
        # What hangs on links that say whose they are goes with them, and need not be read.
        if not all(marks[each.name].alias == self.alias for each in links) or not all(
            isinstance(each, changes.AddLink) or link_named(each) in names for each in superfluous
        ):
            facts = self.facts(superfluous)
            links = [each for each in links if self._looks_own(each, facts)]
            going = {each.name for each in links}
            rest = (e for e in superfluous if not isinstance(e, changes.AddLink))
            staying = [each for each in rest if link_named(each) not in going]
            first = self._take_back(staying, facts, was)
        first = self._delete(links, marks) or first
        if first is not None:
            raise first

    def _take_back(
        self, some: Sequence[Change], facts: Facts, was: Mapping[str, str]
    ) -> KernelError | None:
        """What is no link; returns the first refusal."""
        first: KernelError | None = None
        for change in some:
            try:
                undo = self._undo_of(change, facts, was)
            except KernelError as error:
                first = first or error
                continue
            if undo is not None:
                first = self._try(undo) or first
        return first

    def _delete(
        self, links: Sequence[changes.AddLink], marks: Mapping[str, LinkMark]
    ) -> KernelError | None:
        """Many at once, as a group of which nobody else is a member."""
        if len(links) == 1:
            return self._try(changes.DelLink(links[0].node, links[0].name))
        group = unused_group({mark.group for mark in marks.values()})
        for start in range(0, len(links), CHUNK):
            some = links[start : start + CHUNK]
            codes = send(self.node, [into_group(marks[e.name].ifindex, group) for e in some])
            for link, code in zip(some, codes, strict=True):
                if code and code not in _GONE:
                    return refused(self.node, link.undo(), code)
                self.node.forget(link.name)
        if not links:
            return None
        (code,) = send(self.node, [delete_group(group)])
        return refused(self.node, links[0].undo(), code) if code and code not in _GONE else None

    def _try(self, change: Change) -> KernelError | None:
        try:
            self._perform(change)
        except KernelError as error:
            return None if error.errno in _GONE else error
        return None

    def _undo_of(self, change: Change, facts: Facts, was: Mapping[str, str]) -> Change | None:
        """What takes it back; None if it is not there, or not as netcont made it.

        Raises KernelError if that cannot be known.
        """
        if isinstance(change, BEYOND):
            return undo_of(change, facts)
        standing = state(change, facts).standing
        if isinstance(change, changes.AddIsolation):
            # Its port's name says whose it is, whatever became of its rules.
            return None if standing is Standing.MISSING else change.undo()
        if standing is not Standing.PRESENT:
            return None
        match change:
            case changes.SetSysctl(key=key):
                if hangs_on_own(change) or key not in was or was[key] == change.value:
                    return None
                return changes.SetSysctl(change.node, key, was[key])
            case changes.SetMaster():
                return changes.SetMaster(change.node, change.link, None)
            case changes.SetBridgePort():
                return changes.SetBridgePort(
                    change.node,
                    change.link,
                    neigh_suppress=False if change.neigh_suppress else None,
                    guard=False if change.guard else None,
                )
            case changes.SetUp():
                return None
            case _:
                return change.undo()

    def _looks_own(self, change: Change, facts: Facts) -> bool:
        """A link says whose it is; one that was made a moment ago may not do so yet."""
        if isinstance(change, changes.AddLink):
            link = facts.links.get(change.name)
            if link is None:
                return False
            if link.alias:
                return link.alias == self.alias
            return state(change, facts).standing is Standing.PRESENT
        if isinstance(change, changes.AddRoute):
            found = facts.routes.get((change.destination, change.table), ())
            return all(route.protocol == ROUTE_PROTOCOL for route in found)
        return True

    def _perform(self, change: Change) -> None:
        Interpreter({self.node.name: self.node}, for_good=True).apply(Plan((change,)))


def _is_own_setting(change: Change) -> bool:
    return isinstance(change, changes.SetSysctl) and hangs_on_own(change)


def _isolations(plan: Iterable[Change], node: Namespace) -> dict[Change, IsolationFact]:
    """How the ports are that a plan keeps apart."""
    wanted = [each for each in plan if isinstance(each, changes.AddIsolation)]
    if not wanted:
        return {}
    from netcont.kernel.isolation import read_isolation

    return {each: read_isolation(each, node) for each in wanted}
