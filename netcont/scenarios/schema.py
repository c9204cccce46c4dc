"""A JSON Schema (2020-12) of scenario files, generated from the dataclasses."""

from __future__ import annotations

from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from netcont.scenarios.shape import NONE, SCENARIO, Items, Member, Names, Scalar, Shape, Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES: dict[type, str] = {float: "number", int: "integer", bool: "boolean"}


def scenario_schema() -> dict[str, Any]:
    """The schema, ready for JSON. It knows keys, types and bounds, not what joins two values."""
    definitions: dict[str, Any] = {}
    root = _table(SCENARIO, definitions)
    return {"$schema": DIALECT, "title": "netcont scenario"} | root | {"$defs": definitions}


def _table(table: Table, definitions: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "description": " ".join((table.cls.__doc__ or "").split()),
        "properties": {key: _member(member, definitions) for key, member in table.members.items()},
        "additionalProperties": False,
    }
    required = [key for key, member in table.members.items() if member.required]
    return made | ({"required": required} if required else {})


def _member(member: Member, definitions: dict[str, Any]) -> dict[str, Any]:
    made = _schema(member.shape, definitions)
    if member.required or member.default is None or is_dataclass(member.default):
        return made
    if isinstance(member.shape, Scalar):
        value = member.default
        if value == "" and member.shape.min_length:
            return made  # it depends on other keys, and cannot be written
        return made | {"default": value.value if isinstance(value, Enum) else value}
    return made


def _schema(shape: Shape, definitions: dict[str, Any]) -> dict[str, Any]:
    match shape:
        case Scalar():
            return _scalar(shape)
        case Items():
            return {"type": "array", "items": _schema(shape.item, definitions)}
        case Names():
            return {
                "type": "object",
                "additionalProperties": _schema(shape.value, definitions),
            }
        case Table():
            name = shape.cls.__name__
            if name not in definitions:
                definitions[name] = {}
                definitions[name] = _table(shape, definitions)
            reference = {"$ref": f"#/$defs/{name}"}
            return _or_none(reference) if shape.nullable else reference


def _scalar(shape: Scalar) -> dict[str, Any]:
    if shape.choices or shape.only:
        return {"enum": list(shape.choices or shape.only)}
    made: dict[str, Any] = {"type": _TYPES.get(shape.kind, "string")}
    for keyword, limit in (
        ("minimum", shape.ge),
        ("exclusiveMinimum", shape.gt),
        ("maximum", shape.le),
        ("exclusiveMaximum", shape.lt),
        ("minLength", shape.min_length or None),
    ):
        if limit is not None:
            made[keyword] = limit
    if shape.dimension is not None:
        text = {
            "type": "string",
            "pattern": shape.dimension.pattern(),
            "examples": [shape.dimension.example],
        }
        made = {"anyOf": [made, text], "description": f"In {shape.dimension.unit}."}
    return _or_none(made) if shape.says_none else made


def _or_none(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"enum": [NONE, None]}]}
