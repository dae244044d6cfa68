"""The tables of the catalog, shaped for 100,000 versions over thousands of segments.

Versions, datasets and comparisons have small integer keys, so that the many rows that refer to
them (evaluations, metrics, gate results) stay narrow. A comparison is what must be equal before
two evaluations may be compared: the dataset and the protocol.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

from loopcast.api import Digest, StoreError

REVISIONS = ("r0001", "r0002", "r0003", "r0004", "r0005", "r0006")
"""Every revision of the schema, the oldest first; each has a script in ``migrations``."""


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


def text_digest(text: str) -> Digest:
    """Return the SHA-256 of a text."""
    return sha256(text.encode()).hexdigest()


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


def _key() -> Column[int]:
    return Column("number", Integer, primary_key=True)


def _reference(name: str, target: str, **options: Any) -> Column[int]:
    return Column(name, Integer, ForeignKey(target), nullable=False, **options)


def _text(name: str) -> Column[str]:
    return Column(name, String, nullable=False)


def _entry() -> Column[int]:
    """The entry of the audit log that tells of a row; none for rows older than the log."""
    return Column("entry", Integer, index=True)


def _digest(name: str) -> Column[str]:
    return Column(name, String(64), nullable=False)


logical_models = Table(
    "logical_models",
    metadata,
    Column("name", String, primary_key=True),
    Column("record", Text, nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    _key(),
    _digest("fingerprint"),
    _text("name"),
    Column("origin", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("start", Moment),
    Column("end", Moment),
    Column("imputed", BigInteger, nullable=False),
    UniqueConstraint("fingerprint"),
)

comparisons = Table(
    "comparisons",
    metadata,
    _key(),
    _reference("dataset", "datasets.number"),
    Column("protocol", Text, nullable=False),
    UniqueConstraint("dataset", "protocol"),
)

versions = Table(
    "versions",
    metadata,
    _key(),
    Column("id", String(16), nullable=False),
    Column("logical_model", String, ForeignKey("logical_models.name"), nullable=False),
    _text("segment"),
    _text("template"),
    _digest("recipe"),
    _digest("manifest"),
    _reference("dataset", "datasets.number"),
    Column("created", Moment, nullable=False),
    _entry(),
    UniqueConstraint("id"),
    Index(None, "recipe"),
    Index(None, "created", "number"),
    Index(None, "logical_model", "created", "number"),
    Index(None, "logical_model", "segment", "created", "number"),
    Index(None, "logical_model", "template", "created", "number"),
    Index(None, "template", "created", "number"),
)

version_datasets = Table(
    "version_datasets",
    metadata,
    _reference("version", "versions.number", primary_key=True),
    Column("position", Integer, primary_key=True),
    _reference("dataset", "datasets.number"),
    sqlite_with_rowid=False,
)

evaluations = Table(
    "evaluations",
    metadata,
    _reference("version", "versions.number", primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("contender", Text, nullable=False),
    Column("baseline", Boolean, nullable=False),
    _reference("comparison", "comparisons.number"),
    sqlite_with_rowid=False,
)

# The comparison and the baseline mark repeat those of the evaluation, so that one index answers
# "the best by this metric on this dataset" without a join.
metrics = Table(
    "metrics",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("evaluation", Integer, primary_key=True),
    Column("metric", String, primary_key=True),
    Column("subset", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("comparison", Integer, nullable=False),
    Column("baseline", Boolean, nullable=False),
    Column("value", Float),
    Column("count", BigInteger, nullable=False),
    ForeignKeyConstraint(
        ["version", "evaluation"], ["evaluations.version", "evaluations.position"]
    ),
    sqlite_with_rowid=False,
)
Index(
    "ix_metrics_best",
    metrics.c.comparison,
    metrics.c.metric,
    metrics.c.subset,
    metrics.c.value,
    sqlite_where=metrics.c.baseline.is_(False),
    postgresql_where=metrics.c.baseline.is_(False),
)

gate_results = Table(
    "gate_results",
    metadata,
    _reference("version", "versions.number", primary_key=True),
    Column("position", Integer, primary_key=True),
    _text("gate"),
    Column("passed", Boolean, nullable=False),
    Column("expectation", Text, nullable=False),
    Column("measured", Text, nullable=False),
    Column("test", String, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

releases = Table(
    "releases",
    metadata,
    _key(),
    _text("logical_model"),
    _text("segment"),
    _reference("version", "versions.number"),
    _text("stage"),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
    _text("by"),
    Column("reason", Text, nullable=False),
    Column("share", Float),
    Column("rollback", Boolean, nullable=False, server_default=false()),
    _entry(),
    Index(None, "logical_model", "segment", "stage", "since"),
)


def _where(condition: Any) -> dict[str, Any]:
    return {"sqlite_where": condition, "postgresql_where": condition}


Index(
    "uq_releases_champion",
    releases.c.logical_model,
    releases.c.segment,
    unique=True,
    **_where((releases.c.stage == "champion") & releases.c.until.is_(None)),
)
Index("uq_releases_open", releases.c.version, unique=True, **_where(releases.c.until.is_(None)))
Index(
    "ix_releases_stage",
    releases.c.stage,
    releases.c.logical_model,
    **_where(releases.c.until.is_(None)),
)

switches = Table(
    "switches",
    metadata,
    _key(),
    _text("logical_model"),
    _text("segment"),
    _text("switch"),
    _text("by"),
    Column("reason", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
    _entry(),
)
Index(
    "uq_switches_open",
    switches.c.logical_model,
    switches.c.segment,
    unique=True,
    **_where(switches.c.until.is_(None)),
)

attempts = Table(
    "attempts",
    metadata,
    Column("logical_model", String, primary_key=True),
    Column("segment", String, primary_key=True),
    Column("at", Moment, nullable=False),
    _digest("recipe"),
    _digest("dataset"),
    Column("protocol", Text, nullable=False),
    Column("champion", String(16)),
    Column("kpi", Float),
    Column("champion_kpi", Float),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)

policies = Table(
    "policies",
    metadata,
    _key(),
    Column("record", Text, nullable=False),
    _entry(),
)

validations = Table(
    "validations",
    metadata,
    _key(),
    _reference("version", "versions.number"),
    Column("at", Moment, nullable=False),
    _text("by"),
    _digest("policy"),
    _entry(),
    Index(None, "version"),
)

validation_results = Table(
    "validation_results",
    metadata,
    _reference("validation", "validations.number", primary_key=True),
    Column("position", Integer, primary_key=True),
    _text("gate"),
    _text("test"),
    Column("passed", Boolean, nullable=False),
    Column("expectation", Text, nullable=False),
    Column("measured", Text, nullable=False),
    sqlite_with_rowid=False,
)

sign_offs = Table(
    "sign_offs",
    metadata,
    _key(),
    _reference("version", "versions.number"),
    _text("move"),
    _text("role"),
    _text("by"),
    Column("at", Moment, nullable=False),
    Column("statement", Text, nullable=False),
    _entry(),
    Index(None, "version"),
)

# The newest declaration of a name counts; it has steps once it has begun.
experiments = Table(
    "experiments",
    metadata,
    _key(),
    _text("logical_model"),
    _text("segment"),
    _text("name"),
    Column("record", Text, nullable=False),
    _entry(),
    Index(None, "logical_model", "segment", "name"),
)

experiment_steps = Table(
    "experiment_steps",
    metadata,
    _key(),
    _reference("experiment", "experiments.number"),
    _text("step"),
    Column("at", Moment, nullable=False),
    _text("by"),
    Column("reason", Text, nullable=False),
    _entry(),
    UniqueConstraint("experiment", "step"),
)

# What a bandit has learned; it follows from the event log, so that no audit entry tells of it.
bandit_states = Table(
    "bandit_states",
    metadata,
    _reference("experiment", "experiments.number", primary_key=True),
    Column("record", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    _text("by"),
    _text("act"),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),
    _digest("previous"),
    _digest("digest"),
)

# Alembic's own table, written here so that a fresh catalog needs no alembic.
schema_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32)),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
