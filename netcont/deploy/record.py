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
    netcont. source: the file, for people. host: in the namespace that a reboot brings back.
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
    host: bool = False

    @property
    def outlives_a_boot(self) -> bool:
        """Whether its guests are still at the other side when this host is booted again."""
        due = self.confirmation
        return self.host and (self.switched if due is None else due.back_switched)

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
    forgotten: the kernel state that they speak of is gone. Only where guests were is kept until
    their deployment is up again: they did not move while their gateway was booted.
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
        return _read(self._path(name))

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
            self._forget(record.name)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise PrerequisiteError(
                f"{path}: cannot be written: {error.strerror}",
                remedy="run as root, free space there, or give --state-dir",
            ) from error

    def remove(self, name: str) -> None:
        """Nothing of the deployment stands any more."""
        if self._path(name).exists():
            self._path(name).unlink()
            self._sync()
        self._forget(name)

    def switched_before(self, name: str) -> bool:
        """Whether its guests had been switched when this host was booted again.

        Raises PrerequisiteError if that cannot be read.
        """
        found = [path for path in self._of_earlier_boots(name) if path.exists()]
        latest = max(found, key=lambda path: path.stat().st_mtime, default=None)
        record = None if latest is None else _read(latest)
        return record is not None and record.outlives_a_boot

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"

    def _make(self) -> None:
        if self._directory.is_dir():
            return
        self._directory.mkdir(parents=True, mode=0o755)
        for path in self._of_earlier_boots("*"):
            if not _is_kept(path):
                _drop(path)

    def _of_earlier_boots(self, name: str) -> list[Path]:
        boot = boot_of(self._origin)
        found = self._all.glob(f"*/{name}{_SUFFIX}")
        return [path for path in found if boot_of(path.parent.name) != boot]

    def _forget(self, name: str) -> None:
        for path in self._of_earlier_boots(name):
            _drop(path)

    def _sync(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> Record | None:
    try:
        return _decoded(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PrerequisiteError(
            f"{path}: cannot be read: {error}",
            remedy="run as root; if it is damaged, remove it and then what"
            f' `ip link` shows with the alias "netcont {path.stem}"',
        ) from error


def _is_kept(path: Path) -> bool:
    try:
        record = _read(path)
    except PrerequisiteError:
        return False  # nobody can make anything of it
    return record is not None and record.outlives_a_boot


def _drop(path: Path) -> None:
    for each in (path, path.with_suffix(".new")):
        each.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()  # others may be in it


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
