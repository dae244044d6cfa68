"""The audit log: append-only, each entry chained to the one before by its digest.

Each act writes its entry in its own transaction. The rows that it writes carry the entry's
number, and the entry the digest of these rows, so that rows that were changed, removed or slipped
in are found as well as entries that were. Writers take turns, so numbers have no gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, select

from loopcast.api import Act, AuditEntry, Digest, VersionId
from loopcast.api.formats import json_bytes
from loopcast.api.record import require_person
from loopcast.store.columns import in_utc
from loopcast.store.experiment_tables import experiment_steps, experiments
from loopcast.store.fleet_tables import (
    device_certificates,
    devices,
    packages,
    rollout_steps,
    rollouts,
)
from loopcast.store.governance_tables import (
    audit,
    policies,
    sign_offs,
    switches,
    validation_results,
    validations,
)
from loopcast.store.tables import releases, versions

GENESIS = "0" * 64
"""What the first entry is chained to."""

NAMED = 20
"""Up to so many rows of an act are spelled out in its entry; a larger act is counted."""

PROMPT = timedelta(minutes=1)
"""An act that is entered later than this after its moment says when it was entered."""


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Which entries to list; ``None`` means any.

    Attributes
    ----------
    logical_model
        One of those that the entry concerned.
    version
        Whose registration, validations, sign-offs and moves are wanted.
    """

    act: Act | None = None
    by: str | None = None
    logical_model: str | None = None
    version: VersionId | None = None


def _of_version(table: Any, *columns: str) -> Select[Any]:
    return (
        select(table.c.entry, versions.c.id, *(table.c[name] for name in columns))
        .join(versions, table.c.version == versions.c.number)
        .order_by(table.c.entry, table.c.number)
    )


# The rows that an entry's digest covers: what later acts change (`until`) is left out. An entry of
# the first format stays verifiable only while these lists stay as they are.
CONTENT: dict[str, Select[Any]] = {
    "versions": select(
        versions.c.entry, versions.c.id, versions.c.logical_model, versions.c.segment,
        versions.c.template, versions.c.recipe, versions.c.manifest, versions.c.created,
    ).order_by(versions.c.entry, versions.c.number),
    "releases": _of_version(
        releases, "logical_model", "segment", "stage", "since", "by", "reason", "share", "rollback"
    ),
    "validations": _of_version(validations, "at", "by", "policy"),
    "validation_results": select(
        validations.c.entry, validations.c.number, validation_results.c.gate,
        validation_results.c.test, validation_results.c.passed,
        validation_results.c.expectation, validation_results.c.measured,
    )
    .join(validations, validation_results.c.validation == validations.c.number)
    .order_by(validations.c.entry, validations.c.number, validation_results.c.position),
    "sign_offs": _of_version(sign_offs, "move", "role", "by", "at", "statement"),
    "switches": select(
        switches.c.entry, switches.c.logical_model, switches.c.segment, switches.c.switch,
        switches.c.by, switches.c.reason, switches.c.since,
    ).order_by(switches.c.entry, switches.c.number),
    "policies": select(policies.c.entry, policies.c.record).order_by(policies.c.entry),
    "experiments": select(experiments.c.entry, experiments.c.record).order_by(
        experiments.c.entry, experiments.c.number
    ),
    "experiment_steps": select(
        experiment_steps.c.entry, experiments.c.logical_model, experiments.c.segment,
        experiments.c.name, experiment_steps.c.step, experiment_steps.c.at,
        experiment_steps.c.by, experiment_steps.c.reason,
    )
    .join(experiments, experiment_steps.c.experiment == experiments.c.number)
    .order_by(experiment_steps.c.entry, experiment_steps.c.number),
    "devices": select(
        devices.c.entry, devices.c.name, devices.c.enrolled, devices.c.certificate
    ).order_by(devices.c.entry, devices.c.number),
    "device_certificates": select(
        device_certificates.c.entry, devices.c.name, device_certificates.c.certificate,
        device_certificates.c.at,
    )
    .join(devices, device_certificates.c.device == devices.c.number)
    .order_by(device_certificates.c.entry, device_certificates.c.number),
    "packages": select(
        packages.c.entry, versions.c.id, packages.c.logical_model, packages.c.segment,
        packages.c.sequence, packages.c.manifest, packages.c.envelope, packages.c.model,
        packages.c.size, packages.c.created, packages.c.expires,
    )
    .join(versions, packages.c.version == versions.c.number)
    .order_by(packages.c.entry, packages.c.number),
    "rollouts": select(rollouts.c.entry, rollouts.c.record).order_by(rollouts.c.entry),
    "rollout_steps": select(
        rollout_steps.c.entry, rollouts.c.name, rollout_steps.c.act, rollout_steps.c.at,
        rollout_steps.c.by, rollout_steps.c.reason, rollout_steps.c.evidence,
    )
    .join(rollouts, rollout_steps.c.rollout == rollouts.c.number)
    .order_by(rollout_steps.c.entry, rollout_steps.c.number),
}  # fmt: skip
_OF_ACT: dict[Act, tuple[str, ...]] = {
    "upgrade": (),
    "describe": (),
    "policy": ("policies",),
    "register": ("versions",),
    "validate": ("validations", "validation_results"),
    "sign": ("sign_offs",),
    "release": ("releases",),
    "rollback": ("releases",),
    "switch": ("switches",),
    "export": (),
    "declare": ("experiments",),
    "begin": ("experiment_steps",),
    "stop": ("experiment_steps",),
    "conclude": ("experiment_steps",),
    "invite": (),
    "enrol": ("devices",),
    "renew": ("device_certificates",),
    "label": (),
    "revoke": (),
    "package": ("packages",),
    "plan": ("rollouts",),
    "roll": ("rollout_steps",),
}
_CARRIERS = {"versions": versions, "releases": releases, "validations": validations}
_CARRIERS |= {"sign_offs": sign_offs, "switches": switches, "policies": policies}
_CARRIERS |= {"experiments": experiments, "experiment_steps": experiment_steps}
_CARRIERS |= {"devices": devices, "device_certificates": device_certificates}
_CARRIERS |= {"packages": packages}
_CARRIERS |= {"rollouts": rollouts, "rollout_steps": rollout_steps}


def next_number(connection: Connection) -> int:
    """Return the number that the act of this transaction will have."""
    return (connection.scalar(select(func.max(audit.c.number))) or 0) + 1


def append(
    connection: Connection,
    number: int,
    act: Act,
    *,
    by: str,
    at: datetime,
    subjects: Sequence[str],
    details: dict[str, object],
) -> None:
    """Append the entry of an act, after the rows that it wrote with the entry's number.

    Whoever acts may say when it was, as replays of the past do. Where that is not now, the
    entry also says when it was written, by the clock, so that no act is dated back unseen.

    Raises
    ------
    InvalidRecordError
        Where the name of who acts has control characters.
    """
    require_person(by)
    last = connection.scalar(select(audit.c.digest).where(audit.c.number == number - 1))
    content = {
        name: rows_digest(connection.execute(CONTENT[name].where(_carrier(name).c.entry == number)))
        for name in _OF_ACT[act]
    }
    fields = {
        "number": number,
        "at": in_utc(at),
        "by": by,
        "act": act,
        "subject": ", ".join(sorted(set(subjects))),
        "details": details | _written(at) | ({"content": content} if content else {}),
        "previous": last or GENESIS,
    }
    digest = sha256(json_bytes(msgspec.to_builtins(fields))).hexdigest()
    text = json_bytes(fields["details"]).decode()
    connection.execute(audit.insert().values(fields | {"details": text, "digest": digest}))


def _written(at: datetime) -> dict[str, object]:
    now = datetime.now(UTC)
    return {} if abs(now - at) <= PROMPT else {"written": now.isoformat(timespec="seconds")}


def _carrier(name: str) -> Any:
    """The table whose rows carry the entry's number."""
    return _CARRIERS["validations" if name == "validation_results" else name]


def rows_digest(rows: Any) -> Digest:
    """Return the digest of rows as they are read back, without the entry's number."""
    plain = [list(row)[1:] for row in rows]
    return sha256(msgspec.json.encode(plain)).hexdigest()


def head(connection: Connection) -> tuple[int, Digest]:
    """Return the number and digest of the last entry; zeros for an empty log."""
    last = select(audit.c.number, audit.c.digest).order_by(audit.c.number.desc()).limit(1)
    row = connection.execute(last).first()
    return (row.number, row.digest) if row else (0, GENESIS)


def entries(
    connection: Connection, which: AuditFilter, *, limit: int | None = None
) -> tuple[AuditEntry, ...]:
    """Return entries, the newest first."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    wanted = {audit.c.act: which.act, audit.c.by: which.by}
    query = query.where(*(c == value for c, value in wanted.items() if value is not None))
    if which.logical_model is not None:
        spaced = ", " + audit.c.subject + ", "
        query = query.where(spaced.contains(f", {which.logical_model}, ", autoescape=True))
    if which.version is not None:
        query = query.where(audit.c.number.in_(_entries_of(connection, which.version)))
    return tuple(map(entry_of, connection.execute(query)))


def _entries_of(connection: Connection, version: VersionId) -> set[int]:
    moved = (
        select(table.c.entry)
        .join(versions, table.c.version == versions.c.number)
        .where(versions.c.id == version)
        for table in (releases, validations, sign_offs)
    )
    registered = select(versions.c.entry).where(versions.c.id == version)
    queries = (registered, *moved)
    return {found for query in queries for found in connection.scalars(query) if found is not None}


def entry_of(row: Row[Any]) -> AuditEntry:
    """Return the entry that a row holds."""
    values = dict(row._mapping)
    return AuditEntry(**values | {"details": msgspec.json.decode(values["details"])})


def named(rows: Sequence[dict[str, object]]) -> dict[str, object]:
    """Return what an entry says of rows: how many, and which where they are few."""
    plain = msgspec.to_builtins(list(rows)) if len(rows) <= NAMED else []
    return {"rows": len(rows)} | ({"which": plain} if plain else {})
