"""What a value in a deployment file may be: read strictly, and described by a JSON Schema.

The kinds are derived from the annotations of netcont.model.deployment. pydantic would do the same;
importing it takes longer than reading a thousand tunnels.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Annotated, Any, NamedTuple, Protocol, get_args, get_origin, get_type_hints

from netcont.deploy.address import canonical
from netcont.deploy.problems import Problem, nearest
from netcont.model.deployment import Between, Key

Schema = dict[str, Any]


class Kind(Protocol):
    """One kind of value."""

    def read(self, value: Any, key: str, problems: list[Problem]) -> Any:
        """The value as the model has it; what is wrong with it goes to problems."""

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """Its JSON Schema; tables go to definitions."""


class Text:
    """A text that is not empty."""

    def read(self, value: Any, key: str, problems: list[Problem]) -> Any:
        """See Kind. IPv6 has many spellings; from here on, the kernel's."""
        if not isinstance(value, str):
            problems.append(_cannot(key, value, "write a text, in quotes"))
        elif not value:
            problems.append(Problem(key, f"{value!r} is empty", "fill it, or remove the key"))
        elif ":" in value:
            return canonical(value)
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """See Kind."""
        return {"type": "string", "minLength": 1}


class Flag:
    """true or false."""

    def read(self, value: Any, key: str, problems: list[Problem]) -> Any:
        """See Kind."""
        if not isinstance(value, bool):
            problems.append(_cannot(key, value, "write true or false"))
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """See Kind."""
        return {"type": "boolean"}


class Number(NamedTuple):
    """A whole number."""

    low: int
    high: int

    def read(self, value: Any, key: str, problems: list[Problem]) -> Any:
        """See Kind."""
        remedy = f"write a whole number, at least {self.low} and at most {self.high}"
        if not isinstance(value, int) or isinstance(value, bool):
            problems.append(_cannot(key, value, remedy))
        elif not self.low <= value <= self.high:
            problems.append(Problem(key, f"{value} is out of range", remedy))
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """See Kind."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Word(NamedTuple):
    """One of a few words."""

    words: type[StrEnum]

    def read(self, value: Any, key: str, problems: list[Problem]) -> Any:
        """See Kind."""
        found = _words(self.words).get(value) if isinstance(value, str) else None
        if found is None:
            known = " or ".join(f'"{each.value}"' for each in self.words)
            problems.append(_cannot(key, value, f"write {known}"))
        return found

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """See Kind."""
        return {"enum": [each.value for each in self.words]}


class Several(NamedTuple):
    """A list; a list of one may be written as the one alone."""

    item: Kind

    def read(self, value: Any, key: str, problems: list[Problem]) -> Any:
        """See Kind."""
        if not isinstance(value, list):
            return (self.item.read(value, key, problems),)
        read = self.item.read
        return tuple([read(each, f"{key}.{n}", problems) for n, each in enumerate(value)])

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """See Kind."""
        item = self.item.schema(definitions)
        return {"anyOf": [item, {"type": "array", "items": item}]}


class Member(NamedTuple):
    """A key of a table. name: the model's. default: where it is plain; None: nothing to show."""

    name: str
    kind: Kind
    required: bool
    default: Any


class Table(NamedTuple):
    """A table, which becomes an object of a class; members by their keys."""

    made: Any
    members: Mapping[str, Member]

    def read(self, value: Any, key: str, problems: list[Problem]) -> Any:
        """See Kind; None if something was wrong."""
        if not isinstance(value, Mapping):
            problems.append(_cannot(key, value, f"write a table: [{key}]"))
            return None
        before, place, found = len(problems), f"{key}." if key else "", {}
        for word, inner in value.items():
            member = self.members.get(word)
            if member is None:
                problems.append(Problem(f"{place}{word}", "unknown key", self._which(word)))
            else:
                found[member.name] = member.kind.read(inner, place + word, problems)
        for word, member in self.members.items():
            if member.required and word not in value:
                problems.append(Problem(f"{place}{word}", "missing", "add it"))
        return self.made(**found) if len(problems) == before else None

    def _which(self, word: str) -> str:
        near = nearest(word, self.members)
        return f"did you mean {near}?" if near else f"there are {', '.join(self.members)}"

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """See Kind."""
        name = self.made.__name__
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = self._definition(definitions)
        return {"$ref": f"#/$defs/{name}"}

    def _definition(self, definitions: dict[str, Schema]) -> Schema:
        properties = {}
        for word, member in self.members.items():
            properties[word] = member.kind.schema(definitions)
            if member.default is not None:
                properties[word] = {**properties[word], "default": member.default}
        return {
            "type": "object",
            "description": " ".join((inspect.getdoc(self.made) or "").split()),
            "additionalProperties": False,
            "properties": properties,
            "required": [word for word, member in self.members.items() if member.required],
        }


@cache
def table_of(made: type) -> Table:
    """The table that a class of the model is written as."""
    given, members = inspect.signature(made).parameters, {}
    for name, hint in get_type_hints(made, include_extras=True).items():
        default = given[name].default
        plain = default if isinstance(default, bool | int | str) else None
        word = next((each.word for each in get_args(hint) if isinstance(each, Key)), name)
        members[word] = Member(name, _kind(hint), default is inspect.Parameter.empty, plain)
    return Table(made, members)


def _kind(hint: Any) -> Kind:
    if get_origin(hint) is Annotated:
        of_numbers = [each for each in get_args(hint) if isinstance(each, Between)]
        return Number(*of_numbers[0]) if of_numbers else _kind(get_args(hint)[0])
    inner = [each for each in get_args(hint) if each is not NoneType]
    if NoneType in get_args(hint):
        return _kind(inner[0])
    if get_origin(hint) is tuple:
        return Several(_kind(inner[0]))
    if hint in (bool, str):
        return Flag() if hint is bool else Text()
    return Word(hint) if issubclass(hint, StrEnum) else table_of(hint)


@cache
def _words(words: type[StrEnum]) -> dict[str, StrEnum]:
    return {each.value: each for each in words}


def _cannot(key: str, value: object, remedy: str) -> Problem:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return Problem(key, f"{shown} cannot stand here", remedy)
