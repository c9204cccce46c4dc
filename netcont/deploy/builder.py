"""up: one side of a deployment made to stand, whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from netcont.deploy.beyond import objections
from netcont.deploy.engine import Engine
from netcont.deploy.half import Half
from netcont.deploy.here import is_host
from netcont.deploy.modules import missing_kinds
from netcont.deploy.naming import (
    as_told,
    names_of,
    resolved,
    untouched,
    wait_until_all_servers_agree,
)
from netcont.deploy.record import Confirmation, Record, merged
from netcont.deploy.refusals import refusals
from netcont.deploy.standing import hangs_on_own
from netcont.deploy.wish import Wish
from netcont.errors import ConfigurationError, KernelError, NetcontError, PrerequisiteError
from netcont.kernel.facts import Facts
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.lookup import link_mac
from netcont.model import plan as changes
from netcont.model.plan import Announce, Plan

ANNOUNCING_S = 1.5
"""How long the repeats of an announcement take (see netcont.model.plan.Announce)."""

Watch = Callable[[str, str, float], None]
"""Starts what reverts the deployment of that name and token at that time on CLOCK_BOOTTIME."""


@dataclass
class Builder(Engine):
    """An engine that makes deployments stand too.

    announcing_s: how long `up` stays for its announcements.
    """

    announcing_s: float = ANNOUNCING_S

    def up(
        self,
        half: Half,
        source: str,
        *,
        switched: bool | None = None,
        names: bool = True,
        confirm_within_s: float | None = None,
        watch: Watch | None = None,
        patience_s: float | None = None,
    ) -> bool:
        """Makes a side stand, whole or not at all; returns whether anything had to be done.

        switched None: as it is now, or was before this host was booted again. names False: those
        are left as they are. patience_s: how long the other side is waited for when the path to it
        is measured; None: it is not. Raises KernelError, PrerequisiteError or ConfigurationError;
        DnsError if names have moved, but not all of their servers know yet.
        """
        told = switched is not None and names
        with self._working():
            wish = self._wish(half, source, switched, told=told)
            if wish.stands:
                return False
            if kinds := missing_kinds(wish.goal, wish.facts):
                raise PrerequisiteError("\n  ".join(kinds))
            if patience_s is not None:
                self._refuse_narrow(wish.half, wish.before.stands, patience_s)
            begun = self._begun(wish, source)
            if confirm_within_s is not None and watch is not None:
                begun = replace(begun, confirmation=_due(wish.before, confirm_within_s))
            self.records.write(begun)
            if begun.confirmation is not None and watch is not None:
                self._watched(begun.confirmation, watch, wish.before)
            self._go(wish, begun)
            settled = begun.settled(wish.goal)
            self.records.write(replace(settled, switched=wish.half.switched, ends=wish.ends))
        self._announce(wish.half)
        if told:
            wait_until_all_servers_agree(names_of(merged(wish.before.stands, wish.goal)))
        return True

    # ---- its parts

    def _as_asked(self, half: Half, *, switched: bool) -> Half:
        """The same object, if nothing is another: it remembers its plan."""
        directory = self.records.directory if half.deployment.home_agent else ""
        if (half.switched, half.directory) == (switched, directory):
            return half
        return replace(half, switched=switched, directory=directory)

    def _fresh(self, half: Half, source: str) -> Record:
        """Of this boot nothing stands yet; but names do not know of boots."""
        fresh = Record(half.name, half.side.value, source, host=is_host())
        earlier = self._earlier(half.name)
        if earlier is None:
            return fresh
        return replace(fresh, stands=Plan(names_of(earlier.stands)), switched=True)

    def _watched(self, due: Confirmation, watch: Watch, before: Record) -> None:
        """Starts the watch; without it nothing is changed, and the record says so."""
        try:
            watch(before.name, due.token, due.due_s)
        except NetcontError:
            if before.stands.changes:
                self.records.write(before)
            else:
                self.records.remove(before.name)
            raise

    def _wish(self, half: Half, source: str, switched: bool | None, *, told: bool) -> Wish:
        """What is to stand and what does. told: whether names are to move as well. Raises
        ConfigurationError with all that is against it."""
        record = self._settled(half.name)
        _same_side(record, half)
        if switched is None:
            switched = self.is_switched(half.name, record)
        half = self._as_asked(half, switched=switched)
        record = record or self._fresh(half, source)
        goal = as_told(half.plan(), record.stands, told=told)
        kernel = self._kernel(half.name)
        kernel.left = frozenset() if told else frozenset(names_of(goal))
        facts = kernel.facts(merged(record.stands, goal))
        goal = resolved(goal, record.stands, facts)
        self._refuse(half, goal, record.stands, facts)
        return Wish(half, record, goal, kernel, facts)

    def _begun(self, wish: Wish, source: str) -> Record:
        """The record of what is about to be changed."""
        goal, before = wish.goal, wish.before
        was = self._was(wish.half.name, goal, wish.facts) | before.was
        return replace(before, source=source, goal=goal, forward=before.stands == goal, was=was)

    def _was(self, name: str, goal: Plan, facts: Facts) -> dict[str, str]:
        """Settings that are not of netcont's links, as they were before netcont.

        Raises KernelError if this kernel has none of that name.
        """
        found = {}
        for each in goal:
            if isinstance(each, changes.SetSysctl) and not hangs_on_own(each):
                if each.key not in facts.sysctls:
                    raise KernelError(f"{each.key}: this kernel has no such setting")
                found[each.key] = facts.sysctls[each.key]
        others = self._others(name)
        return {key: others.get(key, value) for key, value in found.items()}

    def _go(self, wish: Wish, begun: Record) -> None:
        """To the goal, or, if the kernel refuses, back to what stood. Raises the first error."""
        try:
            wish.kernel.meanwhile = lambda: wish.ends
            wish.kernel.converge(begun.stands, wish.goal, begun.was, wish.facts)
        except BaseException as error:
            # What was not made by now is not netcont's, whatever it looks like.
            made = Plan(tuple(wish.kernel.made))
            try:
                self._back(begun, wish.before, made)
            except NetcontError as second:
                if isinstance(error, NetcontError):
                    error.remedy = f"`netcont recover {begun.name}`: going back failed: {second}"
            raise

    def _back(self, begun: Record, before: Record, made: Plan) -> None:
        if before.stands == begun.goal:
            self.records.write(before)
        elif before.stands.changes:
            known = merged(before.stands, made)
            back = self._kernel(begun.name)
            back.left = untouched(before.stands, before.stands, begun.goal)
            back.converge(known, before.stands, begun.was)
            self.records.write(before)
        else:
            self._undo(replace(begun, stands=made, goal=None))

    def _refuse(self, half: Half, goal: Plan, known: Plan, facts: Facts) -> None:
        found = refusals(half, goal, known, facts, self.node)
        found = found or list(objections(goal, known, facts))
        if found:
            raise ConfigurationError(f"{half.name}: " + "\n  ".join(found))

    def _refuse_narrow(self, half: Half, stands: Plan, patience_s: float) -> None:
        from netcont.deploy.narrow import narrow
        from netcont.kernel.asking import Asker

        with Asker(self.node) as asker:
            found = narrow(half, stands, asker, patience_s)
        if found:
            raise ConfigurationError(
                f"{half.name}: " + "\n  ".join(found), remedy="do so, or --no-probe to try it"
            )

    def _announce(self, half: Half) -> None:
        """Says where guests are, so that ARP caches and switches learn it."""
        said = []
        for change in half.announcements():
            if isinstance(change, Announce) and not change.mac:
                change = replace(change, mac=link_mac(self.node, change.link))
            said.append(change)
        Interpreter({self.node.name: self.node}, for_good=True).apply(Plan(tuple(said)))
        if said:
            time.sleep(self.announcing_s)


def _due(record: Record, within_s: float) -> Confirmation:
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    token = os.urandom(16).hex()
    return Confirmation(token, now_s + within_s, record.stands, record.switched, record.ends)


def _same_side(record: Record | None, half: Half) -> None:
    if record is not None and record.side != half.side.value:
        raise ConfigurationError(
            f"{half.name} is up here as side {record.side}, not {half.side.value}",
            remedy=f"write --side {record.side}, or `netcont down {half.name}` first",
        )
