"""--set KEY=VALUE: values put into a scenario's raw mapping before it is checked."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netcont.errors import ConfigurationError
from netcont.model.scenario import default_clients
from netcont.scenarios.problems import Location, dotted

_HOW = "write --set KEY=VALUE, such as --set network.a_b.delay_s=50ms"


@dataclass(frozen=True)
class Override:
    """One value, and where it goes."""

    location: Location
    value: Any


def read_override(text: str) -> Override:
    """KEY=VALUE; the value is read as TOML where it is TOML, and is a text otherwise.

    Raises ConfigurationError if there is no "=" or a part of the key is empty.
    """
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise ConfigurationError(f"--set {text!r} is not KEY=VALUE", remedy=_HOW)
    return Override(tuple(_part(part) for part in parts), _value(value.strip()))


def apply_overrides(raw: dict[str, Any], overrides: Sequence[Override]) -> None:
    """Puts the values into the mapping, in their order.

    Tables that are not there are made; a list grows by one where the index is its length. Raises
    ConfigurationError where the way to a key leads through a value, or past a list's end.
    """
    for override in overrides:
        if override.location[0] == "client" and "client" not in raw:
            raw["client"] = [
                {"kind": c.kind.value, "place": c.place.value, "count": c.count}
                for c in default_clients()
            ]
        _put(raw, override)


def _put(raw: dict[str, Any], override: Override) -> None:
    holder: Any = raw
    way = override.location
    for index, part in enumerate(way[:-1]):
        fresh: Any = [] if isinstance(way[index + 1], int) else {}
        holder = _step(holder, part, way[: index + 1], fresh)
    last = way[-1]
    if isinstance(holder, list):
        _step(holder, last, way, None)
        holder[int(last)] = override.value
    elif isinstance(holder, dict):
        holder[str(last)] = override.value
    else:
        raise _through_a_value(way)


def _step(holder: Any, part: str | int, way: Location, fresh: Any) -> Any:
    """What stands under part, put there fresh if it was not there."""
    if isinstance(holder, dict):
        return holder.setdefault(str(part), fresh)
    if not isinstance(holder, list):
        raise _through_a_value(way)
    if not isinstance(part, int):
        raise ConfigurationError(
            f"--set {dotted(way)}: {dotted(way[:-1])} is a list",
            remedy=f"say which entry: --set {dotted((*way[:-1], 0, way[-1]))}=…",
        )
    if part > len(holder):
        raise ConfigurationError(
            f"--set {dotted(way)}: {dotted(way[:-1])} has {len(holder)} entries",
            remedy=f"count from 0 and use at most {len(holder)}, which adds an entry",
        )
    if part == len(holder):
        holder.append(fresh)
    return holder[part]


def _through_a_value(way: Location) -> ConfigurationError:
    return ConfigurationError(
        f"--set {dotted(way)}: {dotted(way[:-1])} is a value, not a table",
        remedy=f"set {dotted(way[:-1])} itself",
    )


def _part(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return read["value"] if set(read) == {"value"} else text
