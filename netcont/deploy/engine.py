"""down, recover, confirm: a record first, then the kernel, then the record again.

    nothing --up--> [record: goal] --changes--> [record: stands]
            <--changes-- [record: goal nothing] <--down--

A process that dies in between leaves a goal behind. Whoever comes next goes back to what stood, or,
where something was being removed or repaired, forward. The record of what stands is the commit.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from netcont.deploy.converge import Kernel
from netcont.deploy.here import is_host, may_change
from netcont.deploy.lock import WAIT_S, Tell, locked, silent, undisturbed
from netcont.deploy.naming import (
    names_of,
    untouched,
    without,
)
from netcont.deploy.record import Confirmation, Record, merged
from netcont.deploy.records import Records
from netcont.errors import ConfigurationError, PrerequisiteError
from netcont.kernel.namespace import Namespace
from netcont.kernel.origin import kernel_origin
from netcont.model.own import ALIAS
from netcont.model.plan import Change, Plan

STATE = Path("/var/lib/netcont/deploy")
RUN = Path("/run/netcont")


@dataclass
class Engine:
    """The deployments of one namespace.

    state_dir: for records and lock together; None: the system's directories. tell: is told what it
    waits for.
    """

    node: Namespace
    state_dir: Path | None = None
    wait_s: float = WAIT_S
    tell: Tell = silent

    def __post_init__(self) -> None:
        here = kernel_origin()
        self.records = Records(self.state_dir or STATE, here)
        self._lock = (self.state_dir or RUN) / f"deploy-{here}.lock"

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

    def _earlier(self, name: str) -> Record | None:
        """Of the last boot, if guests were switched then."""
        return self.records.earlier(name) if is_host() else None

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
