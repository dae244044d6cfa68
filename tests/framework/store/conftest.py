"""The catalog's tests run on both backends, on a PostgreSQL of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine

from loopcast.store.catalog import Catalog

from .builders import logical_model


def _postgres_programs() -> Path | None:
    found = shutil.which("initdb")
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else newest[-1].parent if newest else None


def _as_server(folder: Path, *command: str | Path) -> None:
    """Run a program of PostgreSQL, which refuses to run as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *map(str, command)], check=True, cwd=folder, capture_output=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Start a server on a socket in a temporary folder; gives the query part of its URL."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="loopcast-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    control = (programs / "pg_ctl", "-D", data, "-w", "-s")
    options = f"-c listen_addresses='' -c fsync=off -c full_page_writes=off -k {folder}"
    try:
        _as_server(folder, programs / "initdb", "-D", data, "-U", "loopcast", "-A", "trust", "-N")
        _as_server(folder, *control, "-l", folder / "log", "-o", options, "start")
        try:
            yield f"?host={folder}&user=loopcast"
        finally:
            _as_server(folder, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """An empty schema of the server's database, which is quicker made than a database."""
    schema = f"test_{uuid4().hex}"
    url = f"postgresql+psycopg:///postgres{postgresql}"
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        yield f"{url}&options=-csearch_path%3D{schema}"
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    server.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each backend."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    """A catalog of each backend with one logical model."""
    with Catalog(catalog_url) as catalog:
        catalog.put_logical_model(logical_model())
        yield catalog
