"""up, down, recover, confirm: a record first, then the kernel, then the record again.

    nothing --up--> [record: goal] --changes--> [record: stands]
            <--changes-- [record: goal nothing] <--down--

A process that dies in between leaves a goal behind. Whoever comes next goes back to what stood, or,
where something was being removed or repaired, forward. The record of what stands is the commit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from netcont.deploy.beyond import objections
from netcont.deploy.converge import Kernel
from netcont.deploy.end import ALIAS
from netcont.deploy.half import Half
from netcont.deploy.here import is_host, may_change
from netcont.deploy.lock import WAIT_S, Tell, locked, silent, undisturbed
from netcont.deploy.modules import missing_kinds
from netcont.deploy.naming import (
    as_told,
    names_of,
    resolved,
    untouched,
    wait_until_all_servers_agree,
    without,
)
from netcont.deploy.record import Confirmation, Record, merged
from netcont.deploy.records import Records
from netcont.deploy.refusals import refusals
from netcont.deploy.standing import hangs_on_own
from netcont.deploy.wish import Wish
from netcont.errors import ConfigurationError, KernelError, NetcontError, PrerequisiteError
from netcont.kernel.facts import Facts
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.lookup import link_mac
from netcont.kernel.namespace import Namespace
from netcont.kernel.origin import kernel_origin
from netcont.model import plan as changes
from netcont.model.plan import Announce, Change, Plan

STATE = Path("/var/lib/netcont/deploy")
RUN = Path("/run/netcont")

ANNOUNCING_S = 1.5
"""How long the repeats of an announcement take (see netcont.model.plan.Announce)."""

Watch = Callable[[str, str, float], None]
"""Starts what reverts the deployment of that name and token at that time on CLOCK_BOOTTIME."""


@dataclass
class Engine:
    """The deployments of one namespace.

    state_dir: for records and lock together; None: the system's directories. announcing_s: how long
    `up` stays for its announcements. tell: is told what it waits for.
    """

    node: Namespace
    state_dir: Path | None = None
    wait_s: float = WAIT_S
    announcing_s: float = ANNOUNCING_S
    tell: Tell = silent

    def __post_init__(self) -> None:
        here = kernel_origin()
        self.records = Records(self.state_dir or STATE, here)
        self._lock = (self.state_dir or RUN) / f"deploy-{here}.lock"

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

    def down(self, name: str, *, names: bool = False) -> Record | None:
        """Takes back all that the record names; returns that, None if there was nothing.

        names: those too; else they stay where the last switch put them.
        Raises KernelError with the first refusal: all else is gone then, and down can be repeated.
        """
        with self._working():
            record = self.records.read(name)
            if record is None:
                self.records.remove(name)
            else:
                self._undo(record, () if names else names_of(record.stands))
            return record

    def is_switched(self, name: str, record: Record | None) -> bool:
        """Whether guests are turned to the other side, or were when this host was booted again.

        record: that of the deployment.
        """
        if record is not None:
            return record.switched
        return self._earlier(name) is not None

    def recover(self, name: str | None = None) -> list[str]:
        """Completes or takes back what a killed process left; returns what was done, in words."""
        said = []
        with self._working():
            for each in self.records.names() if name is None else (name,):
                before = self.records.read(each)
                after = self._settled(each)
                if before != after:
                    said.append(f"{each}: {'stands as before' if after else 'taken back'}")
        return said

    def confirm(self, name: str) -> None:
        """What was changed stays. Raises ConfigurationError if nothing waits for that."""
        with self._working():
            record = self._settled(name)
            if record is None or record.confirmation is None:
                raise ConfigurationError(
                    f"{name}: nothing waits to be confirmed",
                    remedy="it was confirmed or reverted already: `netcont status` shows which",
                )
            self.records.write(replace(record, confirmation=None))

    def revert(self, name: str, token: str) -> bool:
        """The time is over: what was not confirmed is taken back; returns whether it was."""
        with self._working():
            record = self.records.read(name)
            due = record.confirmation if record else None
            if record is None or due is None or due.token != token:
                return False
            self._revert(record, due)
            return True

    # ---- what all of them do

    @contextmanager
    def _working(self) -> Iterator[None]:
        if not may_change():
            raise PrerequisiteError(
                "changing links and routes needs CAP_NET_ADMIN", remedy="run as root"
            )
        with locked(self._lock, self.wait_s, self.tell), undisturbed():
            yield

    def _as_asked(self, half: Half, *, switched: bool) -> Half:
        """The same object, if nothing is another: it remembers its plan."""
        directory = self.records.directory if half.deployment.home_agent else ""
        if (half.switched, half.directory) == (switched, directory):
            return half
        return replace(half, switched=switched, directory=directory)

    def _earlier(self, name: str) -> Record | None:
        """Of the last boot, if guests were switched then."""
        return self.records.earlier(name) if is_host() else None

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

    def _kernel(self, name: str) -> Kernel:
        return Kernel(self.node, f"{ALIAS} {name}")

    def _settled(self, name: str) -> Record | None:
        """The record, once what a killed process left is completed or taken back."""
        record = self.records.read(name)
        if record is None:
            return None
        due = record.confirmation
        if due is not None and time.clock_gettime(time.CLOCK_BOOTTIME) >= due.due_s:
            return self._revert(record, due)
        if record.goal is None:
            return record
        target = record.goal if record.forward else record.stands
        left = untouched(record.stands, target, record.goal)
        return self._return_to(record, target, left, switched=record.switched)

    def _revert(self, record: Record, due: Confirmation) -> Record | None:
        left = untouched(record.stands, due.back, record.goal)
        stands = merged(record.stands, due.back)
        record = replace(record, stands=stands, ends=due.back_ends, confirmation=None)
        return self._return_to(record, due.back, left, switched=due.back_switched)

    def _return_to(
        self, record: Record, target: Plan, left: frozenset[Change], *, switched: bool
    ) -> Record | None:
        if not target.changes:
            self._undo(record)
            return None
        # A name that is in what stands and in the goal as well is untouched.
        stands = without(record.known, set(names_of(target)) - left)
        self.records.write(replace(record, stands=stands, goal=target, forward=True))
        kernel = self._kernel(record.name)
        kernel.left = left
        kernel.converge(record.known, target, record.was)
        settled = replace(record.settled(target), switched=switched, confirmation=None)
        self.records.write(settled)
        return settled

    def _undo(self, record: Record, left: Collection[Change] = ()) -> None:
        known = without(record.known, left)
        # Settings that another deployment needs stay.
        others = self._others(record.name)
        was = {key: value for key, value in record.was.items() if key not in others}
        leaving = replace(
            record, stands=known, goal=Plan(), forward=True, was=was, confirmation=None
        )
        self.records.write(leaving)
        self._kernel(record.name).converge(known, Plan(), was)
        self.records.remove(record.name)

    def _others(self, name: str) -> dict[str, str]:
        """What settings were before netcont, as other deployments that need them know."""
        found: dict[str, str] = {}
        for each in self.records.names():
            other = self.records.read(each) if each != name else None
            found |= other.was if other is not None else {}
        return found

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
