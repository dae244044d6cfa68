"""What is kept beside the events, at the same moment: power that goes takes all or nothing."""

from __future__ import annotations

import logging
import sqlite3
from typing import Optional, TypeVar

import msgspec

LOG = logging.getLogger(__name__)
Kind = TypeVar("Kind")

MOST = 16_384
"""Rows of what was said and came true; the oldest are forgotten."""

FORGET_EVERY = 256
KNOWN = ""


class Notes:
    """Small records by name, in the file of the outbox.

    What is written or dropped belongs to the transaction that is open, if one is.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def read(self, start: str, kind: type[Kind]) -> dict[str, Kind]:
        """Return the records whose names begin with a text, by the rest of their names.

        What is none of this kind, because another version of the agent has put it there, is
        dropped.
        """
        rows = self._database.execute(
            "SELECT name, body FROM notes WHERE substr(name, 1, ?) = ?", (len(start), start)
        ).fetchall()
        found = {name: self._decoded(name, body, kind) for name, body in rows}
        return {name[len(start) :]: record for name, record in found.items() if record is not None}

    def write(self, name: str, record: object) -> None:
        """Keep a record in place of an earlier one."""
        body = msgspec.msgpack.encode(record)
        self._database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, body))

    def drop(self, *names: str) -> None:
        """Forget records, if they are there."""
        self._database.executemany("DELETE FROM notes WHERE name = ?", [(name,) for name in names])

    def _decoded(self, name: str, body: bytes, kind: type[Kind]) -> Optional[Kind]:
        try:
            return msgspec.msgpack.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            LOG.warning("%s is forgotten: %s", name, error)
            self.drop(name)
            return None


class Said:
    """What packages said of the keys of a place until their outcome comes, which counts once.

    What is written belongs to the transaction that is open, if one is.
    """

    def __init__(self, database: sqlite3.Connection, place: str) -> None:
        self._database, self._place = database, place

    def put(self, key: str, package: str, value: Optional[float]) -> None:
        """Keep what a package said of a key, in place of what it said of it before.

        ``None`` is kept of what is no number: it has an outcome, and no error.
        """
        cursor = self._database.execute(
            "INSERT OR REPLACE INTO said (place, key, package, value) VALUES (?, ?, ?, ?)",
            (self._place, key, package, value),
        )
        newest = int(cursor.lastrowid or 0)
        if newest % FORGET_EVERY == 0:
            self._database.execute("DELETE FROM said WHERE id <= ?", (newest - MOST,))

    def of(self, key: str) -> Optional[dict[str, Optional[float]]]:
        """Return what was said of a key, by package; ``None`` once its outcome is known."""
        rows = self._database.execute(
            "SELECT package, value FROM said WHERE place = ? AND key = ?", (self._place, key)
        )
        found = dict(rows.fetchall())
        return None if KNOWN in found else found

    def known(self, key: str) -> None:
        """Note that the outcome of a key is known: what was said of it is not needed any more."""
        self._database.execute("DELETE FROM said WHERE place = ? AND key = ?", (self._place, key))
        self.put(key, KNOWN, 0.0)
