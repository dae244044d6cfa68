"""The tables of the fleet: devices, packages, rollouts, and what devices have sent.

What devices are told (``assignments``, ``desired``) follows from the steps of rollouts, and what
they say changes every few minutes; the audit log tells of neither, but of the steps themselves.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from loopcast.store.columns import Moment, digest, entry, key, long_text, metadata, text


def _of_device() -> Column[int]:
    return Column("device", Integer, ForeignKey("devices.number"), primary_key=True)


devices = Table(
    "devices",
    metadata,
    key(),
    text("name"),
    long_text("labels"),
    Column("enrolled", Moment, nullable=False),
    Column("certificate", String(64)),
    Column("revoked", Moment),
    entry(),
    UniqueConstraint("name"),
)

device_tokens = Table(
    "device_tokens",
    metadata,
    key(),
    digest("digest"),
    text("device"),
    long_text("labels"),
    Column("expires", Moment, nullable=False),
    Column("used", Moment),
    entry(),
    UniqueConstraint("digest"),
)

# Those that came after the one that a device was enrolled with.
device_certificates = Table(
    "device_certificates",
    metadata,
    key(),
    Column("device", Integer, ForeignKey("devices.number"), nullable=False, index=True),
    digest("certificate"),
    Column("at", Moment, nullable=False),
    entry(),
)

device_states = Table(
    "device_states",
    metadata,
    _of_device(),
    Column("online", Boolean),
    Column("since", Moment),
    Column("seen", Moment, nullable=False),
    Column("report", LargeBinary),
)

packages = Table(
    "packages",
    metadata,
    key(),
    Column("version", Integer, ForeignKey("versions.number"), nullable=False),
    text("logical_model"),
    text("segment"),
    Column("sequence", Integer, nullable=False),
    digest("manifest"),
    digest("envelope"),
    digest("model"),
    Column("size", BigInteger, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    entry(),
    UniqueConstraint("logical_model", "segment", "sequence"),
    Index(None, "manifest"),
)

rollouts = Table(
    "rollouts",
    metadata,
    key(),
    text("name"),
    Column("package", Integer, ForeignKey("packages.number"), nullable=False),
    long_text("record"),
    entry(),
    UniqueConstraint("name"),
)

rollout_steps = Table(
    "rollout_steps",
    metadata,
    key(),
    Column("rollout", Integer, ForeignKey("rollouts.number"), nullable=False, index=True),
    text("act"),
    Column("at", Moment, nullable=False),
    text("by"),
    long_text("reason"),
    long_text("evidence"),
    entry(),
)

# Who takes part at which stage, and what it had before; fixed when the rollout begins.
rollout_members = Table(
    "rollout_members",
    metadata,
    Column("rollout", Integer, ForeignKey("rollouts.number"), primary_key=True),
    _of_device(),
    Column("stage", Integer, nullable=False),
    Column("previous", Integer, ForeignKey("packages.number")),
    sqlite_with_rowid=False,
)

assignments = Table(
    "assignments",
    metadata,
    _of_device(),
    Column("logical_model", String, primary_key=True),
    Column("segment", String, primary_key=True),
    Column("role", String, primary_key=True),
    Column("package", Integer, ForeignKey("packages.number"), nullable=False),
    sqlite_with_rowid=False,
)

# The number of what a device is told, and of what it was told last.
desired = Table(
    "desired",
    metadata,
    _of_device(),
    Column("sequence", Integer, nullable=False),
    Column("published", Integer, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# Batches are kept under their id for ever, their content until it is in the ordinary stores.
uplinks = Table(
    "uplinks",
    metadata,
    key(),
    Column("device", Integer, ForeignKey("devices.number"), nullable=False),
    text("batch"),
    text("kind"),
    Column("at", Moment, nullable=False),
    Column("payload", LargeBinary),
    Column("intake", Integer),
    UniqueConstraint("device", "batch"),
)
TAKEN_IN = ("events", "truth")
"""Kinds of batches that go into the ordinary stores; the others stay where they are."""

_WAITING = uplinks.c.payload.is_not(None) & uplinks.c.kind.in_(TAKEN_IN)
Index("ix_uplinks_waiting", uplinks.c.intake, sqlite_where=_WAITING, postgresql_where=_WAITING)
