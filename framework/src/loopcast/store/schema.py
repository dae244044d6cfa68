"""The schema of the catalog: its tables together, and the revisions that led to them.

Whoever creates, compares or migrates a database asks here, so that no table is forgotten.
"""

from __future__ import annotations

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table

from loopcast.store import experiment_tables, fleet_tables, governance_tables, tables
from loopcast.store.columns import metadata

__all__ = [
    "REVISIONS",
    "experiment_tables",
    "fleet_tables",
    "governance_tables",
    "metadata",
    "schema_version",
    "tables",
]

REVISIONS = ("r0001", "r0002", "r0003", "r0004", "r0005", "r0006")
"""Every revision of the schema, the oldest first; each has a script in ``migrations``."""

# Alembic's own table, written here so that a fresh catalog needs no alembic.
schema_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32)),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
