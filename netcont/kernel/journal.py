"""Undos on file: what an interpreter did can be taken back after its process was killed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from netcont.model.plan import Change


class FileJournal:
    """An append-only file of undos, each written before its change is made.

    A torn last entry belongs to a change that was not made yet, and is passed over. The file is
    trusted: it lies in a directory that only its owner can write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def add(self, undo: Change) -> None:
        """Records what takes the coming change back."""
        self._append(undo)

    def drop(self) -> None:
        """The newest undo was done, or its change never happened."""
        self._append(None)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    def _append(self, entry: Change | None) -> None:
        body = pickle.dumps(entry, pickle.HIGHEST_PROTOCOL)
        os.write(self._file, len(body).to_bytes(4, "big") + body)

    @staticmethod
    def pending(path: Path) -> tuple[Change, ...]:
        """The undos still to be done, oldest first; none if there is no such file."""
        data = path.read_bytes() if path.exists() else b""
        undos: list[Change] = []
        while len(data) >= 4:
            size = int.from_bytes(data[:4], "big")
            body, data = data[4 : 4 + size], data[4 + size :]
            if len(body) < size:
                break
            entry = pickle.loads(body)
            if entry is None:
                undos.pop()
            else:
                undos.append(entry)
        return tuple(undos)
