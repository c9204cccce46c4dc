"""Records on disk: one JSON file a deployment.

A record is replaced whole, by a rename, after its content is on the disk: it is either the old one
or the new one, never torn.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from netcont.deploy.codec import Codec
from netcont.deploy.record import Record
from netcont.errors import PrerequisiteError
from netcont.kernel.origin import boot_of

_SUFFIX = ".json"


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
        self._codec = Codec()

    @property
    def directory(self) -> str:
        """Where the records of this namespace and boot are."""
        return str(self._directory.absolute())

    def names(self) -> tuple[str, ...]:
        """The deployments with a record, in order."""
        if not self._directory.is_dir():
            return ()
        found = self._directory.glob(f"*{_SUFFIX}")
        return tuple(sorted(each.name.removesuffix(_SUFFIX) for each in found))

    def read(self, name: str) -> Record | None:
        """The record; None if there is none. Raises PrerequisiteError if it cannot be read."""
        return _read(self._path(name), self._codec)

    def read_all(self, name: str | None = None) -> list[Record]:
        """Every record, or that of one deployment alone. Raises PrerequisiteError."""
        names = self.names() if name is None else (name,)
        return [found for each in names if (found := self.read(each)) is not None]

    def write(self, record: Record) -> None:
        """The record, on disk when this returns. Raises PrerequisiteError; then nothing changed."""
        path = self._path(record.name)
        aside = path.with_suffix(".new")
        try:
            self._make()
            body = self._codec.text(record).encode()
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

    def earlier(self, name: str) -> Record | None:
        """What it was when this host was booted again, if its guests had been switched then.

        Raises PrerequisiteError if that cannot be read.
        """
        found = [path for path in self._of_earlier_boots(name) if path.exists()]
        latest = max(found, key=lambda path: path.stat().st_mtime, default=None)
        record = None if latest is None else _read(latest, self._codec)
        return record if record is not None and record.outlives_a_boot else None

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


def _read(path: Path, codec: Codec) -> Record | None:
    try:
        return codec.record(path.read_bytes())
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
        record = _read(path, Codec())
    except PrerequisiteError:
        return False  # nobody can make anything of it
    return record is not None and record.outlives_a_boot


def _drop(path: Path) -> None:
    for each in (path, path.with_suffix(".new")):
        each.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()  # others may be in it
