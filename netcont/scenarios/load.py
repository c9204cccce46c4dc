"""From a file to a Scenario, or to everything that is wrong with it.

Four steps: the text is found and read as TOML; --set values are put in; every value is checked by
itself (by pydantic, against the dataclasses); what must hold between values is checked. Values
that are wrong are set aside and the checks go on, so that one look shows all there is to mend.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from netcont.approach import default_approaches, find, require_suited
from netcont.errors import ConfigurationError
from netcont.model.scenario import Scenario
from netcont.scenarios.builtin import builtin_names, builtin_text
from netcont.scenarios.overrides import Override, apply_overrides, read_override
from netcont.scenarios.problems import (
    Location,
    Problem,
    ScenarioError,
    missing,
    nearest,
    out_of_range,
    unknown_key,
    wrong_type,
)
from netcont.scenarios.rules import broken_rules, unsuited_approaches
from netcont.scenarios.shape import NONE, SCENARIO, Items, Names, Scalar, Shape, Table, shape_at

_DEEPEST = 32
_INT64 = 2**63


def load_scenario(
    name_or_path: str, overrides: Sequence[str] = (), *, approaches: Sequence[str] = ()
) -> Scenario:
    """The scenario of a built-in name or of a TOML file, checked and complete.

    overrides: "KEY=VALUE" texts with dotted keys ("client.0.count=3"). approaches: run these
    instead of the scenario's own; its thresholds for others are dropped. Where neither names any,
    the result names the default ones; a file that gives no name is named after itself.

    Raises ScenarioError with all that is wrong in the file, or ConfigurationError if it cannot be
    found, read or parsed, or if an override or an approach is wrong.
    """
    read = [read_override(text) for text in overrides]
    for name in approaches:
        find(name)
    label, text = scenario_text(name_or_path)
    raw = _parse(text, label)
    raw.setdefault("name", _own_name(name_or_path))
    apply_overrides(raw, read)
    scenario = check_mapping(raw, label, set_by=read, replaced=bool(approaches))
    for name in approaches:
        require_suited(name, scenario.network)
    return _running(scenario, tuple(dict.fromkeys(approaches))) if approaches else scenario


def scenario_text(name_or_path: str) -> tuple[str, str]:
    """How to call it in messages, and its TOML text.

    A built-in name goes before a file of that name (write ./NAME for the file). Raises
    ConfigurationError if there is neither, or if the file cannot be read as text.
    """
    if name_or_path in builtin_names():
        return f"{name_or_path} (built in)", builtin_text(name_or_path)
    if not name_or_path:
        raise _not_found('""')
    try:
        return name_or_path, Path(name_or_path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise _not_found(name_or_path) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{name_or_path}: line {line} is not UTF-8 text", remedy="save the file as UTF-8"
        ) from error
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigurationError(
            f"{name_or_path}: cannot be read: {why}",
            remedy="name a TOML file that you may read, or a built-in scenario",
        ) from error


def check_mapping(
    raw: Mapping[str, Any],
    label: str,
    *,
    set_by: Sequence[Override] = (),
    replaced: bool = False,
) -> Scenario:
    """The scenario that a parsed file describes; label and set_by say where values came from.
    replaced: other approaches will be run, so the file's own need not suit its network.

    Raises ScenarioError, and nothing else, whatever the mapping holds.
    """
    found = _Findings()
    sound = _sound(raw, SCENARIO, (), found)
    scenario = _validated(sound, found)
    if scenario is not None:
        chosen = scenario.approaches or default_approaches(scenario.network)
        for problem in broken_rules(scenario, chosen):
            found.add(problem)
        if not replaced:
            for problem in unsuited_approaches(scenario):
                found.add(problem)
        if not found.problems:
            return replace(scenario, approaches=tuple(chosen))
    origins = [_origin(each.location, label, set_by) for each in found.problems]
    raise ScenarioError(found.problems, origins)


class _Findings:
    """The problems so far. Of one place, and of what rests on it, only the first is kept."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, problem: Problem) -> None:
        places = (problem.location, *problem.reads)
        if not any(_related(place, each.location) for place in places for each in self.problems):
            self.problems.append(problem)


def _related(one: Location, other: Location) -> bool:
    """Whether one place is the other, or lies within it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


@cache
def _adapter() -> TypeAdapter[Scenario]:
    return TypeAdapter(Scenario)


def _validated(sound: dict[str, Any], found: _Findings) -> Scenario | None:
    """The scenario, with wrong values replaced by right ones once their problems are noted."""
    for _ in range(_DEEPEST):
        try:
            return _adapter().validate_json(json.dumps(sound), strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False)
        for detail in details:
            location = detail["loc"]
            value = None if detail["type"] == "missing" else _value_at(sound, location)
            found.add(_problem(detail["type"], location, value, detail.get("ctx", {})))
        for detail in details:
            _mend(sound, detail["loc"])
    return None


_BY_TYPE: dict[str, Callable[[Location, object], Problem]] = {
    "unexpected_keyword_argument": unknown_key,
    "string_too_short": out_of_range,
    "greater_than": out_of_range,
    "greater_than_equal": out_of_range,
    "less_than": out_of_range,
    "less_than_equal": out_of_range,
}


def _problem(kind: str, location: Location, value: object, context: Mapping[str, Any]) -> Problem:
    """What pydantic found, in the words of this program."""
    if kind == "missing":
        return missing(location)
    cause = getattr(context.get("error"), "__cause__", None)
    if isinstance(cause, ConfigurationError):
        return Problem(location, cause.message, cause.remedy)
    return _BY_TYPE.get(kind, wrong_type)(location, value)


def _value_at(raw: Any, location: Location) -> Any:
    for part in location:
        raw = raw[part]
    return raw


def _mend(raw: dict[str, Any], location: Location) -> None:
    """Puts something right in the place of what is wrong; a default where there is one."""
    holder = _value_at(raw, location[:-1])
    last = location[-1]
    shape = shape_at(location)
    above = shape_at(location[:-1])
    stays = isinstance(holder, list) or (isinstance(above, Table) and _required(above, last))
    if shape is not None and stays:
        holder[last] = _placeholder(shape)
    else:
        holder.pop(last, None)


def _required(table: Table, key: str | int) -> bool:
    return key in table.members and table.members[str(key)].required


def _placeholder(shape: Shape) -> Any:
    match shape:
        case Scalar(only=(first, *_)):
            return first
        case Scalar(kind=kind) if kind in (int, float):
            return next(limit for limit in (shape.ge, shape.le, 1) if limit is not None)
        case Scalar(kind=kind) if kind is bool:
            return False
        case Scalar():
            return shape.choices[0] if shape.choices else "placeholder"
        case Table():
            return {k: _placeholder(m.shape) for k, m in shape.members.items() if m.required}
        case Items():
            return []
        case Names():
            return {}


def _sound(raw: Any, shape: Shape | None, location: Location, found: _Findings) -> Any:
    """A copy that JSON can hold. What it cannot hold is noted and becomes null."""
    if isinstance(raw, str) and raw == NONE and _says_none(shape):
        return None
    if raw is None or isinstance(raw, bool):
        return raw
    what = _unsound(raw, location)
    if what is not None:
        told = "write" if isinstance(shape, Scalar) else "remove it, or write"
        instruction = shape.instruction if isinstance(shape, Scalar) else "what belongs there"
        found.add(Problem(location, what, f"{told} {instruction}"))
        return None
    if isinstance(raw, Mapping):
        inner: dict[str, Any] = {}
        for key, value in raw.items():
            if not isinstance(key, str) or _undecodable(key):
                found.add(Problem((*location, ascii(key)), "is not a key", "remove it"))
                continue
            inner[key] = _sound(value, shape_at((*location, key)), (*location, key), found)
        return inner
    if isinstance(raw, list | tuple):
        item = shape_at((*location, 0))
        return [_sound(each, item, (*location, i), found) for i, each in enumerate(raw)]
    return raw


def _says_none(shape: Shape | None) -> bool:
    match shape:
        case Scalar():
            return shape.says_none
        case Table():
            return shape.nullable
        case _:
            return False


def _unsound(raw: Any, location: Location) -> str | None:
    """Why JSON cannot hold this value; None if it can."""
    match raw:
        case float() if not math.isfinite(raw):
            return f"{raw} is not a finite number"
        case int() if not -_INT64 <= raw < _INT64:
            return "is a number of more than 64 bits"
        case str() if _undecodable(raw):
            return "is not text"
        case Mapping() | list() | tuple() if len(location) >= _DEEPEST:
            return "is nested too deeply"
        case int() | float() | str() | Mapping() | list() | tuple():
            return None
        case _:
            return f"a {type(raw).__name__} cannot stand here"


def _undecodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _origin(location: Location, label: str, set_by: Sequence[Override]) -> str:
    return "--set" if any(_related(location, each.location) for each in set_by) else label


def _running(scenario: Scenario, approaches: tuple[str, ...]) -> Scenario:
    """The scenario with these approaches instead of its own."""
    expect = scenario.expect
    kept = {
        threshold: {k: v for k, v in getattr(expect, threshold).items() if k in approaches}
        for threshold in ("max_broken", "max_gap_s", "max_downtime_s")
    }
    return replace(scenario, approaches=approaches, expect=replace(expect, **kept))


def _parse(text: str, label: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = re.search(r" \(at (line \d+, column \d+|end of document)\)$", said)
        where = f"{place[1]}: " if place else ""
        what = said[: place.start()] if place else said
        raise ConfigurationError(
            f"{label}: {where}not TOML: {what}",
            remedy='mend that line; texts stand in quotes: delay_s = "50 ms"',
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{label}: not TOML: {error}", remedy="shorten the number, or nest less deeply"
        ) from error


def _own_name(name_or_path: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", Path(name_or_path).stem).strip(".-_")
    return stem[:64] or "scenario"


def _not_found(name_or_path: str) -> ConfigurationError:
    names = builtin_names()
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return ConfigurationError(
            f"{name_or_path}: there is no such file",
            remedy=f"name a TOML file, or one of {', '.join(names)}",
        )
    near = nearest(name_or_path, names)
    hint = f"did you mean {near}? " if near else ""
    return ConfigurationError(
        f"{name_or_path}: there is no such built-in scenario, and no such file",
        remedy=f"{hint}there are {', '.join(names)}",
    )
