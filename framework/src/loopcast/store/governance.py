"""What governance leaves in the catalog: policies, validations, sign-offs, where versions stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, func, select

from loopcast.api import (
    GateResult,
    NotFoundError,
    Policy,
    SignOff,
    Stage,
    SwitchSetting,
    Validation,
    Version,
    VersionId,
)
from loopcast.store import audit, queries, switches
from loopcast.store.governance_tables import policies, sign_offs, validation_results, validations
from loopcast.store.registration import chunks, insert, version_keys
from loopcast.store.tables import releases, versions

if TYPE_CHECKING:
    from loopcast.store.releases import Move


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a version stands, and what was done for its next move.

    Attributes
    ----------
    champion
        The champion of its logical model and segment.
    switch
        As it was set; ``None`` where it never was, which means on.
    validation
        The newest.
    sign_offs
        Those since the version was last retired; a retired version is signed anew.
    """

    version: Version
    stage: Stage
    share: float | None
    champion: VersionId | None
    switch: SwitchSetting | None
    validation: Validation | None
    sign_offs: tuple[SignOff, ...]

    @property
    def place(self) -> tuple[str, str]:
        """The logical model and segment that it belongs to."""
        return self.version.logical_model, self.version.segment

    @property
    def frozen(self) -> SwitchSetting | None:
        """The switch that holds it where it stands; ``None`` where none does."""
        return self.switch if self.switch is not None and self.switch.switch == "freeze" else None


def put_policy(connection: Connection, policy: Policy, *, by: str, at: datetime) -> None:
    """Keep a policy, unless it is the newest already."""
    record = msgspec.json.encode(policy, order="sorted").decode()
    newest = select(policies.c.record).order_by(policies.c.number.desc()).limit(1)
    if connection.scalar(newest) == record:
        return
    entry = audit.next_number(connection)
    connection.execute(policies.insert().values(record=record, entry=entry))
    audit.append(
        connection, entry, "policy", by=by, at=at, subjects=[], details={"name": policy.name}
    )


def newest_policy(connection: Connection) -> Policy | None:
    """Return the policy that was used last."""
    record = connection.scalar(
        select(policies.c.record).order_by(policies.c.number.desc()).limit(1)
    )
    return msgspec.json.decode(record, type=Policy) if record else None


def put_validations(connection: Connection, items: Sequence[Validation]) -> None:
    """Store validations of versions, all or none.

    Raises
    ------
    NotFoundError
        When a version is not in the catalog.
    """
    if not items:
        return
    keys = version_keys(connection, [item.version for item in items])
    entry = audit.next_number(connection)
    start = (connection.scalar(select(func.max(validations.c.number))) or 0) + 1
    common = {"entry": entry}
    insert(
        connection,
        validations,
        (
            {"number": number, "version": keys[item.version], "at": item.at}
            | {"by": item.by, "policy": item.policy}
            | common
            for number, item in enumerate(items, start)
        ),
    )
    insert(
        connection,
        validation_results,
        (
            msgspec.structs.asdict(result) | {"validation": number, "position": position}
            for number, item in enumerate(items, start)
            for position, result in enumerate(item.results)
        ),
    )
    _append_about(
        connection,
        entry,
        "validate",
        items,
        [{"version": item.version, "passed": item.passed} for item in items],
    )


def put_sign_offs(connection: Connection, items: Sequence[SignOff]) -> None:
    """Store sign-offs, all or none.

    Raises
    ------
    NotFoundError
        When a version is not in the catalog.
    """
    if not items:
        return
    keys = version_keys(connection, [item.version for item in items])
    entry = audit.next_number(connection)
    rows = [msgspec.structs.asdict(item) for item in items]
    insert(
        connection,
        sign_offs,
        (row | {"version": keys[row["version"]], "entry": entry} for row in rows),
    )
    _append_about(connection, entry, "sign", items, rows)


def note_export(
    connection: Connection, version: VersionId, details: dict[str, object], *, by: str, at: datetime
) -> None:
    """Append that a version was exported; the file itself is among the artifacts.

    Raises
    ------
    NotFoundError
        When the version is not in the catalog.
    """
    version_keys(connection, [version])
    audit.append(
        connection,
        audit.next_number(connection),
        "export",
        by=by,
        at=at,
        subjects=list(_of_versions(connection, versions.c.logical_model, [version]).values()),
        details=details,
    )


def _append_about(
    connection: Connection,
    entry: int,
    act: Any,
    items: Sequence[Validation | SignOff],
    rows: Sequence[dict[str, object]],
) -> None:
    """Append the entry of what was done about versions."""
    models = _of_versions(connection, versions.c.logical_model, [item.version for item in items])
    audit.append(
        connection,
        entry,
        act,
        by=", ".join(sorted({item.by for item in items})),
        at=max(item.at for item in items),
        subjects=sorted(set(models.values())),
        details=audit.named(rows),
    )


def _of_versions(
    connection: Connection, column: Any, ids: Iterable[VersionId]
) -> dict[VersionId, Any]:
    query = select(versions.c.id, column)
    return {
        identifier: value
        for chunk in chunks(ids)
        for identifier, value in connection.execute(query.where(versions.c.id.in_(chunk)))
    }


def list_validations(
    connection: Connection, ids: Iterable[VersionId]
) -> Mapping[VersionId, list[Validation]]:
    """Return the validations of each version, the oldest first."""
    columns = (validations.c.number, versions.c.id, validations.c.at, validations.c.by)
    query = (
        select(*columns, validations.c.policy)
        .join(versions, validations.c.version == versions.c.number)
        .order_by(validations.c.number)
    )
    rows = [
        row
        for chunk in chunks(ids)
        for row in connection.execute(query.where(versions.c.id.in_(chunk)))
    ]
    results = _results(connection, [row.number for row in rows])
    found: dict[VersionId, list[Validation]] = defaultdict(list)
    for row in rows:
        found[row.id].append(
            Validation(
                version=row.id,
                at=row.at,
                by=row.by,
                policy=row.policy,
                results=tuple(results[row.number]),
            )
        )
    return found


def _results(connection: Connection, numbers: Iterable[int]) -> Mapping[int, list[GateResult]]:
    columns = [validation_results.c[name] for name in GateResult.__struct_fields__]
    query = select(validation_results.c.validation, *columns).order_by(
        validation_results.c.validation, validation_results.c.position
    )
    found: dict[int, list[GateResult]] = defaultdict(list)
    for chunk in chunks(numbers):
        rows = connection.execute(query.where(validation_results.c.validation.in_(chunk)))
        for number, *values in rows:
            fields = dict(zip(GateResult.__struct_fields__, values, strict=True))
            found[number].append(GateResult(**fields))
    return found


def list_sign_offs(
    connection: Connection, ids: Iterable[VersionId]
) -> Mapping[VersionId, list[SignOff]]:
    """Return the sign-offs of each version, the oldest first."""
    names = [name for name in SignOff.__struct_fields__ if name != "version"]
    query = (
        select(versions.c.id, *(sign_offs.c[name] for name in names))
        .join(versions, sign_offs.c.version == versions.c.number)
        .order_by(sign_offs.c.number)
    )
    found: dict[VersionId, list[SignOff]] = defaultdict(list)
    for chunk in chunks(ids):
        for identifier, *values in connection.execute(query.where(versions.c.id.in_(chunk))):
            fields = dict(zip(names, values, strict=True))
            found[identifier].append(SignOff(version=identifier, **fields))
    return found


def standings(connection: Connection, ids: Sequence[VersionId]) -> dict[VersionId, Standing]:
    """Return where versions stand.

    Raises
    ------
    NotFoundError
        When one is not in the catalog.
    """
    found = queries.versions_by_id(connection, ids)
    absent = [identifier for identifier in ids if identifier not in found]
    if absent:
        raise NotFoundError(f"version {absent[0]} is not in the catalog")
    stages, retired = _stages(connection, ids), _last_retired(connection, ids)
    checks, signed = list_validations(connection, ids), list_sign_offs(connection, ids)
    champions, switched = _places(connection, found.values())
    return {
        identifier: Standing(
            version=version,
            stage=stages[identifier][0],
            share=stages[identifier][1],
            champion=champions.get((version.logical_model, version.segment)),
            switch=switched.get((version.logical_model, version.segment)),
            validation=checks[identifier][-1] if identifier in checks else None,
            sign_offs=_since(retired.get(identifier), signed.get(identifier, ())),
        )
        for identifier, version in found.items()
    }


def moved(
    standings: Mapping[VersionId, Standing], moves: Sequence[Move]
) -> dict[VersionId, Standing]:
    """Return where versions stand after moves, in a transaction in which nobody else writes."""
    stages = {move.version: (move.stage, move.share) for move in moves}
    crowned = {
        (move.logical_model, move.segment): move.version
        for move in moves
        if move.stage == "champion"
    }
    return {
        name: _after(standing, stages.get(name), crowned.get(standing.place, standing.champion))
        for name, standing in standings.items()
    }


def _after(
    standing: Standing, entered: tuple[Stage, float | None] | None, champion: VersionId | None
) -> Standing:
    """Return where a version stands that has entered a stage, or whose champion may be another."""
    displaced = standing.stage == "champion" and champion != standing.version.id
    stage, share = entered or (("retired", None) if displaced else (standing.stage, standing.share))
    anew = stage == "retired" and standing.stage != "retired"
    return replace(
        standing,
        stage=stage,
        share=share,
        champion=champion,
        sign_offs=() if anew else standing.sign_offs,
    )


def _since(retired: datetime | None, items: Iterable[SignOff]) -> tuple[SignOff, ...]:
    return tuple(item for item in items if retired is None or item.at > retired)


def stages_of(connection: Connection, ids: Collection[VersionId]) -> Mapping[VersionId, Stage]:
    """Return the stage that each version is in."""
    found = _stages(connection, ids)
    return {identifier: found[identifier][0] for identifier in ids}


def _stages(
    connection: Connection, ids: Iterable[VersionId]
) -> Mapping[VersionId, tuple[Stage, float | None]]:
    query = (
        select(versions.c.id, releases.c.stage, releases.c.share)
        .join(versions, releases.c.version == versions.c.number)
        .where(releases.c.until.is_(None))
    )
    found: dict[VersionId, tuple[Stage, float | None]] = defaultdict(lambda: ("candidate", None))
    for chunk in chunks(ids):
        for identifier, stage, share in connection.execute(query.where(versions.c.id.in_(chunk))):
            found[identifier] = (stage, share)
    return found


def _last_retired(connection: Connection, ids: Iterable[VersionId]) -> dict[VersionId, datetime]:
    query = (
        select(versions.c.id, func.max(releases.c.since))
        .join(versions, releases.c.version == versions.c.number)
        .where(releases.c.stage == "retired")
        .group_by(versions.c.id)
    )
    return {
        identifier: moment
        for chunk in chunks(ids)
        for identifier, moment in connection.execute(query.where(versions.c.id.in_(chunk)))
    }


def _places(
    connection: Connection, items: Iterable[Version]
) -> tuple[dict[tuple[str, str], VersionId], dict[tuple[str, str], SwitchSetting]]:
    """Return the champion and the switch of each logical model and segment."""
    segments: dict[str, set[str]] = defaultdict(set)
    for item in items:
        segments[item.logical_model].add(item.segment)
    champions: dict[tuple[str, str], VersionId] = {}
    switched: dict[tuple[str, str], SwitchSetting] = {}
    for model, names in segments.items():
        found = queries.champions(connection, model, sorted(names), None)
        champions |= {(model, segment): version.id for segment, version in found.items()}
        settings = switches.settings(connection, model, sorted(names))
        switched |= {(model, segment): setting for segment, setting in settings.items()}
    return champions, switched
