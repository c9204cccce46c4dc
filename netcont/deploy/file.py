"""From a TOML file to a checked Deployment, or to everything that is wrong with it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from netcont.deploy.address import canonical
from netcont.deploy.problems import DeploymentError, Problem, nearest
from netcont.deploy.rules import broken_rules
from netcont.errors import ConfigurationError
from netcont.model.deployment import Deployment

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_LISTS = ("tunnel", "extension", "guest")
_WORDS = {"from": "source"}
"""Keys that Python does not take for names, and what the model calls them."""

_SPOKEN = {name: word for word, name in _WORDS.items()}


def load_deployment(path: Path) -> Deployment:
    """The deployment of a TOML file, checked and complete.

    Raises DeploymentError with all that is wrong in it, or ConfigurationError if it cannot be read.
    """
    return check(_parse(path), str(path))


def deployment_name(path_or_name: str) -> str:
    """What a deployment is called: its file's name without the ending.

    Raises ConfigurationError if that is no name.
    """
    name = Path(path_or_name).name.removesuffix(".toml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ConfigurationError(
            f"{path_or_name!r}: {name!r} cannot be the name of a deployment",
            remedy="call the file by letters, digits, '-' and '_', such as web.toml",
        )
    return name


def check(raw: Mapping[str, Any], label: str) -> Deployment:
    """The deployment that a parsed file describes. Raises DeploymentError."""
    from pydantic import ValidationError

    try:
        text = json.dumps(_for_model(raw), default=str)
        deployment = _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        problems = [_problem(each, raw) for each in details]
        raise DeploymentError(label, problems) from None
    problems = broken_rules(deployment)
    if problems:
        raise DeploymentError(label, problems)
    return deployment


def deployment_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of deployment files; it does not know what joins two values."""
    schema: dict[str, Any] = _adapter().json_schema()
    for table in (schema, *schema["$defs"].values()):
        for key, listed in table.get("properties", {}).items():
            if "items" in listed:
                table["properties"][key] = {"anyOf": [listed["items"], listed]}
    guest = schema["$defs"]["Guest"]
    for name, word in _SPOKEN.items():
        guest["properties"][word] = guest["properties"].pop(name)
        guest["required"] = [word if each == name else each for each in guest["required"]]
    for table in (schema, *schema["$defs"].values()):
        if "description" in table:
            table["description"] = " ".join(table["description"].split())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "netcont deployment",
    }


@cache
def _adapter() -> TypeAdapter[Deployment]:
    from pydantic import TypeAdapter

    return TypeAdapter(Deployment)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path}: not TOML: {error}",
            remedy='mend that line; texts stand in quotes: kind = "gre"',
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text", remedy="save it as UTF-8") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path}: nested too deeply", remedy="nest it less") from error
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigurationError(
            f"{path}: cannot be read: {why}", remedy="name a TOML file that you may read"
        ) from error


def _for_model(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Single tables and texts become lists of one; keys get the model's names."""
    made = dict(raw)
    for key in _LISTS:
        if isinstance(made.get(key), Mapping):
            made[key] = [made[key]]
        if isinstance(made.get(key), list):
            made[key] = [_table(each) for each in made[key]]
    if isinstance(made.get("side"), Mapping):
        made["side"] = {name: _table(side) for name, side in made["side"].items()}
    return made


def _table(value: Any) -> Any:
    """A side, a tunnel, an extension or a guest."""
    if not isinstance(value, Mapping):
        return value
    made = {}
    for key, inner in value.items():
        if key in _PER_SIDE and isinstance(inner, Mapping):
            inner = {side: _texts(each) for side, each in inner.items()}
        elif key in _SEVERAL:
            inner = _texts(inner)
        elif key in _SINGLE:
            inner = _written(inner)
        # The model's own name for a key is none: it is given one that does not exist.
        made[_WORDS.get(key, f"{key} " if key in _SPOKEN else key)] = inner
    return made


_PER_SIDE = frozenset({"addresses", "routes"})
_SEVERAL = frozenset({"prefix", "head_end"})
_SINGLE = frozenset({"address", "gateway"})


def _texts(value: Any) -> Any:
    return [_written(each) for each in (value if isinstance(value, list) else [value])]


def _written(value: Any) -> Any:
    """IPv6 has many spellings; from here on, the kernel's."""
    return canonical(value) if isinstance(value, str) else value


_WHAT = {
    "greater_than_equal": "is out of range",
    "less_than_equal": "is out of range",
    "string_too_short": "is empty",
}


def _problem(detail: Any, raw: Mapping[str, Any]) -> Problem:
    """What pydantic found, in the words of this program."""
    location = list(detail["loc"])
    key = ".".join(_in_file(location, raw))
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "unexpected_keyword_argument":
        return Problem(key, "unknown key", _which_key(location))
    if kind == "missing":
        return Problem(key, "missing", "add it")
    what = f"{_shown(value)} {_WHAT.get(kind, 'cannot stand here')}"
    bounds = _bounds(location)
    if bounds and kind != "string_too_short":
        return Problem(key, what, f"write a whole number, {bounds}")
    if kind == "enum":
        return Problem(key, what, f"write {str(context.get('expected')).replace(chr(39), chr(34))}")
    expected = detail["msg"].removeprefix("Input should be ").removeprefix("Input should ")
    return Problem(
        key, what, f"it should be {expected}" if kind != "string_too_short" else "fill it"
    )


def _in_file(location: Sequence[str | int], raw: Any) -> Iterator[str]:
    """The keys as they are written, without numbers where the file has no list."""
    for part in location:
        if isinstance(part, int) and not isinstance(raw, list):
            continue
        word = _SPOKEN.get(str(part), str(part).strip())
        yield word
        if isinstance(part, int):
            raw = raw[part]
        else:
            raw = raw.get(word) if isinstance(raw, Mapping) else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _which_key(location: list[str | int]) -> str:
    table = _class_at(location[:-1])
    names = [] if table is None else [_SPOKEN.get(f.name, f.name) for f in fields(table)]
    near = nearest(str(location[-1]).strip(), names)
    if near:
        return f"did you mean {near}?"
    return f"there are {', '.join(names)}" if names else "remove it"


def _class_at(location: list[str | int]) -> Any:
    cls: Any = Deployment
    for part in location:
        if isinstance(part, int):
            continue
        hint = get_type_hints(cls).get(part) if is_dataclass(cls) else None
        inner = next((each for each in get_args(hint) if is_dataclass(each)), hint)
        cls = inner
    return cls if is_dataclass(cls) else None


def _bounds(location: list[str | int]) -> str:
    from annotated_types import Ge, Le

    table = _class_at(location[:-1])
    if table is None or not isinstance(location[-1], str):
        return ""
    hint = get_type_hints(table, include_extras=True).get(location[-1])
    annotated = [hint, *get_args(hint)]
    found = [meta for each in annotated for meta in getattr(each, "__metadata__", ())]
    low = next((each.ge for each in found if isinstance(each, Ge)), None)
    high = next((each.le for each in found if isinstance(each, Le)), None)
    return "" if low is None or high is None else f"at least {low} and at most {high}"
