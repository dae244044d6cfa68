"""What the tables of the catalog share: where they are listed, and their kinds of columns."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
)

from loopcast.api import Digest, StoreError


def in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC.

    Raises
    ------
    StoreError
        When it has no time zone.
    """
    if moment.tzinfo is None:
        raise StoreError(f"{moment} has no time zone, so it could mean two moments; give it one")
    return moment.astimezone(UTC)


def text_digest(content: str) -> Digest:
    """Return the SHA-256 of a text."""
    return sha256(content.encode()).hexdigest()


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, to the microsecond, on every backend."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite stores text without a zone."""
        if value is None:
            return None
        utc = in_utc(value)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Attach UTC, which the stored text lacks."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key() -> Column[int]:
    """Return the small integer that other tables refer to a row by."""
    return Column("number", Integer, primary_key=True)


def reference(name: str, target: str, **options: Any) -> Column[int]:
    """Return the key of a row of another table."""
    return Column(name, Integer, ForeignKey(target), nullable=False, **options)


def text(name: str) -> Column[str]:
    """Return a column of names, and whatever else is short."""
    return Column(name, String, nullable=False)


def long_text(name: str) -> Column[str]:
    """Return a column of records as JSON, or of what people write."""
    return Column(name, Text, nullable=False)


def digest(name: str) -> Column[str]:
    """Return a column of SHA-256 digests."""
    return Column(name, String(64), nullable=False)


def entry() -> Column[int]:
    """Return the entry of the audit log that tells of a row; none for rows older than the log."""
    return Column("entry", Integer, index=True)


def only_where(condition: Any) -> dict[str, Any]:
    """Return the options of an index over some rows only."""
    return {"sqlite_where": condition, "postgresql_where": condition}
