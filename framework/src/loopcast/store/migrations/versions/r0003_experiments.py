"""Experiments: their declarations, what was done with them, and what bandits have learned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "experiments",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("logical_model", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_experiments"),
    )
    op.create_index(
        "ix_experiments_logical_model_segment_name",
        "experiments",
        ["logical_model", "segment", "name"],
    )
    op.create_index("ix_experiments_entry", "experiments", ["entry"])
    op.create_table(
        "experiment_steps",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("experiment", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.number"], name="fk_experiment_steps_experiment"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_experiment_steps"),
        sa.UniqueConstraint("experiment", "step", name="uq_experiment_steps_experiment_step"),
    )
    op.create_index("ix_experiment_steps_entry", "experiment_steps", ["entry"])
    op.create_table(
        "bandit_states",
        sa.Column("experiment", sa.Integer(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"], ["experiments.number"], name="fk_bandit_states_experiment"
        ),
        sa.PrimaryKeyConstraint("experiment", name="pk_bandit_states"),
    )
