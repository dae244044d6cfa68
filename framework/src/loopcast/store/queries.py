"""Questions to the catalog: each is a statement that indexes answer, whatever its size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, exists, func, select

from loopcast.api import (
    Digest,
    InvalidRecordError,
    NotFoundError,
    Release,
    Segment,
    Stage,
    Version,
    VersionId,
)
from loopcast.store.registration import chunks
from loopcast.store.tables import datasets, metrics, releases, versions


@dataclass(frozen=True, kw_only=True)
class VersionFilter:
    """Which versions to list; ``None`` means any.

    Attributes
    ----------
    segment
        Only together with a logical model, since segments have a meaning there only.
    stage
        ``candidate`` is every version that was never moved.
    """

    logical_model: str | None = None
    segment: str | None = None
    template: str | None = None
    stage: Stage | None = None

    def __post_init__(self) -> None:
        if self.segment is not None and self.logical_model is None:
            raise InvalidRecordError("a segment is one of a logical model; name that too")


@dataclass(frozen=True)
class VersionSummary:
    """A version as a list shows it.

    Attributes
    ----------
    dataset
        Name of the dataset it was trained on.
    metrics
        Overall values of its first evaluation, by name.
    """

    version: Version
    stage: Stage
    dataset: str
    metrics: Mapping[str, float | None]


VERSION: Select[*tuple[Any, ...]] = (
    select(
        versions.c.id,
        versions.c.logical_model,
        versions.c.segment,
        versions.c.template,
        versions.c.recipe,
        versions.c.manifest,
        datasets.c.fingerprint.label("dataset"),
        versions.c.created,
    )
    .select_from(versions)
    .join(datasets, versions.c.dataset == datasets.c.number)
)
"""What a version consists of; questions add which ones."""

_RELEASE: Select[*tuple[Any, ...]] = (
    select(
        versions.c.id.label("version"),
        *(releases.c[name] for name in Release.__struct_fields__ if name != "version"),
    )
    .join(versions, releases.c.version == versions.c.number)
    .order_by(releases.c.number)
)


def version_of_row(row: Row[*tuple[Any, ...]]) -> Version:
    """Return the version in a row of :data:`VERSION`."""
    values = row._mapping
    return Version(**{name: values[name] for name in Version.__struct_fields__})


def find(
    connection: Connection, logical_model: str, recipes: Mapping[Segment, Digest]
) -> dict[Segment, Version]:
    """Return the newest version of each segment that was trained by the segment's recipe."""
    wanted = set(recipes.values())
    query = VERSION.where(versions.c.logical_model == logical_model)
    found = (
        version_of_row(row)
        for chunk in chunks(wanted)
        for row in connection.execute(
            query.where(versions.c.recipe.in_(chunk)).order_by(versions.c.number)
        )
    )
    return {
        version.segment: version
        for version in found
        if recipes.get(version.segment) == version.recipe
    }


def versions_by_id(connection: Connection, ids: Sequence[VersionId]) -> dict[VersionId, Version]:
    """Return versions by their whole ids, in order; those that are not there are left out."""
    found = {
        row.id: version_of_row(row)
        for chunk in chunks(ids)
        for row in connection.execute(VERSION.where(versions.c.id.in_(chunk)))
    }
    return {identifier: found[identifier] for identifier in ids if identifier in found}


def segments_of(connection: Connection, logical_model: str) -> tuple[Segment, ...]:
    """Return every segment of a logical model that has a version, sorted."""
    query = select(versions.c.segment).where(versions.c.logical_model == logical_model).distinct()
    return tuple(sorted(connection.scalars(query)))


def version_by_id(connection: Connection, prefix: str) -> Version:
    """Return a version by its id or by a beginning that no other id shares.

    Raises
    ------
    NotFoundError
        When none or several begin like this, naming the nearest.
    """
    begins = and_(versions.c.id >= prefix, versions.c.id < prefix + "g")
    rows = connection.execute(VERSION.where(begins).order_by(versions.c.id).limit(4)).all()
    if len(rows) == 1:
        return version_of_row(rows[0])
    if not rows:
        near = " or ".join(_neighbours(connection, prefix))
        hint = f"; the nearest is {near}" if near else "; the catalog holds no version"
        raise NotFoundError(f"no version begins with {prefix!r}{hint}")
    shown = ", ".join(row.id for row in rows[:3]) + (" and more" if len(rows) > 3 else "")
    raise NotFoundError(f"{prefix!r} begins several versions: {shown}; give more digits")


def _neighbours(connection: Connection, prefix: str) -> list[VersionId]:
    """Return the ids just before and after, one of which shares the longest beginning."""
    before = select(func.max(versions.c.id)).where(versions.c.id < prefix)
    after = select(func.min(versions.c.id)).where(versions.c.id > prefix)
    return [found for query in (before, after) if (found := connection.scalar(query))]


def list_versions(
    connection: Connection, which: VersionFilter, *, limit: int, offset: int
) -> list[VersionSummary]:
    """Return one page of versions, the newest first."""
    page = (
        _matching(select(versions.c.number), which)
        .order_by(versions.c.created.desc(), versions.c.number.desc())
        .limit(limit)
        .offset(offset)
    )
    return _summaries(connection, list(connection.scalars(page)))


def newest(
    connection: Connection, logical_model: str, segments: Sequence[Segment] | None = None
) -> dict[Segment, Version]:
    """Return the newest version of each segment."""
    last = (
        select(func.max(versions.c.number))
        .where(versions.c.logical_model == logical_model)
        .group_by(versions.c.segment)
    )
    if segments is not None:
        last = last.where(versions.c.segment.in_(segments))
    found = connection.execute(VERSION.where(versions.c.number.in_(last)))
    return {row.segment: version_of_row(row) for row in found}


def newest_in_stage(
    connection: Connection, logical_model: str, stage: Stage
) -> dict[Segment, VersionId]:
    """Return the newest version of each segment that is in a stage."""
    which = VersionFilter(logical_model=logical_model, stage=stage)
    query = _matching(select(versions.c.segment, versions.c.id), which)
    rows = connection.execute(query.order_by(versions.c.created, versions.c.number))
    return {row.segment: row.id for row in rows}


def count_versions(connection: Connection, which: VersionFilter) -> int:
    """Count versions."""
    return connection.scalar(_matching(select(func.count()).select_from(versions), which)) or 0


def _matching(query: Select[Any], which: VersionFilter) -> Select[Any]:
    here = releases.c.version == versions.c.number
    place: Table = versions
    if which.stage == "candidate":
        moved = exists().where(here, releases.c.until.is_(None), releases.c.stage != "candidate")
        query = query.where(~moved)
    elif which.stage is not None:
        # Few versions are in a stage: asking its index for the place too makes it the start.
        place = releases
        query = query.join(releases, here).where(
            releases.c.until.is_(None), releases.c.stage == which.stage
        )
    columns = {
        place.c.logical_model: which.logical_model,
        place.c.segment: which.segment,
        versions.c.template: which.template,
    }
    return query.where(*(column == value for column, value in columns.items() if value is not None))


def _summaries(connection: Connection, numbers: Sequence[int]) -> list[VersionSummary]:
    """Return the versions with these keys, in this order, by three statements in all."""
    found = {}
    values = headline_metrics(connection, numbers)
    stages = _stages(connection, numbers)
    columns = VERSION.add_columns(versions.c.number, datasets.c.name.label("dataset_name"))
    for chunk in chunks(numbers):
        for row in connection.execute(columns.where(versions.c.number.in_(chunk))):
            stage = stages.get(row.number, "candidate")
            metric_values = values[row.number]
            found[row.number] = VersionSummary(
                version_of_row(row), stage, row.dataset_name, metric_values
            )
    return [found[number] for number in numbers]


def headline_metrics(
    connection: Connection, numbers: Sequence[int]
) -> Mapping[int, dict[str, float | None]]:
    """Return the overall metrics of the first evaluation of each version."""
    query = select(metrics.c.version, metrics.c.metric, metrics.c.value).where(
        metrics.c.evaluation == 0, metrics.c.baseline.is_(False), metrics.c.subset == ""
    )
    found: dict[int, dict[str, float | None]] = defaultdict(dict)
    for chunk in chunks(numbers):
        rows = connection.execute(
            query.where(metrics.c.version.in_(chunk)).order_by(metrics.c.position)
        )
        for version, metric, value in rows:
            found[version][metric] = value
    return found


def _stages(connection: Connection, numbers: Sequence[int]) -> dict[int, Stage]:
    query = select(releases.c.version, releases.c.stage).where(releases.c.until.is_(None))
    return {
        version: stage
        for chunk in chunks(numbers)
        for version, stage in connection.execute(query.where(releases.c.version.in_(chunk)))
    }


def stage_of(connection: Connection, version: VersionId) -> Stage:
    """Return the stage that a version is in now; ``candidate`` until it is moved."""
    query = (
        select(releases.c.stage)
        .join(versions, releases.c.version == versions.c.number)
        .where(versions.c.id == version, releases.c.until.is_(None))
    )
    found: Stage | None = connection.scalar(query)
    return found or "candidate"


def champions(
    connection: Connection,
    logical_model: str,
    segments: Sequence[Segment] | None,
    at: datetime | None,
) -> dict[Segment, Version]:
    """Return the champion of each segment, now or at a moment, where there is one."""
    query = VERSION.join(releases, releases.c.version == versions.c.number).where(
        releases.c.logical_model == logical_model, releases.c.stage == "champion", _released(at)
    )
    parts = (
        [query]
        if segments is None
        else [query.where(releases.c.segment.in_(chunk)) for chunk in chunks(segments)]
    )
    return {row.segment: version_of_row(row) for part in parts for row in connection.execute(part)}


def _released(at: datetime | None) -> ColumnElement[bool]:
    """What holds of the entries that are open now, or were at a moment."""
    if at is None:
        return releases.c.until.is_(None)
    return (releases.c.since <= at) & ((releases.c.until > at) | releases.c.until.is_(None))


def serving(
    connection: Connection,
    logical_model: str,
    segments: Sequence[Segment] | None,
    at: datetime | None,
) -> tuple[Release, ...]:
    """Return the champions and canaries that are released, now or at a moment."""
    query = _RELEASE.where(
        releases.c.logical_model == logical_model,
        releases.c.stage.in_(("champion", "canary")),
        _released(at),
    )
    parts = (
        [query]
        if segments is None
        else [query.where(releases.c.segment.in_(chunk)) for chunk in chunks(segments)]
    )
    return tuple(Release(**row._mapping) for part in parts for row in connection.execute(part))


def history(
    connection: Connection, logical_model: str, segment: Segment | None, version: VersionId | None
) -> tuple[Release, ...]:
    """Return the entries of a release history, the oldest first."""
    query = _RELEASE.where(releases.c.logical_model == logical_model)
    if segment is not None:
        query = query.where(releases.c.segment == segment)
    if version is not None:
        query = query.where(versions.c.id == version)
    return tuple(Release(**row._mapping) for row in connection.execute(query))
