"""Certificates that devices got after the one that they were enrolled with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "device_certificates",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("certificate", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"], ["devices.number"], name="fk_device_certificates_device"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_device_certificates"),
    )
    op.create_index("ix_device_certificates_device", "device_certificates", ["device"])
    op.create_index("ix_device_certificates_entry", "device_certificates", ["entry"])
