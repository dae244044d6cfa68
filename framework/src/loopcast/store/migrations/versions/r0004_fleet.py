"""The fleet: devices, packages, rollouts, and what devices have sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _digest(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=nullable)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.number"], name=f"fk_{table}_{column}")


def upgrade() -> None:
    """Add the tables."""
    _add_devices()
    _add_packages()
    _add_rollouts()
    _add_told()
    _add_uplinks()


def _add_devices() -> None:
    op.create_table(
        "devices",
        _number("number"),
        *_texts("name"),
        sa.Column("labels", sa.Text(), nullable=False),
        _moment("enrolled"),
        _digest("certificate", nullable=True),
        _moment("revoked", nullable=True),
        _number("entry", nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_devices"),
        sa.UniqueConstraint("name", name="uq_devices_name"),
    )
    op.create_index("ix_devices_entry", "devices", ["entry"])
    op.create_table(
        "device_tokens",
        _number("number"),
        _digest("digest"),
        *_texts("device"),
        sa.Column("labels", sa.Text(), nullable=False),
        _moment("expires"),
        _moment("used", nullable=True),
        _number("entry", nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_device_tokens"),
        sa.UniqueConstraint("digest", name="uq_device_tokens_digest"),
    )
    op.create_index("ix_device_tokens_entry", "device_tokens", ["entry"])
    op.create_table(
        "device_states",
        _number("device"),
        sa.Column("online", sa.Boolean(), nullable=True),
        _moment("since", nullable=True),
        _moment("seen"),
        sa.Column("report", sa.LargeBinary(), nullable=True),
        _reference("device_states", "device", "devices"),
        sa.PrimaryKeyConstraint("device", name="pk_device_states"),
    )


def _add_packages() -> None:
    op.create_table(
        "packages",
        _number("number"),
        _number("version"),
        *_texts("logical_model", "segment"),
        _number("sequence"),
        _digest("manifest"),
        _digest("envelope"),
        _digest("model"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        _moment("created"),
        _moment("expires"),
        _number("entry", nullable=True),
        _reference("packages", "version", "versions"),
        sa.PrimaryKeyConstraint("number", name="pk_packages"),
        sa.UniqueConstraint(
            "logical_model",
            "segment",
            "sequence",
            name="uq_packages_logical_model_segment_sequence",
        ),
    )
    op.create_index("ix_packages_entry", "packages", ["entry"])
    op.create_index("ix_packages_manifest", "packages", ["manifest"])


def _add_rollouts() -> None:
    op.create_table(
        "rollouts",
        _number("number"),
        *_texts("name"),
        _number("package"),
        sa.Column("record", sa.Text(), nullable=False),
        _number("entry", nullable=True),
        _reference("rollouts", "package", "packages"),
        sa.PrimaryKeyConstraint("number", name="pk_rollouts"),
        sa.UniqueConstraint("name", name="uq_rollouts_name"),
    )
    op.create_index("ix_rollouts_entry", "rollouts", ["entry"])
    op.create_table(
        "rollout_steps",
        _number("number"),
        _number("rollout"),
        *_texts("act"),
        _moment("at"),
        *_texts("by"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        _number("entry", nullable=True),
        _reference("rollout_steps", "rollout", "rollouts"),
        sa.PrimaryKeyConstraint("number", name="pk_rollout_steps"),
    )
    op.create_index("ix_rollout_steps_entry", "rollout_steps", ["entry"])
    op.create_index("ix_rollout_steps_rollout", "rollout_steps", ["rollout"])
    op.create_table(
        "rollout_members",
        _number("rollout"),
        _number("device"),
        _number("stage"),
        _number("previous", nullable=True),
        _reference("rollout_members", "rollout", "rollouts"),
        _reference("rollout_members", "device", "devices"),
        _reference("rollout_members", "previous", "packages"),
        sa.PrimaryKeyConstraint("rollout", "device", name="pk_rollout_members"),
        sqlite_with_rowid=False,
    )


def _add_told() -> None:
    op.create_table(
        "assignments",
        _number("device"),
        *_texts("logical_model", "segment", "role"),
        _number("package"),
        _reference("assignments", "device", "devices"),
        _reference("assignments", "package", "packages"),
        sa.PrimaryKeyConstraint(
            "device", "logical_model", "segment", "role", name="pk_assignments"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "desired",
        _number("device"),
        _number("sequence"),
        sa.Column("published", sa.Integer(), nullable=False, server_default="0"),
        _reference("desired", "device", "devices"),
        sa.PrimaryKeyConstraint("device", name="pk_desired"),
        sqlite_with_rowid=False,
    )


def _add_uplinks() -> None:
    op.create_table(
        "uplinks",
        _number("number"),
        _number("device"),
        *_texts("batch", "kind"),
        _moment("at"),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        _number("intake", nullable=True),
        _reference("uplinks", "device", "devices"),
        sa.PrimaryKeyConstraint("number", name="pk_uplinks"),
        sa.UniqueConstraint("device", "batch", name="uq_uplinks_device_batch"),
    )
    waiting = sa.text("payload IS NOT NULL AND kind IN ('events', 'truth')")
    op.create_index(
        "ix_uplinks_waiting", "uplinks", ["intake"], sqlite_where=waiting, postgresql_where=waiting
    )
