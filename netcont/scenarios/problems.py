"""What is wrong with a scenario, said so that it can be mended: key, fault, remedy."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netcont.errors import ConfigurationError
from netcont.scenarios.shape import Items, Scalar, Shape, Table, every_key, shape_at

Location = tuple[str | int, ...]
"""The way to a value: ("client", 0, "kind")."""

_BARE = re.compile(r"[A-Za-z0-9_+@-]+")

_SPELLED = {
    "ms": "ms",
    "us": "us",
    "s": "s",
    "sec": "s",
    "secs": "s",
    "seconds": "s",
    "min": "min",
    "minutes": "min",
    "h": "h",
    "bps": "bit/s",
    "kbps": "kbit/s",
    "mbps": "Mbit/s",
    "gbps": "Gbit/s",
    "kbit": "kbit/s",
    "mbit": "Mbit/s",
    "gbit": "Gbit/s",
    "bytes": "B",
    "kb": "kB",
    "mb": "MB",
    "gb": "GB",
    "kib": "KiB",
    "mib": "MiB",
    "gib": "GiB",
}
"""Unit endings that people give to keys, and the unit that each means in a value."""

_ENDINGS = ("_bytes_per_s", "_bytes", "_bps", "_s")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. reads: the other places that the verdict rests on."""

    location: Location
    what: str
    remedy: str
    reads: tuple[Location, ...] = ()

    @property
    def key(self) -> str:
        """The dotted key, as --set takes it."""
        return dotted(self.location)

    def __str__(self) -> str:
        return f"{self.key}: {self.what}; {self.remedy}"


class ScenarioError(ConfigurationError):
    """A scenario says something that cannot be; problems holds everything that is wrong."""

    def __init__(self, problems: Sequence[Problem], sources: Sequence[str]) -> None:
        lines = [f"{source}: {each}" for each, source in zip(problems, sources, strict=True)]
        head = [] if len(lines) == 1 else [f"{len(lines)} things are wrong with the scenario"]
        super().__init__("\n  ".join(head + lines))
        self.problems = tuple(problems)


def dotted(location: Location) -> str:
    """The key as it is written on the command line."""
    parts = (str(part) for part in location)
    return ".".join(p if _BARE.fullmatch(p) else json.dumps(p) for p in parts) or "(the file)"


def shown(value: object) -> str:
    """A value as a message shows it, cut short."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The nearest of the words, if one is near."""
    folded = {each.lower(): each for each in words}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def instruction(shape: Shape, location: Location) -> str:
    """What to write at a place, as the end of a sentence that begins with "write"."""
    if isinstance(shape, Scalar):
        return shape.instruction
    if isinstance(shape, Items) and isinstance(shape.item, Table):
        return f"[[{location[-1]}]] above each table of the list"
    if isinstance(shape, Items):
        return 'a list of texts, such as ["ipip", "gre"]'
    head = ".".join(str(part) for part in location)
    if any(isinstance(part, int) for part in location):
        return f"[[{location[0]}]] above its keys"
    return f"[{head}] above its keys"


def wrong_type(location: Location, value: object) -> Problem:
    """A value of a type that cannot stand there."""
    shape = shape_at(location)
    if shape is None:
        return Problem(location, f"{shown(value)} cannot stand here", "remove it")
    if isinstance(shape, Scalar) and shape.choices and isinstance(value, str):
        near = nearest(value, shape.choices)
        remedy = f'write "{near}"' if near else f"write {shape.instruction}"
        return Problem(location, f"{shown(value)} is not {shape.noun}", remedy)
    told = instruction(shape, location)
    return Problem(location, f"{shown(value)} is not {shape.noun}", f"write {told}")


def out_of_range(location: Location, value: object) -> Problem:
    """A number beyond its bounds, or a text that is too short."""
    shape = shape_at(location)
    if not isinstance(shape, Scalar):
        return wrong_type(location, value)
    what = "the text is empty" if value == "" else f"{shown(value)} is out of range"
    return Problem(location, what, f"write {shape.instruction}")


def missing(location: Location) -> Problem:
    """A key that must be given."""
    shape = shape_at(location)
    told = "it" if shape is None else f"it as {shape.noun}"
    return Problem(location, "missing", f"add {told}")


def unknown_key(location: Location, value: object) -> Problem:
    """A key that does not exist, with the nearest one that does."""
    *way, key = location
    return Problem(location, "unknown key", _nearest_key(tuple(way), str(key), value))


def _nearest_key(way: Location, key: str, value: object) -> str:
    table = shape_at(way)
    if not isinstance(table, Table):
        return "remove it"
    near = _same_but_unit(key, table.members) or nearest(key, table.members)
    if near is not None:
        return _write(near, table.members[near].shape, key, value)
    elsewhere = [path for path in every_key() if key in (path[-1], _stem(path[-1]))]
    if elsewhere:
        return f"there is {' or '.join('.'.join(path) for path in elsewhere[:4])}"
    near = nearest(key, {path[-1] for path in every_key()})
    if near is not None:
        path = next(path for path in every_key() if path[-1] == near)
        return f"the nearest right key is {'.'.join(path)}"
    return f"there are {', '.join(table.members)}"


def _write(key: str, shape: Shape, written: str, value: object) -> str:
    """The right key, and the value with its unit where the unit stood in the wrong key."""
    if not isinstance(shape, Scalar) or shape.dimension is None:
        return f"write {key}"
    unit = _SPELLED.get(written.rpartition("_")[2].lower())
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if unit in shape.dimension.factors and number and _stem(written) == _stem(key):
        return f'write {key} = "{value} {unit}"'
    return f'write {key}, with a value such as "{shape.dimension.example}"'


def _same_but_unit(key: str, keys: Mapping[str, Any]) -> str | None:
    stems = {key, _stem(key)}
    return next((each for each in keys if stems & {each, _stem(each)}), None)


def _stem(key: str) -> str:
    """The key without its unit: "delay" for "delay_s" and for "delay_ms"."""
    for ending in _ENDINGS:
        if key.endswith(ending):
            return key.removesuffix(ending)
    stem, _, last = key.rpartition("_")
    return stem if stem and last.lower() in _SPELLED else key
