"""Plans applied: the only code that changes network state.

Before a change is applied it is written to the journal together with its undo, so that whatever was
done can be taken back in reverse order, also by another process after this one was killed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from netcont.errors import KernelError
from netcont.kernel.lookup import link_state
from netcont.kernel.namespace import Namespace
from netcont.kernel.performing import perform
from netcont.model import plan as changes
from netcont.model.plan import Change, Plan


class Journal(Protocol):
    """Where undos are written before their changes are made."""

    def add(self, undo: Change) -> None:
        """Records what takes the coming change back."""

    def drop(self) -> None:
        """The last record was undone, or its change never happened."""


class MemoryJournal:
    """A journal that lives as long as its process."""

    def __init__(self, pending: Iterable[Change] = ()) -> None:
        self.undos: list[Change] = list(pending)

    def add(self, undo: Change) -> None:
        """See Journal."""
        self.undos.append(undo)

    def drop(self) -> None:
        """See Journal."""
        self.undos.pop()


class Interpreter:
    """Applies plans to the nodes it was given, and undoes them.

    nodes: by name. pending: undos left by an earlier process, oldest first. for_good: nothing
    will be undone, so nothing is remembered (for nodes that end with their namespaces).
    """

    def __init__(
        self,
        nodes: Mapping[str, Namespace],
        journal: Journal | None = None,
        pending: Iterable[Change] = (),
        *,
        for_good: bool = False,
    ) -> None:
        self._for_good = for_good
        self._nodes = nodes
        self._undos: list[Change] = list(pending)
        self._journal = journal or MemoryJournal(self._undos)

    def apply(self, plan: Plan) -> None:
        """Applies every change; if one fails, those of this plan are undone and the error raised.

        Raises KernelError.
        """
        mark = len(self._undos)
        for change in plan:
            try:
                self._apply_one(change)
            except KernelError:
                self._undo_to(mark)
                raise

    def undo(self) -> None:
        """Takes back all that was applied, newest first. What is gone already is passed over."""
        self._undo_to(0)

    def _apply_one(self, change: Change) -> None:
        node = self._node(change)
        if isinstance(change, changes.SetSysctl):
            try:
                change = replace(change, was=node.read_sysctl(change.key))
            except KernelError:
                if change.optional:
                    return
                raise
        if self._for_good:
            perform(change, node)
            return
        undo = _completed(change, node).undo()
        if undo is not None:
            self._journal.add(undo)
            self._undos.append(undo)
        try:
            perform(change, node)
        except KernelError:
            if undo is not None:
                self._undos.pop()
                self._journal.drop()
            raise

    def _undo_to(self, mark: int) -> None:
        while len(self._undos) > mark:
            undo = self._undos.pop()
            try:
                perform(undo, self._node(undo))
            except KernelError as error:
                if error.errno not in _ALREADY_GONE:
                    raise
            self._journal.drop()

    def _node(self, change: Change) -> Namespace:
        try:
            return self._nodes[change.node]
        except KeyError:
            raise KernelError(f"unknown node {change.node!r}") from None


_ALREADY_GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL})


def _completed(change: Change, node: Namespace) -> Change:
    """The change with what its undo must restore."""
    if isinstance(change, changes.SetUp):
        return replace(change, was=link_state(node, change.link).up)
    if isinstance(change, changes.SetMaster):
        return replace(change, was=link_state(node, change.link).master)
    return change
