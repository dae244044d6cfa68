"""The tables of experiments: declarations, what was done with them, and what bandits learned."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, UniqueConstraint

from loopcast.store.columns import Moment, entry, key, long_text, metadata, reference, text

# The newest declaration of a name counts; it has steps once it has begun.
experiments = Table(
    "experiments",
    metadata,
    key(),
    text("logical_model"),
    text("segment"),
    text("name"),
    long_text("record"),
    entry(),
    Index(None, "logical_model", "segment", "name"),
)

experiment_steps = Table(
    "experiment_steps",
    metadata,
    key(),
    reference("experiment", "experiments.number"),
    text("step"),
    Column("at", Moment, nullable=False),
    text("by"),
    long_text("reason"),
    entry(),
    UniqueConstraint("experiment", "step"),
)

# What a bandit has learned; it follows from the event log, so that no audit entry tells of it.
bandit_states = Table(
    "bandit_states",
    metadata,
    reference("experiment", "experiments.number", primary_key=True),
    long_text("record"),
)
