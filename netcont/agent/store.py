"""What a home agent must not forget over a restart, and undos of kernel changes: a SQLite file.

Written without waiting for the disk: what must be survived is the daemon's death, not the
machine's, whose kernel state is gone as well. Identifications of a machine that lost its power are
covered by the clock: the daemon then refuses timestamps that are not after its start.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

from netcont.errors import ConfigurationError
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
"""
_VERSION = 1
_NUMBER_BYTES = 8


class Store:
    """The file at path, made if it is not there; None: in memory. One daemon at a time has it.

    Raises ConfigurationError if it cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(
                path or ":memory:", isolation_level=None, timeout=1, check_same_thread=False
            )
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"it has version {version}")
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version={_VERSION}")
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"cannot keep bindings in {path}: {error}",
                remedy="is another agent running with it? else remove it, or choose another file",
            ) from error

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

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
        db = self._db
        db.execute("BEGIN")
        db.executemany("DELETE FROM binding WHERE home = ?", [(home,) for home in homes])
        db.executemany(
            "INSERT INTO binding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(binding) for binding in bindings],
        )
        db.executemany(
            "INSERT OR REPLACE INTO number VALUES (?, ?, ?)",
            [(home, None if n is None else _blob(n), nonce) for home, n, nonce in numbers],
        )
        db.execute("COMMIT")

    # ---- guests of a foreign agent

    def guests(self) -> dict[int, bool]:
        """Home addresses that were registered from here; True: only beside another place."""
        rows = self._db.execute("SELECT home, ahead FROM guest ORDER BY home")
        return {home: bool(ahead) for home, ahead in rows}

    def save_guest(self, home: int, *, ahead: bool) -> None:
        """This guest is to be registered from here, also after a restart."""
        self._db.execute("INSERT OR REPLACE INTO guest VALUES (?, ?)", (home, ahead))

    def forget_guest(self, home: int) -> None:
        """It is not any more."""
        self._db.execute("DELETE FROM guest WHERE home = ?", (home,))

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
        self._db.execute("DELETE FROM undo WHERE key = ?", (key,))
        self._db.execute("DELETE FROM applied WHERE key = ?", (key,))

    def rename(self, aside: str, key: str, plan: Plan) -> None:
        """The plan, applied under the name aside, stands as key; what stood there is forgotten."""
        body = pickle.dumps(plan, pickle.HIGHEST_PROTOCOL)
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM undo WHERE key = ?", (key,))
        self._db.execute("UPDATE undo SET key = ? WHERE key = ?", (key, aside))
        self._db.execute("INSERT OR REPLACE INTO applied VALUES (?, ?)", (key, body))
        self._db.execute("COMMIT")

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
        self._db.execute(
            "INSERT INTO undo SELECT ?, coalesce(max(number), 0) + 1, ? FROM undo WHERE key = ?",
            (self._key, body, self._key),
        )

    def drop(self) -> None:
        """See Journal."""
        self._db.execute(
            "DELETE FROM undo WHERE key = ? AND number ="
            " (SELECT max(number) FROM undo WHERE key = ?)",
            (self._key, self._key),
        )


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
