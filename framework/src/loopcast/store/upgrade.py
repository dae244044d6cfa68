"""Migration of a catalog's schema; the only module that imports alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine

from loopcast.store import database, migrations


def alembic_config(connection: Connection) -> Config:
    """Return alembic's configuration for the scripts of this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    config.attributes["connection"] = connection
    return config


def upgrade(url: str) -> database.State:
    """Bring a catalog to this package's schema, in one transaction.

    Returns
    -------
    str
        The state in which the schema was found: ``current`` where nothing was to be done.

    Raises
    ------
    NotFoundError
        When there is no catalog.
    StoreError
        When the schema is newer than this package, or not a catalog's.
    """
    engine = database.open_engine(url, create=False)
    try:
        return _upgrade(engine)
    finally:
        engine.dispose()


def _upgrade(engine: Engine) -> database.State:
    """Upgrade what is older when its turn comes: another process may have done it by then."""
    with database.writing(engine) as connection:
        found = database.state(connection)
        if found == "older":
            command.upgrade(alembic_config(connection), "head")
        else:
            database.refuse(found, engine.url)
    return found


def check(url: str) -> database.State:
    """Return the state of a catalog's schema, changing nothing.

    Raises
    ------
    NotFoundError
        When there is no catalog file.
    """
    engine = database.open_engine(url, create=False)
    try:
        return database.database_state(engine)
    finally:
        engine.dispose()
