"""Schemas: created whole, refused when of another time, migrated by scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from loopcast.api import NotFoundError, StoreError
from loopcast.store import database, migrations, schema, upgrade
from loopcast.store.catalog import Catalog

from .builders import logical_model


@pytest.fixture
def engine(catalog_url: str) -> Iterator[Engine]:
    engine = database.open_engine(catalog_url, create=True)
    yield engine
    engine.dispose()


def run(engine: Engine, statement: str) -> None:
    with database.writing(engine) as connection:
        connection.execute(text(statement))


def definitions(engine: Engine) -> list[list[str]]:
    """Every table, column, key and index in the database's own words, whatever their order."""
    queries = {
        "sqlite": ["SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"],
        "postgresql": [
            "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()",
            "SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = current_schema()::regnamespace",
            "SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable,"
            " character_maximum_length, column_default) FROM information_schema.columns"
            " WHERE table_schema = current_schema()",
        ],
    }
    with database.reading(engine) as connection:
        found = [
            row for query in queries[engine.dialect.name] for row in connection.scalars(text(query))
        ]
    return sorted(sorted(re.split(r"[\s(),]+", row)) for row in found)


class TestMigrations:
    def test_scripts_are_those_that_the_package_knows(self) -> None:
        scripts = ScriptDirectory(str(Path(migrations.__path__[0])))
        assert (
            tuple(script.revision for script in reversed(list(scripts.walk_revisions())))
            == schema.REVISIONS
        )

    def test_from_nothing_they_give_the_same_schema(self, engine: Engine) -> None:
        with database.writing(engine) as connection:
            command.upgrade(upgrade.alembic_config(connection), "head")
        with database.reading(engine) as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, schema.metadata) == []
        assert database.database_state(engine) == "current"
        migrated = definitions(engine)
        with database.writing(engine) as connection:
            schema.metadata.drop_all(connection)
            schema.schema_version.drop(connection)
        database.create_schema(engine)
        assert definitions(engine) == migrated

    def test_failing_half_way_changes_nothing(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def upgrade_and_fail(config: object, revision: str) -> None:
            real_upgrade(config, revision)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        assert database.database_state(engine) == "empty"
        real_upgrade = command.upgrade
        monkeypatch.setattr(command, "upgrade", upgrade_and_fail)
        monkeypatch.setattr(database, "state", lambda _connection: "older")
        with pytest.raises(KeyboardInterrupt):
            upgrade.upgrade(str(engine.url.render_as_string(hide_password=False)))
        monkeypatch.undo()
        assert database.database_state(engine) == "empty"


class TestState:
    def test_a_fresh_catalog_is_current(self, catalog_url: str) -> None:
        Catalog(catalog_url).close()
        assert upgrade.check(catalog_url) == "current"
        assert upgrade.upgrade(catalog_url) == "current"

    def test_opened_again_it_keeps_what_it_has(self, catalog_url: str) -> None:
        for _ in range(2):
            with Catalog(catalog_url) as catalog:
                catalog.put_logical_model(logical_model())
        with Catalog(catalog_url, create=False) as catalog:
            assert catalog.logical_models() == (logical_model(),)

    def test_an_older_schema_is_refused_and_upgraded(
        self, engine: Engine, catalog_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Catalog(catalog_url).close()
        monkeypatch.setattr(database, "REVISIONS", (*schema.REVISIONS, "r9999"))
        with pytest.raises(StoreError, match=r"older loopcast.*run `loopcast database upgrade`"):
            Catalog(catalog_url)
        assert upgrade.upgrade(catalog_url) == "older"
        monkeypatch.undo()
        assert database.database_state(engine) == "current"

    def test_a_newer_schema_is_refused(self, engine: Engine, catalog_url: str) -> None:
        Catalog(catalog_url).close()
        run(engine, "UPDATE alembic_version SET version_num = 'r8888'")
        for refused in (Catalog, upgrade.upgrade):
            with pytest.raises(StoreError, match="written by a newer loopcast; upgrade loopcast"):
                refused(catalog_url)

    def test_tables_of_something_else_are_refused(self, engine: Engine, catalog_url: str) -> None:
        run(engine, "CREATE TABLE versions (x INTEGER)")
        with pytest.raises(StoreError, match="tables that are not a loopcast catalog's"):
            Catalog(catalog_url)

    def test_an_empty_database_is_created_only_when_asked(self, catalog_url: str) -> None:
        with pytest.raises(NotFoundError, match="no catalog"):
            Catalog(catalog_url, create=False)


class TestUrls:
    @pytest.mark.parametrize("name", ["plain", "with space", "per%20cent", "question?mark"])
    def test_a_file_by_its_path(self, tmp_path: Path, name: str) -> None:
        file = tmp_path / name / "catalog.db"
        with Catalog(str(file)) as catalog:
            assert catalog.count() == 0
        assert file.exists()

    def test_no_file_is_made_by_looking(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match=r"there is no catalog at .*c\.db"):
            Catalog(str(tmp_path / "no" / "c.db"), create=False)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("mysql://host/db", "use a file, sqlite:///FILE or postgresql://HOST/DATABASE"),
            ("what://", "use a file"),
            ("://", "use a file"),
            ("sqlite://", "a catalog in memory would be lost"),
        ],
    )
    def test_others_are_refused(self, url: str, message: str) -> None:
        with pytest.raises(StoreError, match=message):
            Catalog(url)

    def test_no_server_is_one_sentence_without_the_password(self) -> None:
        with pytest.raises(StoreError, match="nothing was changed") as caught:
            Catalog("postgresql://ann:secret@127.0.0.1:1/db?connect_timeout=1")
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "c.db").write_bytes(b"something else entirely" * 100)
        with pytest.raises(StoreError, match="file is not a database"):
            Catalog(str(tmp_path / "c.db"))


def test_a_busy_catalog_is_one_sentence(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.05)
    with Catalog(sqlite_url) as catalog:
        other = database.open_engine(sqlite_url, create=False)
        message = "database is locked by another process for 0.05 s; try again"
        with database.writing(other), pytest.raises(StoreError, match=message):
            catalog.put_logical_model(logical_model())
        other.dispose()
        assert catalog.logical_models() == ()


def test_a_catalog_that_cannot_be_written_says_what_reading_needs(sqlite_url: str) -> None:
    Catalog(sqlite_url).close()
    engine = database.open_engine(sqlite_url, create=False)
    message = "attempt to write a readonly database.*even to read.*read a copy"
    statements = "PRAGMA query_only = ON", "CREATE TABLE other (number INTEGER)"

    def write() -> None:
        with database.writing(engine) as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    with pytest.raises(StoreError, match=message):
        write()
    engine.dispose()
