"""Spans of time and what is left of them: overlap, difference, union, length. Seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Interval = tuple[float, float]


def overlap(spans: Iterable[Interval], other: Sequence[Interval]) -> tuple[Interval, ...]:
    """The parts of spans that lie within any of other; empty parts are left out."""
    parts = (
        (max(start, low), min(end, high)) for start, end in spans for low, high in union(other)
    )
    return tuple((start, end) for start, end in parts if start < end)


def without(spans: Iterable[Interval], hole: Interval) -> tuple[Interval, ...]:
    """The parts of spans outside hole; empty parts are left out. An inverted hole is none."""
    low, high = hole
    if low >= high:
        return tuple(spans)
    parts = (
        part for start, end in spans for part in ((start, min(end, low)), (max(start, high), end))
    )
    return tuple((start, end) for start, end in parts if start < end)


def union(spans: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same instants as disjoint spans in ascending order."""
    merged: list[Interval] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def shifted(spans: Iterable[Interval], by_s: float) -> tuple[Interval, ...]:
    """The same spans by_s later."""
    return tuple((start + by_s, end + by_s) for start, end in spans)


def length_s(spans: Iterable[Interval]) -> float:
    """How long disjoint spans are together."""
    return sum(end - start for start, end in spans)
