"""Trainings that made no version, since it would not have been better than the champion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "attempts",
        sa.Column("logical_model", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("champion", sa.String(16), nullable=True),
        sa.Column("kpi", sa.Float(), nullable=True),
        sa.Column("champion_kpi", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("logical_model", "segment", name="pk_attempts"),
        sqlite_with_rowid=False,
    )
