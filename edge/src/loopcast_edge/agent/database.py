"""The file of the outbox: its tables, how it is opened, and what is done if it is damaged."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import Optional

FORMAT = 2

SINCE_2 = """
CREATE TABLE notes (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE said (
    id INTEGER PRIMARY KEY,
    place TEXT NOT NULL,
    key TEXT NOT NULL,
    package TEXT NOT NULL,
    value REAL,
    UNIQUE (place, key, package)
);
"""

SCHEMA = f"""
CREATE TABLE outbox (id TEXT NOT NULL);
CREATE TABLE origins (id INTEGER PRIMARY KEY, body BLOB NOT NULL UNIQUE);
CREATE TABLE waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    origin INTEGER NOT NULL REFERENCES origins,
    condensed INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE batches (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, payload BLOB NOT NULL
);
{SINCE_2}
PRAGMA user_version = {FORMAT};
"""


def opened(path: Optional[Path]) -> tuple[sqlite3.Connection, Optional[Path]]:
    """Open an outbox; return it, and where a damaged one was put, if there was one.

    Raises
    ------
    sqlite3.OperationalError
        If the disk is full, or cannot be read: what is in the file may be whole.
    """
    if path is None or not path.exists():
        return _made(path), None
    try:
        return _existing(path), None
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
        path.replace(aside)
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        return _made(path), aside


def _existing(path: Path) -> sqlite3.Connection:
    database = _connected(path)
    try:
        [(verdict,)] = database.execute("PRAGMA quick_check(1)")
        [(found,)] = database.execute("PRAGMA user_version")
        if verdict != "ok" or not 0 <= found <= FORMAT:
            raise sqlite3.DatabaseError(verdict)
        if found == 0:  # the power went while it was made
            _make(database)
        elif found == 1:
            database.executescript(f"BEGIN; {SINCE_2} PRAGMA user_version = {FORMAT}; COMMIT;")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _made(path: Optional[Path]) -> sqlite3.Connection:
    database = _connected(path)
    _make(database)
    return database


def _make(database: sqlite3.Connection) -> None:
    """Make the tables and draw the outbox's name, all or nothing."""
    name = secrets.token_hex(8)
    database.executescript(f"BEGIN; {SCHEMA} INSERT INTO outbox VALUES ('{name}'); COMMIT;")


def _connected(path: Optional[Path]) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")  # a power cut loses nothing that was committed
    database.execute("PRAGMA cache_size = -512")
    database.execute("PRAGMA cache_spill = OFF")  # so that a full disk is met by COMMIT alone
    return database
