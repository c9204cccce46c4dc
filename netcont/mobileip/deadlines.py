"""Deadlines of many keys: the next one at once, each change in logarithmic time.

A heap with lazy deletion. Moving a deadline further away, which is what every renewal does, does
not touch the heap: the old entry is moved when it comes up. Entries that mean nothing any more
are at most as many as those that do, or the heap is built anew.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_SLACK = 64


class Deadlines(Generic[Key]):
    """One deadline a key, in seconds of the caller's clock; infinity means never."""

    __slots__ = ("_at", "_heap", "_order", "_queued")

    def __init__(self) -> None:
        self._at: dict[Key, float] = {}
        self._queued: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        # Equal deadlines come up in the order in which they were set; keys need no order.
        self._order = 0

    def __len__(self) -> int:
        return len(self._at)

    def set(self, key: Key, at: float) -> None:
        """Give a key its deadline, whatever it had before."""
        self._at[key] = at
        if at < self._queued.get(key, math.inf):
            self._push(key, at)
            if len(self._heap) > 2 * len(self._at) + _SLACK:
                self._rebuild()

    def discard(self, key: Key) -> None:
        """Forget a key; one that has no deadline is fine."""
        self._at.pop(key, None)
        self._queued.pop(key, None)
        if len(self._heap) > 2 * len(self._at) + _SLACK:
            self._rebuild()

    def next(self) -> float | None:
        """The earliest deadline; None if there is none."""
        heap = self._heap
        while heap:
            queued, _, key = heap[0]
            at = self._at.get(key)
            if at == queued:
                return queued
            heapq.heappop(heap)
            if at is not None and self._queued.get(key) == queued:
                self._push(key, at)
        return None

    def take_due(self, now: float) -> list[Key]:
        """The keys whose deadline has come (at or before now), earliest first; they are gone."""
        due = []
        while (at := self.next()) is not None and at <= now:
            key = heapq.heappop(self._heap)[2]
            del self._at[key]
            self._queued.pop(key, None)
            due.append(key)
        return due

    def _push(self, key: Key, at: float) -> None:
        if math.isinf(at):
            self._queued.pop(key, None)
            return
        self._queued[key] = at
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, key))

    def _rebuild(self) -> None:
        self._heap = []
        self._queued = {}
        for key, at in self._at.items():
            if not math.isinf(at):
                self._queued[key] = at
                self._order += 1
                self._heap.append((at, self._order, key))
        heapq.heapify(self._heap)
