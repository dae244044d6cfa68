"""Connections to the catalog's database: SQLite or PostgreSQL, one rule for both.

Writers take turns (``BEGIN IMMEDIATE``, an advisory lock), readers never wait. A fresh database
is created whole in one transaction; one of another schema is refused.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, StatementError

from loopcast.api import LoopcastError, NotFoundError, StoreError
from loopcast.store.schema import REVISIONS, metadata, schema_version

WAIT_SECONDS = 30
"""How long a writer waits for its turn."""

_WANTED = "use a file, sqlite:///FILE or postgresql://HOST/DATABASE"
_CREATED_BY = "a run or 'loopcast fleet keys make' creates it"
_WRITER_LOCK = 0x6C6F6F70  # "loop"

State = Literal["empty", "current", "older", "newer", "foreign"]


def open_engine(url: str, *, create: bool) -> Engine:
    """Connect to a database by URL alone.

    Parameters
    ----------
    url
        A file, ``sqlite:///FILE`` or ``postgresql://HOST/DATABASE``.
    create
        Whether a file that does not exist may be made.

    Raises
    ------
    NotFoundError
        When there is no such file and it may not be made.
    StoreError
        When the URL cannot be used.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, create=create)
    return _open_postgresql(parsed)


def _parse(url: str) -> URL:
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"catalog: {error}; {_WANTED}") from None
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(f"catalog {parsed!r}: {_WANTED}")
    return parsed


def _open_sqlite(url: URL, *, create: bool) -> Engine:
    if not url.database or url.database == ":memory:":
        raise StoreError("a catalog in memory would be lost; name a file")
    file = Path(url.database)
    if not file.exists() and not create:
        raise NotFoundError(f"there is no catalog at {file}; {_CREATED_BY}, or give its place")
    _make_parent(file)
    engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_parent(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"could not make {file.parent}: {error.strerror}") from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin in _begin_sqlite
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _open_postgresql(url: URL) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        return create_engine(url, pool_pre_ping=True)
    except ImportError as error:
        raise StoreError(f"{error}; install loopcast[postgres]") from None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run queries on one consistent state."""
    with _explained(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Run statements in one transaction, while no one else writes.

    Raises
    ------
    StoreError
        When another process writes for longer than :data:`WAIT_SECONDS`, or the disk is full;
        nothing is changed then.
    """
    with _explained(engine), engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
        yield connection


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, LoopcastError):
            raise error.orig from None
        reason = " ".join(str(error.orig).split())
        if "locked" in reason or "lock timeout" in reason:
            reason += f" by another process for {WAIT_SECONDS} s; try again"
        if "readonly" in reason:
            reason += " (even to read, SQLite writes into the folder of the file; read a copy)"
        raise StoreError(f"catalog {engine.url!r}: {reason}; nothing was changed") from error


def prepare(engine: Engine, *, create: bool) -> None:
    """Create the schema in an empty database, and refuse one of another schema.

    Raises
    ------
    NotFoundError
        When the database is empty and may not be filled.
    StoreError
        When the schema is older, newer, or not a catalog's.
    """
    if database_state(engine) == "empty" and create:
        create_schema(engine)
    refuse(database_state(engine), engine.url)


def refuse(found: State, url: URL) -> None:
    """Raise what a state of the schema deserves; nothing for the current one."""
    match found:
        case "current":
            return
        case "empty":
            raise NotFoundError(f"{url!r} holds no catalog yet; {_CREATED_BY}")
        case "older":
            raise StoreError(
                f"catalog {url!r} was written by an older loopcast; back it up and run "
                "`loopcast database upgrade`"
            )
        case "newer":
            raise StoreError(f"catalog {url!r} was written by a newer loopcast; upgrade loopcast")
        case "foreign":
            raise StoreError(f"{url!r} holds tables that are not a loopcast catalog's")


def database_state(engine: Engine) -> State:
    """Compare the schema of a database with that of this package."""
    with reading(engine) as connection:
        return state(connection)


def state(connection: Connection) -> State:
    """Compare the schema that a transaction sees with that of this package."""
    tables = set(inspect(connection).get_table_names())
    revision = _revision(connection) if schema_version.name in tables else None
    if revision is None:
        ours = tables & metadata.tables.keys()
        return "foreign" if ours else "empty"
    if revision == REVISIONS[-1]:
        return "current"
    return "older" if revision in REVISIONS else "newer"


def _revision(connection: Connection) -> str | None:
    found: str | None = connection.scalar(select(schema_version.c.version_num))
    return found


def create_schema(engine: Engine) -> None:
    """Create every table in one transaction; another process may do the same at once."""
    _use_wal(engine)
    with writing(engine) as connection:
        if state(connection) == "empty":
            metadata.create_all(connection, checkfirst=False)
            schema_version.create(connection, checkfirst=True)
            connection.execute(schema_version.insert().values(version_num=REVISIONS[-1]))


def _use_wal(engine: Engine) -> None:
    """Let readers and a writer work side by side; the file remembers it.

    SQLite does not wait for its turn here as it does elsewhere, so this does: another process
    may be creating the same catalog.
    """
    if engine.dialect.name != "sqlite":
        return
    deadline = time.monotonic() + WAIT_SECONDS
    connection = engine.raw_connection()
    try:
        while not _switched_to_wal(connection.cursor()):
            if time.monotonic() > deadline:
                raise StoreError(f"catalog {engine.url!r}: locked by another process; try again")
            time.sleep(0.02)
    finally:
        connection.close()


def _switched_to_wal(cursor: Any) -> bool:
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise StoreError(f"the catalog cannot be written: {error}") from error
    return True
