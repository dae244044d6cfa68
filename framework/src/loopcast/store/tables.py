"""The tables of versions and releases, shaped for 100,000 versions over thousands of segments.

Versions, datasets and comparisons have small integer keys, so that the many rows that refer to
them (evaluations, metrics, gate results) stay narrow. A comparison is what must be equal before
two evaluations may be compared: the dataset and the protocol.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    false,
)

from loopcast.store.columns import (
    Moment,
    digest,
    entry,
    key,
    long_text,
    metadata,
    only_where,
    reference,
    text,
)

logical_models = Table(
    "logical_models",
    metadata,
    Column("name", String, primary_key=True),
    long_text("record"),
)

datasets = Table(
    "datasets",
    metadata,
    key(),
    digest("fingerprint"),
    text("name"),
    long_text("origin"),
    Column("rows", BigInteger, nullable=False),
    Column("start", Moment),
    Column("end", Moment),
    Column("imputed", BigInteger, nullable=False),
    UniqueConstraint("fingerprint"),
)

comparisons = Table(
    "comparisons",
    metadata,
    key(),
    reference("dataset", "datasets.number"),
    long_text("protocol"),
    UniqueConstraint("dataset", "protocol"),
)

versions = Table(
    "versions",
    metadata,
    key(),
    Column("id", String(16), nullable=False),
    Column("logical_model", String, ForeignKey("logical_models.name"), nullable=False),
    text("segment"),
    text("template"),
    digest("recipe"),
    digest("manifest"),
    reference("dataset", "datasets.number"),
    Column("created", Moment, nullable=False),
    entry(),
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
    reference("version", "versions.number", primary_key=True),
    Column("position", Integer, primary_key=True),
    reference("dataset", "datasets.number"),
    sqlite_with_rowid=False,
)

evaluations = Table(
    "evaluations",
    metadata,
    reference("version", "versions.number", primary_key=True),
    Column("position", Integer, primary_key=True),
    long_text("contender"),
    Column("baseline", Boolean, nullable=False),
    reference("comparison", "comparisons.number"),
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
    **only_where(metrics.c.baseline.is_(False)),
)

gate_results = Table(
    "gate_results",
    metadata,
    reference("version", "versions.number", primary_key=True),
    Column("position", Integer, primary_key=True),
    text("gate"),
    Column("passed", Boolean, nullable=False),
    long_text("expectation"),
    long_text("measured"),
    Column("test", String, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

releases = Table(
    "releases",
    metadata,
    key(),
    text("logical_model"),
    text("segment"),
    reference("version", "versions.number"),
    text("stage"),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
    text("by"),
    long_text("reason"),
    Column("share", Float),
    Column("rollback", Boolean, nullable=False, server_default=false()),
    entry(),
    Index(None, "logical_model", "segment", "stage", "since"),
)
Index(
    "uq_releases_champion",
    releases.c.logical_model,
    releases.c.segment,
    unique=True,
    **only_where((releases.c.stage == "champion") & releases.c.until.is_(None)),
)
Index("uq_releases_open", releases.c.version, unique=True, **only_where(releases.c.until.is_(None)))
Index(
    "ix_releases_stage",
    releases.c.stage,
    releases.c.logical_model,
    **only_where(releases.c.until.is_(None)),
)

attempts = Table(
    "attempts",
    metadata,
    Column("logical_model", String, primary_key=True),
    Column("segment", String, primary_key=True),
    Column("at", Moment, nullable=False),
    digest("recipe"),
    digest("dataset"),
    long_text("protocol"),
    Column("champion", String(16)),
    Column("kpi", Float),
    Column("champion_kpi", Float),
    long_text("reason"),
    sqlite_with_rowid=False,
)
