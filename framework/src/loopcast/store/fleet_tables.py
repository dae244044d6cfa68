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
    Text,
    UniqueConstraint,
)

from loopcast.store.tables import Moment, metadata


def _key() -> Column[int]:
    return Column("number", Integer, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, String, nullable=False)


def _long(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _digest(name: str) -> Column[str]:
    return Column(name, String(64), nullable=False)


def _entry() -> Column[int]:
    """The entry of the audit log that tells of a row."""
    return Column("entry", Integer, index=True)


def _of_device() -> Column[int]:
    return Column("device", Integer, ForeignKey("devices.number"), primary_key=True)


devices = Table(
    "devices",
    metadata,
    _key(),
    _text("name"),
    _long("labels"),
    Column("enrolled", Moment, nullable=False),
    Column("certificate", String(64)),
    Column("revoked", Moment),
    _entry(),
    UniqueConstraint("name"),
)

device_tokens = Table(
    "device_tokens",
    metadata,
    _key(),
    _digest("digest"),
    _text("device"),
    _long("labels"),
    Column("expires", Moment, nullable=False),
    Column("used", Moment),
    _entry(),
    UniqueConstraint("digest"),
)

# Those that came after the one that a device was enrolled with.
device_certificates = Table(
    "device_certificates",
    metadata,
    _key(),
    Column("device", Integer, ForeignKey("devices.number"), nullable=False, index=True),
    _digest("certificate"),
    Column("at", Moment, nullable=False),
    _entry(),
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
    _key(),
    Column("version", Integer, ForeignKey("versions.number"), nullable=False),
    _text("logical_model"),
    _text("segment"),
    Column("sequence", Integer, nullable=False),
    _digest("manifest"),
    _digest("envelope"),
    _digest("model"),
    Column("size", BigInteger, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    _entry(),
    UniqueConstraint("logical_model", "segment", "sequence"),
    Index(None, "manifest"),
)

rollouts = Table(
    "rollouts",
    metadata,
    _key(),
    _text("name"),
    Column("package", Integer, ForeignKey("packages.number"), nullable=False),
    _long("record"),
    _entry(),
    UniqueConstraint("name"),
)

rollout_steps = Table(
    "rollout_steps",
    metadata,
    _key(),
    Column("rollout", Integer, ForeignKey("rollouts.number"), nullable=False, index=True),
    _text("act"),
    Column("at", Moment, nullable=False),
    _text("by"),
    _long("reason"),
    _long("evidence"),
    _entry(),
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
    _key(),
    Column("device", Integer, ForeignKey("devices.number"), nullable=False),
    _text("batch"),
    _text("kind"),
    Column("at", Moment, nullable=False),
    Column("payload", LargeBinary),
    Column("intake", Integer),
    UniqueConstraint("device", "batch"),
)
TAKEN_IN = ("events", "truth")
"""Kinds of batches that go into the ordinary stores; the others stay where they are."""

_WAITING = uplinks.c.payload.is_not(None) & uplinks.c.kind.in_(TAKEN_IN)
Index("ix_uplinks_waiting", uplinks.c.intake, sqlite_where=_WAITING, postgresql_where=_WAITING)
