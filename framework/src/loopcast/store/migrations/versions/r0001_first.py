"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _create_subjects()
    _create_versions()
    _create_measurements()
    _create_releases()


def _create_subjects() -> None:
    op.create_table(
        "logical_models",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_logical_models"),
    )
    op.create_table(
        "datasets",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("imputed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_datasets"),
        sa.UniqueConstraint("fingerprint", name="uq_datasets_fingerprint"),
    )
    op.create_table(
        "comparisons",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.number"], name="fk_comparisons_dataset"),
        sa.PrimaryKeyConstraint("number", name="pk_comparisons"),
        sa.UniqueConstraint("dataset", "protocol", name="uq_comparisons_dataset_protocol"),
    )


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("logical_model", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.number"], name="fk_versions_dataset"),
        sa.ForeignKeyConstraint(
            ["logical_model"], ["logical_models.name"], name="fk_versions_logical_model"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_versions"),
        sa.UniqueConstraint("id", name="uq_versions_id"),
    )
    op.create_index("ix_versions_created_number", "versions", ["created", "number"])
    op.create_index(
        "ix_versions_logical_model_created_number",
        "versions",
        ["logical_model", "created", "number"],
    )
    op.create_index(
        "ix_versions_logical_model_segment_created_number",
        "versions",
        ["logical_model", "segment", "created", "number"],
    )
    op.create_index(
        "ix_versions_logical_model_template_created_number",
        "versions",
        ["logical_model", "template", "created", "number"],
    )
    op.create_index("ix_versions_recipe", "versions", ["recipe"])
    op.create_index(
        "ix_versions_template_created_number", "versions", ["template", "created", "number"]
    )
    op.create_table(
        "version_datasets",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.number"], name="fk_version_datasets_dataset"
        ),
        sa.ForeignKeyConstraint(
            ["version"], ["versions.number"], name="fk_version_datasets_version"
        ),
        sa.PrimaryKeyConstraint("version", "position", name="pk_version_datasets"),
        sqlite_with_rowid=False,
    )


def _create_measurements() -> None:
    op.create_table(
        "evaluations",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("contender", sa.Text(), nullable=False),
        sa.Column("baseline", sa.Boolean(), nullable=False),
        sa.Column("comparison", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["comparison"], ["comparisons.number"], name="fk_evaluations_comparison"
        ),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_evaluations_version"),
        sa.PrimaryKeyConstraint("version", "position", name="pk_evaluations"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metrics",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("evaluation", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("subset", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("comparison", sa.Integer(), nullable=False),
        sa.Column("baseline", sa.Boolean(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version", "evaluation"],
            ["evaluations.version", "evaluations.position"],
            name="fk_metrics_version_evaluation",
        ),
        sa.PrimaryKeyConstraint("version", "evaluation", "metric", "subset", name="pk_metrics"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_metrics_best",
        "metrics",
        ["comparison", "metric", "subset", "value"],
        sqlite_where=sa.text("baseline IS 0"),
        postgresql_where=sa.text("baseline IS false"),
    )
    op.create_table(
        "gate_results",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("expectation", sa.Text(), nullable=False),
        sa.Column("measured", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_gate_results_version"),
        sa.PrimaryKeyConstraint("version", "position", name="pk_gate_results"),
        sqlite_with_rowid=False,
    )


def _create_releases() -> None:
    op.create_table(
        "releases",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("logical_model", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_releases_version"),
        sa.PrimaryKeyConstraint("number", name="pk_releases"),
    )
    op.create_index(
        "ix_releases_logical_model_segment_stage_since",
        "releases",
        ["logical_model", "segment", "stage", "since"],
    )
    op.create_index(
        "ix_releases_stage",
        "releases",
        ["stage", "logical_model"],
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index(
        "uq_releases_champion",
        "releases",
        ["logical_model", "segment"],
        unique=True,
        sqlite_where=sa.text("stage = 'champion' AND until IS NULL"),
        postgresql_where=sa.text("stage = 'champion' AND until IS NULL"),
    )
    op.create_index(
        "uq_releases_open",
        "releases",
        ["version"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
