"""The tables of governance: switches, policies, validations, sign-offs, and the audit log."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table

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

switches = Table(
    "switches",
    metadata,
    key(),
    text("logical_model"),
    text("segment"),
    text("switch"),
    text("by"),
    long_text("reason"),
    Column("since", Moment, nullable=False),
    Column("until", Moment),
    entry(),
)
Index(
    "uq_switches_open",
    switches.c.logical_model,
    switches.c.segment,
    unique=True,
    **only_where(switches.c.until.is_(None)),
)

policies = Table(
    "policies",
    metadata,
    key(),
    long_text("record"),
    entry(),
)

validations = Table(
    "validations",
    metadata,
    key(),
    reference("version", "versions.number"),
    Column("at", Moment, nullable=False),
    text("by"),
    digest("policy"),
    entry(),
    Index(None, "version"),
)

validation_results = Table(
    "validation_results",
    metadata,
    reference("validation", "validations.number", primary_key=True),
    Column("position", Integer, primary_key=True),
    text("gate"),
    text("test"),
    Column("passed", Boolean, nullable=False),
    long_text("expectation"),
    long_text("measured"),
    sqlite_with_rowid=False,
)

sign_offs = Table(
    "sign_offs",
    metadata,
    key(),
    reference("version", "versions.number"),
    text("move"),
    text("role"),
    text("by"),
    Column("at", Moment, nullable=False),
    long_text("statement"),
    entry(),
    Index(None, "version"),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    text("by"),
    text("act"),
    long_text("subject"),
    long_text("details"),
    digest("previous"),
    digest("digest"),
)
