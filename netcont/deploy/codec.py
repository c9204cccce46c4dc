"""A record as JSON text, and back. A plan is a table: the fields of each kind once, then values.

Fields that a netcont of another day did not write have their defaults; those that this one does not
know make the record unreadable, not wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from netcont.deploy.far_end import FarEnd, far_end_of
from netcont.deploy.record import Confirmation, Record
from netcont.model import plan as changes
from netcont.model.plan import Change, Plan

VERSION = 2

_KINDS: dict[str, type[Change]] = {
    kind.__name__: kind
    for kind in vars(changes).values()
    if isinstance(kind, type) and issubclass(kind, Change)
}

_LISTS = frozenset(
    kind for kind in _KINDS.values() if any("tuple" in str(each.type) for each in fields(kind))
)
"""Kinds with lists among their values, which JSON does not give back as they were."""

_PLANS = frozenset({"stands", "goal", "back"})
_ENDS = (b"]},", b"]}}")
"""How a line with a whole plan ends."""


class Codec:
    """Remembers the text of the plans that it read and wrote: a record is written more than once.

    Each plan has a line of its own, by which its text is found again.
    """

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Plan, str]] = {}

    def text(self, record: Record) -> str:
        """The record as one JSON object."""
        due = record.confirmation
        plans = {"stands": record.stands, "goal": record.goal, "back": due.back if due else None}
        texts = {key: self._plan(plan) for key, plan in plans.items() if plan is not None}
        self._texts = {id(plan): (plan, texts[key]) for key, plan in plans.items() if plan}
        rest = {"version": VERSION, **vars(record)}
        del rest["stands"], rest["goal"]
        if due is not None:
            rest["confirmation"] = {key: v for key, v in due._asdict().items() if key != "back"}
        parts = [json.dumps(rest)[1:-1], *(f'"{key}": {text}' for key, text in texts.items())]
        return "{" + ",\n".join(parts) + "}"

    def record(self, text: bytes) -> Record:
        """The record that was written so. Raises ValueError, KeyError or TypeError."""
        values = json.loads(text)
        if not isinstance(values, dict) or values.pop("version") != VERSION:
            raise ValueError("it is of another version of netcont")
        lines = {line[: line.find(b":")]: line for line in text.split(b"\n")}
        for key in _PLANS & values.keys():
            plan = values[key] = _plan_of(values[key])
            line = lines.get(f'"{key}"'.encode(), b"")
            if line.endswith(_ENDS):
                self._texts[id(plan)] = plan, line[len(key) + 4 : -1].decode()
        values["ends"] = _ends_of(values.get("ends", ()))
        if values["confirmation"] is not None:
            due = {**values["confirmation"], "back": values.pop("back")}
            due["back_ends"] = _ends_of(due.get("back_ends", ()))
            values["confirmation"] = Confirmation(**due)
        return Record(**values)

    def _plan(self, plan: Plan) -> str:
        known = self._texts.get(id(plan))
        if known is not None:
            return known[1]
        used = {type(each) for each in plan}
        names = {kind.__name__: [each.name for each in fields(kind)] for kind in used}
        made = [[type(each).__name__, *vars(each).values()] for each in plan]
        return json.dumps({"fields": names, "changes": made})


def _ends_of(raw: Sequence[Sequence[Any]]) -> tuple[FarEnd, ...]:
    return tuple(far_end_of(each) for each in raw)


def _plan_of(raw: dict[str, Any]) -> Plan:
    names, made = raw["fields"], []
    same = {word for word in names if names[word] == [each.name for each in fields(_KINDS[word])]}
    for word, *values in raw["changes"]:
        kind = _KINDS[word]
        if kind in _LISTS:
            values = [tuple(each) if isinstance(each, list) else each for each in values]
        if word in same and len(values) == len(names[word]):
            made.append(kind(*values))
        else:
            made.append(kind(**dict(zip(names[word], values, strict=True))))
    return Plan(tuple(made))
