"""Run a statement on rows in a throw-away database, in memory."""

from __future__ import annotations

import math
import sqlite3
from typing import TYPE_CHECKING, Any

from loopcast.api import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


def answers(query: str, table: str, key: str, rows: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    """Run a query in SQLite, and in DuckDB where it is installed.

    Parameters
    ----------
    query
        One SELECT of the columns ``key``, ``log_odds`` and ``probability``.
    table, key
        Names of the table that holds the rows, and of the column that numbers them from 0.
    rows : DataFrame
        Numbers, and categories as texts; missing values become NULL.

    Yields
    ------
    name, values
        The database, and the probability of each row, in order.

    Raises
    ------
    ModelError
        Where a database refuses the statement.
    """
    for name, connection in _databases():
        try:
            _fill(connection, table, key, rows)
            found = sorted(connection.execute(query).fetchall())
        except Exception as error:
            raise ModelError(f"{name} refuses the statement: {error}") from error
        finally:
            connection.close()
        yield name, [row[2] for row in found]


def _databases() -> Iterator[tuple[str, Any]]:
    embedded = sqlite3.connect(":memory:")
    # Some builds of SQLite have no mathematics.
    embedded.create_function("EXP", 1, math.exp, deterministic=True)
    yield "SQLite", embedded
    try:
        import duckdb
    except ModuleNotFoundError:
        return
    yield "DuckDB", duckdb.connect(":memory:")


def _fill(connection: Any, table: str, key: str, rows: pd.DataFrame) -> None:
    kinds = ["DOUBLE PRECISION" if dtype.kind == "f" else "TEXT" for dtype in rows.dtypes]
    columns = [f"{_name(str(n))} {kind}" for n, kind in zip(rows.columns, kinds, strict=True)]
    connection.execute(f"CREATE TABLE {_name(table)} ({_name(key)} INTEGER, {', '.join(columns)})")
    plain = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    places = ", ".join("?" * (len(columns) + 1))
    values = [[number, *row] for number, row in enumerate(plain)]
    connection.executemany(f"INSERT INTO {_name(table)} VALUES ({places})", values)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
