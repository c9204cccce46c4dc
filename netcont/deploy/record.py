"""What stands, and what is being made or unmade, on disk: one JSON file a deployment.

A record is replaced whole, by a rename, after its content is on the disk: it is either the old one
or the new one, never torn. It is written before the first change, and holds what is needed to get
from anywhere between two states to either of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from netcont.errors import PrerequisiteError
from netcont.kernel.origin import boot_of
from netcont.model import plan as changes
from netcont.model.plan import Change, Plan

VERSION = 1
_SUFFIX = ".json"


@dataclass(frozen=True)
class Confirmation:
    """A change that is reverted unless it is confirmed.

    token: which change it is. due_s: when, on the clock CLOCK_BOOTTIME. back: what to return to.
    """

    token: str
    due_s: float
    back: Plan
    back_switched: bool


@dataclass(frozen=True)
class Record:
    """One deployment on this host.

    stands: what is there, whole, unless goal says that it is on its way there (an empty goal: to
    nothing). forward: a started way is gone on with, not back. was: settings as they were before
    netcont. source: the file, for people.
    """

    name: str
    side: str
    source: str
    stands: Plan = field(default_factory=Plan)
    switched: bool = False
    goal: Plan | None = None
    forward: bool = False
    was: dict[str, str] = field(default_factory=dict)
    confirmation: Confirmation | None = None

    @property
    def known(self) -> Plan:
        """Everything that may be there by netcont's doing."""
        return merged(self.stands, self.goal or Plan())

    def settled(self, plan: Plan) -> Record:
        """The same, now that plan stands."""
        keys = {each.key for each in plan if isinstance(each, changes.SetSysctl)}
        was = {key: value for key, value in self.was.items() if key in keys}
        return replace(self, stands=plan, goal=None, forward=False, was=was)


def merged(one: Plan, other: Plan) -> Plan:
    """Both, nothing twice."""
    return Plan(tuple(dict.fromkeys((*one, *other))))


class Records:
    """The records of one network namespace in one boot.

    directory: for all of them; origin: see netcont.kernel.origin. Those of earlier boots are
    forgotten: the kernel state that they speak of is gone.
    """

    def __init__(self, directory: Path, origin: str) -> None:
        self._directory = directory / origin
        self._all = directory
        self._origin = origin

    def names(self) -> tuple[str, ...]:
        """The deployments with a record, in order."""
        if not self._directory.is_dir():
            return ()
        found = self._directory.glob(f"*{_SUFFIX}")
        return tuple(sorted(each.name.removesuffix(_SUFFIX) for each in found))

    def read(self, name: str) -> Record | None:
        """The record; None if there is none. Raises PrerequisiteError if it cannot be read."""
        path = self._path(name)
        try:
            return _decoded(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PrerequisiteError(
                f"{path}: cannot be read: {error}",
                remedy="run as root; if it is damaged, remove it and then what"
                f' `ip link` shows with the alias "netcont {name}"',
            ) from error

    def write(self, record: Record) -> None:
        """The record, on disk when this returns. Raises PrerequisiteError; then nothing changed."""
        path = self._path(record.name)
        aside = path.with_suffix(".new")
        try:
            self._make()
            body = json.dumps(_encoded(record)).encode()
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            self._sync()
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise PrerequisiteError(
                f"{path}: cannot be written: {error.strerror}",
                remedy="run as root, free space there, or give --state-dir",
            ) from error

    def remove(self, name: str) -> None:
        """Nothing of the deployment stands any more."""
        self._path(name).unlink(missing_ok=True)
        self._sync()

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"

    def _make(self) -> None:
        if self._directory.is_dir():
            return
        self._directory.mkdir(parents=True, mode=0o755)
        for other in self._all.iterdir():
            if boot_of(other.name) == boot_of(self._origin) or not other.is_dir():
                continue
            for file in other.glob("*"):
                file.unlink()
            other.rmdir()

    def _sync(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_KINDS: dict[str, type[Change]] = {
    kind.__name__: kind
    for kind in vars(changes).values()
    if isinstance(kind, type) and issubclass(kind, Change)
}


def _encoded_plan(plan: Plan) -> list[dict[str, Any]]:
    return [{"change": type(each).__name__, **vars(each)} for each in plan]


def _decoded_plan(raw: list[dict[str, Any]]) -> Plan:
    made = []
    for each in raw:
        values = dict(each)
        kind = _KINDS[values.pop("change")]
        made.append(kind(**values))
    return Plan(tuple(made))


def _encoded(record: Record) -> dict[str, Any]:
    values = {each.name: getattr(record, each.name) for each in dataclasses.fields(record)}
    values["stands"] = _encoded_plan(record.stands)
    values["goal"] = None if record.goal is None else _encoded_plan(record.goal)
    if record.confirmation is not None:
        due = record.confirmation
        values["confirmation"] = {**vars(due), "back": _encoded_plan(due.back)}
    return {"version": VERSION, **values}


def _decoded(raw: dict[str, Any]) -> Record:
    values = dict(raw)
    if values.pop("version") != VERSION:
        raise ValueError("it is of another version of netcont")
    values["stands"] = _decoded_plan(values["stands"])
    if values["goal"] is not None:
        values["goal"] = _decoded_plan(values["goal"])
    if values["confirmation"] is not None:
        due = values["confirmation"]
        values["confirmation"] = Confirmation(**{**due, "back": _decoded_plan(due["back"])})
    return Record(**values)
