"""Tables of databases, read as files are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine

from loopcast.api import DataError
from loopcast.store.readers.sql import TableOptions, TableReader

ROWS = pd.DataFrame(
    {
        "id": ["a", "b", "c"],
        "bad": [1, 0, 1],
        "paid": [10.5, None, 3.0],
        "known": pd.to_datetime(["2026-03-01T08:00Z", "2026-03-02T08:00Z", "2026-03-03T08:00Z"]),
    }
)


def read(url: str, table: str) -> pd.DataFrame:
    return TableReader().read(TableOptions(url=url, table=table), Path())


def fill(url: str, rows: pd.DataFrame) -> None:
    engine = create_engine(url)
    rows.to_sql("outcomes", engine, index=False)
    engine.dispose()


def test_a_table_of_postgresql(postgresql_url: str) -> None:
    fill(postgresql_url, ROWS)
    found = read(postgresql_url, "outcomes").assign(
        known=lambda frame: pd.to_datetime(frame["known"], utc=True)
    )
    pd.testing.assert_frame_equal(found, ROWS, check_dtype=False)
    schema = postgresql_url.rpartition("%3D")[2]
    assert len(read(postgresql_url, f"{schema}.outcomes")) == 3
    with pytest.raises(DataError, match="has no table 'absent'"):
        read(postgresql_url, "absent")
    with pytest.raises(DataError, match=r"cannot be read: .*/nowhere"):
        read("postgresql+psycopg:///postgres?host=/nowhere", "outcomes")


def test_a_table_of_sqlite_is_read_and_none_is_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with pytest.raises(DataError, match="there is no such file"):
        read(url, "outcomes")
    assert not list(tmp_path.iterdir())
    fill(url, ROWS.drop(columns="known"))
    pd.testing.assert_frame_equal(read(url, "outcomes"), ROWS.drop(columns="known"))
    with pytest.raises(DataError, match=r"has no table 'x; DROP TABLE outcomes'"):
        read(url, "x; DROP TABLE outcomes")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("somewhere", "the URL of the database is none"),
        ("oracle+cx_oracle://host/x", "install its driver"),
        ("nonsense://host/x", "nonsense"),
        ("postgresql+psycopg://ann:secret@host/x", "holds a password"),
        ("postgresql+psycopg://ann@host/x?password=secret", "holds a password"),
    ],
)
def test_what_is_no_database_is_refused_and_no_password_is_told(url: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as refused:
        read(url, "outcomes")
    assert "secret" not in str(refused.value)


def test_it_says_where_the_rows_are_from() -> None:
    options = TableOptions(url="postgresql+psycopg://ann@host/x", table="loans")
    assert TableReader().describe(options) == "loans of postgresql+psycopg://ann@host/x"
