"""Reads a table of a database: PostgreSQL, SQLite, or another that SQLAlchemy knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loopcast.api import DataError, Record

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import URL


class TableOptions(Record, frozen=True):
    """Where a table is.

    Attributes
    ----------
    url
        Of the database, without a password, since options are kept with what was trained from
        them: PostgreSQL takes it from ``PGPASSWORD`` or ``~/.pgpass``.
    table
        Its name, or ``SCHEMA.NAME``.
    """

    url: str
    table: str


class TableReader:
    """Reads a table or a view of a database."""

    name = "sql"
    summary = "a table of a database: PostgreSQL, SQLite and others"
    options = TableOptions

    def read(self, options: TableOptions, base: Path) -> pd.DataFrame:
        """Read the table.

        Raises
        ------
        DataError
            Where the URL is none, names a password or a driver that is not installed, the database
            does not answer, or it has no such table.
        """
        import pandas as pd
        from sqlalchemy import MetaData, NullPool, Table, create_engine, select
        from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

        url = _database(options.url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            raise DataError(f"{url!r}: there is no such file; name the file of a database")
        schema, _, name = options.table.rpartition(".")
        try:
            with create_engine(url, poolclass=NullPool).connect() as connection:
                table = Table(name, MetaData(), schema=schema or None, autoload_with=connection)
                return pd.read_sql_query(select(table), connection)
        except ImportError as error:
            raise DataError(f"{url!r}: {error}; install its driver") from None
        except NoSuchTableError:
            raise DataError(f"{url!r} has no table {options.table!r}") from None
        except SQLAlchemyError as error:
            raise DataError(f"{url!r} cannot be read: {_first_line(error)}") from None

    def describe(self, options: TableOptions) -> str:
        """Return database and table, without a password."""
        return f"{options.table} of {_database(options.url)!r}"


def _database(text: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except ArgumentError:
        raise DataError(
            "the URL of the database is none; expected postgresql+psycopg://USER@HOST/NAME or "
            "sqlite:///FILE"
        ) from None
    if url.password is not None or "password" in url.query:
        raise DataError(
            f"{url.set(query={})!r}: the URL holds a password, which would be kept with what is "
            "made of the data; give it in PGPASSWORD or ~/.pgpass"
        )
    return url


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
