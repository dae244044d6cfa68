"""Governance: policies, validations, sign-offs, switches, and the audit log."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables, and begin the audit log with what was there before it."""
    _add_columns()
    _create_log()
    _create_acts()
    _create_validations()
    _drop_risk_classes()
    _begin_log()


def _entry(table: str) -> None:
    op.create_index(f"ix_{table}_entry", table, ["entry"])


def _add_columns() -> None:
    op.add_column("versions", sa.Column("entry", sa.Integer(), nullable=True))
    op.add_column("gate_results", sa.Column("test", sa.String(), nullable=False, server_default=""))
    op.add_column("releases", sa.Column("share", sa.Float(), nullable=True))
    op.add_column(
        "releases",
        sa.Column("rollback", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("releases", sa.Column("entry", sa.Integer(), nullable=True))
    _entry("versions")
    _entry("releases")


def _create_log() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_table(
        "policies",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_policies"),
    )
    _entry("policies")


def _create_acts() -> None:
    op.create_table(
        "switches",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("logical_model", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("switch", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=True),
        sa.Column("entry", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_switches"),
    )
    op.create_index(
        "uq_switches_open",
        "switches",
        ["logical_model", "segment"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_table(
        "sign_offs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("move", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_sign_offs_version"),
        sa.PrimaryKeyConstraint("number", name="pk_sign_offs"),
    )
    op.create_index("ix_sign_offs_version", "sign_offs", ["version"])
    _entry("switches")
    _entry("sign_offs")


def _create_validations() -> None:
    op.create_table(
        "validations",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_validations_version"),
        sa.PrimaryKeyConstraint("number", name="pk_validations"),
    )
    op.create_index("ix_validations_version", "validations", ["version"])
    _entry("validations")
    op.create_table(
        "validation_results",
        sa.Column("validation", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("test", sa.String(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("expectation", sa.Text(), nullable=False),
        sa.Column("measured", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["validation"], ["validations.number"], name="fk_validation_results_validation"
        ),
        sa.PrimaryKeyConstraint("validation", "position", name="pk_validation_results"),
        sqlite_with_rowid=False,
    )


def _drop_risk_classes() -> None:
    """The class follows from a questionnaire now, which the next run brings."""
    connection = op.get_bind()
    models = sa.table("logical_models", sa.column("name"), sa.column("record"))
    for name, record in connection.execute(sa.select(models.c.name, models.c.record)).all():
        fields = {key: value for key, value in json.loads(record).items() if key != "risk_class"}
        connection.execute(
            models.update().where(models.c.name == name).values(record=_canonical(fields))
        )


def _begin_log() -> None:
    """The first entry counts what no entry tells of."""
    connection = op.get_bind()
    before = {
        name: connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name)))
        for name in ("versions", "releases")
    }
    at = datetime.now(UTC)
    details = {"before": before, "from": "r0001"}
    fields = {
        "number": 1,
        "at": at.isoformat().replace("+00:00", "Z"),
        "by": "loopcast",
        "act": "upgrade",
        "subject": "",
        "details": details,
        "previous": "0" * 64,
    }
    names = sorted(fields.keys() - {"at"})
    log = sa.table("audit", sa.column("at", _MOMENT), sa.column("digest"), *map(sa.column, names))
    sqlite = connection.dialect.name == "sqlite"
    row = fields | {
        "at": at.replace(tzinfo=None) if sqlite else at,
        "details": _canonical(details),
        "digest": sha256(_canonical(fields).encode()).hexdigest(),
    }
    connection.execute(log.insert().values(row))


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
