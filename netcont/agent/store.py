"""What a home agent must not forget over a restart, and undos of kernel changes: a SQLite file.

Written without waiting for the disk: what must be survived is the daemon's death, not the
machine's. Of another boot, or another network namespace, the kernel changes are gone and the last
identifications may be missing: `begin` forgets the former, and says from when on timestamps are to
be believed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

from netcont.errors import ConfigurationError, KernelError, PrerequisiteError
from netcont.mobileip.binding import Binding
from netcont.mobileip.messages import Flags
from netcont.mobileip.snapshot import HomeSnapshot
from netcont.model.plan import Change, Plan

_SCHEMA = """
CREATE TABLE IF NOT EXISTS binding (
    home INTEGER, care_of INTEGER, flags INTEGER, lifetime_s INTEGER, expires_at REAL,
    identification BLOB, spi INTEGER, agent INTEGER, stamp INTEGER,
    PRIMARY KEY (home, care_of)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS number (
    home INTEGER PRIMARY KEY, identification BLOB, nonce INTEGER);
CREATE TABLE IF NOT EXISTS guest (home INTEGER PRIMARY KEY, ahead INTEGER);
CREATE TABLE IF NOT EXISTS undo (key TEXT, number INTEGER, change BLOB, PRIMARY KEY (key, number));
CREATE TABLE IF NOT EXISTS applied (key TEXT PRIMARY KEY, plan BLOB);
CREATE TABLE IF NOT EXISTS origin (name TEXT, since REAL);
"""
_VERSION = 1
_NUMBER_BYTES = 8
_OTHERS_MAY_WRITE = 0o022


class Store:
    """The file at path, made if it is not there; None: in memory. One daemon at a time has it.

    Raises ConfigurationError if it cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.since: float | None = None
        with contextlib.ExitStack() as undo:
            try:
                if path is not None:
                    _make(path)
                self._db = sqlite3.connect(
                    path or ":memory:", isolation_level=None, timeout=0.2, check_same_thread=False
                )
                undo.callback(self._db.close)
                _open(self._db)
            except (OSError, sqlite3.Error) as error:
                raise ConfigurationError(
                    f"cannot keep bindings in {path}: {error}",
                    remedy="is another agent running with it? else remove it,"
                    " or choose another file",
                ) from error
            undo.pop_all()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def begin(self, origin: str, now: float) -> None:
        """The agent begins in this kernel; what was changed in another one needs no undo.

        Sets `since`: when the first agent began in this kernel, or now if the clock went back.
        """
        with self._transaction() as db:
            known = db.execute("SELECT since FROM origin WHERE name = ?", (origin,)).fetchone()
            if known is None:
                for table in ("origin", "undo", "applied"):
                    db.execute(f"DELETE FROM {table}")
                db.execute("INSERT INTO origin VALUES (?, ?)", (origin, now))
        self.since = now if known is None else min(now, known[0])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is written within the block, or nothing. Raises PrerequisiteError."""
        db = self._db
        try:
            db.execute("BEGIN")
            yield db
            db.execute("COMMIT")
        except sqlite3.Error as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise PrerequisiteError(
                f"cannot write {self.path}: {error}", remedy="is the disk full?"
            ) from error

    # ---- bindings

    def load(self) -> HomeSnapshot:
        """What was known when the last daemon ended."""
        bindings = tuple(
            Binding(
                IPv4Address(home),
                IPv4Address(care_of),
                Flags(flags),
                lifetime_s,
                expires_at,
                int.from_bytes(number, "big"),
                spi,
                None if agent is None else IPv4Address(agent),
                stamp,
            )
            for home, care_of, flags, lifetime_s, expires_at, number, spi, agent, stamp in (
                self._db.execute("SELECT * FROM binding ORDER BY home, identification")
            )
        )
        numbers = self._db.execute("SELECT * FROM number ORDER BY home").fetchall()
        return HomeSnapshot(
            bindings,
            tuple((IPv4Address(h), int.from_bytes(n, "big")) for h, n, _ in numbers if n),
            tuple((IPv4Address(h), nonce) for h, _, nonce in numbers if nonce is not None),
        )

    def save(
        self,
        homes: Iterable[int],
        bindings: Iterable[Binding],
        numbers: Iterable[tuple[int, int | None, int | None]],
    ) -> None:
        """All that is known of these home addresses, instead of what was: one transaction.

        numbers: home address, last identification, nonce.
        """
        with self._transaction() as db:
            db.executemany("DELETE FROM binding WHERE home = ?", [(home,) for home in homes])
            db.executemany(
                "INSERT INTO binding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_row(binding) for binding in bindings],
            )
            db.executemany(
                "INSERT OR REPLACE INTO number VALUES (?, ?, ?)",
                [(home, None if n is None else _blob(n), nonce) for home, n, nonce in numbers],
            )

    # ---- guests of a foreign agent

    def guests(self) -> dict[int, bool]:
        """Home addresses that were registered from here; True: only beside another place."""
        rows = self._db.execute("SELECT home, ahead FROM guest ORDER BY home")
        return {home: bool(ahead) for home, ahead in rows}

    def save_guest(self, home: int, *, ahead: bool) -> None:
        """This guest is to be registered from here, also after a restart."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO guest VALUES (?, ?)", (home, ahead))

    def forget_guest(self, home: int) -> None:
        """It is not any more."""
        with self._transaction() as db:
            db.execute("DELETE FROM guest WHERE home = ?", (home,))

    # ---- kernel changes

    def journal(self, key: str) -> UndoJournal:
        """Where undos of the plan known as key go."""
        return UndoJournal(self._db, key)

    def pending(self, key: str) -> tuple[Change, ...]:
        """The undos of key, oldest first."""
        rows = self._db.execute("SELECT change FROM undo WHERE key = ? ORDER BY number", (key,))
        return tuple(pickle.loads(change) for (change,) in rows)

    def forget_undos(self, key: str) -> None:
        """The changes of key are taken back, or another plan's undos take them back."""
        with self._transaction() as db:
            db.execute("DELETE FROM undo WHERE key = ?", (key,))
            db.execute("DELETE FROM applied WHERE key = ?", (key,))

    def rename(self, aside: str, key: str, plan: Plan) -> None:
        """The plan, applied under the name aside, stands as key; what stood there is forgotten."""
        body = pickle.dumps(plan, pickle.HIGHEST_PROTOCOL)
        with self._transaction() as db:
            db.execute("DELETE FROM undo WHERE key = ?", (key,))
            db.execute("UPDATE undo SET key = ? WHERE key = ?", (key, aside))
            db.execute("INSERT OR REPLACE INTO applied VALUES (?, ?)", (key, body))

    def applied(self) -> dict[str, Plan]:
        """Plans that stand, whole, by key."""
        rows = self._db.execute("SELECT key, plan FROM applied")
        return {key: pickle.loads(plan) for key, plan in rows}

    def journalled(self) -> tuple[str, ...]:
        """Everything with undos, whole or not, newest first."""
        rows = self._db.execute("SELECT key FROM undo GROUP BY key ORDER BY max(rowid) DESC")
        return tuple(key for (key,) in rows)


class UndoJournal:
    """Undos of one plan (see netcont.kernel.interpreter.Journal)."""

    def __init__(self, db: sqlite3.Connection, key: str) -> None:
        self._db = db
        self._key = key

    def add(self, undo: Change) -> None:
        """See Journal."""
        body = pickle.dumps(undo, pickle.HIGHEST_PROTOCOL)
        self._write(
            "INSERT INTO undo SELECT ?, coalesce(max(number), 0) + 1, ? FROM undo WHERE key = ?",
            (self._key, body, self._key),
        )

    def drop(self) -> None:
        """See Journal."""
        self._write(
            "DELETE FROM undo WHERE key = ? AND number ="
            " (SELECT max(number) FROM undo WHERE key = ?)",
            (self._key, self._key),
        )

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise KernelError(f"no undo could be noted: {error}") from error


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
    if mode & _OTHERS_MAY_WRITE:
        raise OSError(f"others may write it (mode {mode:04o})")


def _open(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=OFF")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError(f"it has version {version}, not {_VERSION}")
    (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if sound != "ok":
        raise sqlite3.DatabaseError(f"it is damaged: {sound}")
    db.executescript(_SCHEMA)
    db.execute(f"PRAGMA user_version={_VERSION}")


def _row(one: Binding) -> tuple[object, ...]:
    agent = None if one.foreign_agent is None else int(one.foreign_agent)
    return (
        int(one.home_address),
        int(one.care_of_address),
        int(one.flags),
        one.lifetime_s,
        one.expires_at,
        _blob(one.identification),
        one.spi,
        agent,
        one.revocation_stamp,
    )


def _blob(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big")
