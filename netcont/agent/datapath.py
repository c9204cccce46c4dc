"""Plans that stand while something needs them: each known by a key, undone when it is not needed.

What a killed daemon had applied whole is taken over as it is, so that traffic never stops; what it
had applied in part is undone.

pyroute2's sockets run an event loop of their own and cannot be used inside of another one. So the
kernel is spoken to from a thread, and the agent waits for it: nothing may be answered before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from netcont.agent.store import Store
from netcont.errors import KernelError
from netcont.kernel.interpreter import Interpreter
from netcont.kernel.namespace import Namespace
from netcont.model.plan import Plan

T = TypeVar("T")

_ASIDE = " (new)"


class Users:
    """Who uses what of the keys that several share."""

    def __init__(self) -> None:
        self._used: dict[int, frozenset[str]] = {}
        self._count: Counter[str] = Counter()

    def uses(self, user: int, keys: Iterable[str]) -> tuple[str, ...]:
        """user uses these keys from now on, and no others; returns keys that nobody uses now."""
        now, before = frozenset(keys), self._used.pop(user, frozenset())
        if now:
            self._used[user] = now
        self._count.update(now - before)
        self._count.subtract(before - now)
        unused = tuple(sorted(key for key in before - now if not self._count[key]))
        for key in unused:
            del self._count[key]
        return unused


class DataPath:
    """The kernel state of one agent in one namespace; undos are kept in its store.

    enabled False: nothing is ever applied.
    """

    def __init__(self, node: Namespace, store: Store, *, enabled: bool = True) -> None:
        self.node = node
        self.enabled = enabled
        self._thread = ThreadPoolExecutor(1, "kernel")
        self._store = store
        self._plans: dict[str, Plan] = store.applied()

    def __contains__(self, key: str) -> bool:
        return key in self._plans

    def kernel(self, act: Callable[[Namespace], T]) -> T:
        """Does something with the namespace; returns or raises what it does."""
        return self._thread.submit(act, self.node).result()

    def stands(self, key: str, plan: Plan) -> bool:
        """Whether this very plan stands under the key."""
        return self._plans.get(key) == plan

    def once(self, plan: Plan) -> None:
        """Applies a plan that nothing undoes. Raises KernelError."""
        if self.enabled:
            self.kernel(lambda node: Interpreter({node.name: node}, for_good=True).apply(plan))

    def soon(self, plan: Plan, failed: Callable[[KernelError], None]) -> None:
        """As once, but nobody waits for it: after what was asked for before."""

        def apply(node: Namespace) -> None:
            try:
                Interpreter({node.name: node}, for_good=True).apply(plan)
            except KernelError as error:
                failed(error)

        if self.enabled:
            self._thread.submit(apply, self.node)

    def close(self) -> None:
        """Undoes everything, newest first, and ends the thread."""
        try:
            for key in reversed(tuple(self._plans)):
                self.drop(key)
        finally:
            self.hand_over()
            self._thread.shutdown()

    def hand_over(self) -> None:
        """Another data path with the same store goes on; this one holds nothing open."""
        self._thread.submit(self.node.hang_up).result()

    def take_over(self, wanted: Iterable[str]) -> None:
        """Undoes what an earlier daemon left and nobody wants, and what it left in pieces."""
        keep = set(wanted) & self._plans.keys()
        for key in self._store.journalled():
            if key not in keep:
                self._undo(key)
            if key.endswith(_ASIDE) and (replaced := key.removesuffix(_ASIDE)) in keep:
                # It was about to take that one's place, and may have done so in the kernel.
                keep.remove(replaced)
                self._undo(replaced)
        self._plans = {key: plan for key, plan in self._plans.items() if key in keep}

    def ensure(self, key: str, plan: Plan, *, replaces: bool = False) -> None:
        """The plan stands under this key, instead of another one that did.

        replaces: the new plan's changes take the place of the old one's in the kernel, so the old
        one is forgotten, not undone. Raises KernelError; then neither stands, or the old one still
        does.
        """
        before = self._plans.get(key)
        if not self.enabled or before == plan:
            return
        if before is not None and not replaces:
            self.drop(key)
        aside = key + _ASIDE
        journal = self._store.journal(aside)
        self.kernel(lambda node: Interpreter({node.name: node}, journal).apply(plan))
        self._store.rename(aside, key, plan)
        self._plans[key] = plan

    def drop(self, key: str) -> None:
        """What stands under this key is undone. Raises KernelError."""
        if self._plans.pop(key, None) is not None:
            self._undo(key)

    def _undo(self, key: str) -> None:
        pending = self._store.pending(key)
        journal = self._store.journal(key)
        self.kernel(lambda node: Interpreter({node.name: node}, journal, pending).undo())
        self._store.forget_undos(key)
