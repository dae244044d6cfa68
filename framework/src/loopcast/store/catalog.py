"""The catalog: which versions exist, how good they are, and which are released."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import select

from loopcast.api import (
    Attempt,
    Dataset,
    Digest,
    Direction,
    Evaluation,
    GateResult,
    LogicalModel,
    NotFoundError,
    Segment,
    Stage,
    Version,
    VersionId,
)
from loopcast.store import attempts, database, measurements, queries, registration
from loopcast.store.audit import AuditFilter
from loopcast.store.best import best_versions
from loopcast.store.experiment_catalog import ExperimentCatalog
from loopcast.store.fleet_catalog import FleetCatalog
from loopcast.store.governance import Standing
from loopcast.store.governance_catalog import GovernanceCatalog
from loopcast.store.queries import VersionFilter, VersionSummary
from loopcast.store.registration import Registration
from loopcast.store.release_catalog import Plan, ReleaseCatalog, Review
from loopcast.store.releases import Move, Return
from loopcast.store.tables import logical_models

__all__ = [
    "AuditFilter",
    "Catalog",
    "Move",
    "Plan",
    "Registration",
    "Return",
    "Review",
    "Standing",
    "VersionFilter",
    "VersionSummary",
]


class Catalog(ReleaseCatalog, GovernanceCatalog, ExperimentCatalog, FleetCatalog):
    """The catalog in SQLite or PostgreSQL, safe under several processes.

    Every write is one transaction: killed at any moment, it leaves the old state or the new.

    Parameters
    ----------
    url
        A file, ``sqlite:///FILE`` or ``postgresql://HOST/DATABASE``.
    create
        Whether an absent or empty database is made a catalog.

    Raises
    ------
    NotFoundError
        When there is no catalog and none may be created.
    StoreError
        When the database cannot be used, or was written by another version of the schema.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Catalog(f"{folder}/catalog.db") as catalog:
    ...         catalog.count()
    0
    """

    def put_logical_model(self, model: LogicalModel, *, by: str = "loopcast") -> None:
        """Store the record of a logical model, in place of an earlier one."""
        with database.writing(self._engine) as connection:
            registration.put_logical_model(connection, model, by=by, at=datetime.now(UTC))

    def logical_model(self, name: str) -> LogicalModel:
        """Return the record of a logical model.

        Raises
        ------
        NotFoundError
            When it is unknown, naming the nearest.
        """
        known = {model.name: model for model in self.logical_models()}
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        hint = f"; the nearest is {near[0]!r}" if near else "; the catalog holds none"
        raise NotFoundError(f"no logical model {name!r} in the catalog{hint}")

    def logical_models(self) -> tuple[LogicalModel, ...]:
        """Return the record of every logical model, by name."""
        query = select(logical_models.c.record).order_by(logical_models.c.name)
        with database.reading(self._engine) as connection:
            records = connection.scalars(query).all()
        return tuple(msgspec.json.decode(record, type=LogicalModel) for record in records)

    def segments(self, logical_model: str) -> tuple[Segment, ...]:
        """Return every segment of a logical model that has a version, sorted."""
        with database.reading(self._engine) as connection:
            return queries.segments_of(connection, logical_model)

    def register(
        self, registrations: Sequence[Registration], *, by: str = "loopcast"
    ) -> tuple[VersionId, ...]:
        """Register versions with their datasets, evaluations and gate results, all or none.

        Returns
        -------
        tuple of str
            The ids that are new; a version that is registered already stays as it is.

        Raises
        ------
        NotFoundError
            When a logical model is not in the catalog.
        IntegrityError
            When an id is taken by a version with another manifest.
        """
        with database.writing(self._engine) as connection:
            return registration.register(connection, registrations, by=by, at=datetime.now(UTC))

    def find(self, logical_model: str, recipes: Mapping[Segment, Digest]) -> dict[Segment, Version]:
        """Return the newest version of each segment that was trained by the segment's recipe.

        Segments without one are left out.
        """
        with database.reading(self._engine) as connection:
            return queries.find(connection, logical_model, recipes)

    def version(self, prefix: str) -> Version:
        """Return a version by its id or by a beginning that no other id shares.

        Raises
        ------
        NotFoundError
            When none or several begin like this, naming the nearest.
        """
        with database.reading(self._engine) as connection:
            return queries.version_by_id(connection, prefix)

    def versions(
        self, which: VersionFilter | None = None, *, limit: int = 50, offset: int = 0
    ) -> list[VersionSummary]:
        """Return one page of versions with stage and headline metrics, the newest first."""
        with database.reading(self._engine) as connection:
            return queries.list_versions(
                connection, which or VersionFilter(), limit=limit, offset=offset
            )

    def versions_of(self, ids: Sequence[VersionId]) -> dict[VersionId, Version]:
        """Return versions by their whole ids; those that are not there are left out."""
        with database.reading(self._engine) as connection:
            return queries.versions_by_id(connection, ids)

    def newest(
        self, logical_model: str, segments: Sequence[Segment] | None = None
    ) -> dict[Segment, Version]:
        """Return the version of each segment that was registered last."""
        with database.reading(self._engine) as connection:
            return queries.newest(connection, logical_model, segments)

    def newest_in_stage(self, logical_model: str, stage: Stage) -> dict[Segment, VersionId]:
        """Return the newest version of each segment that is in a stage."""
        with database.reading(self._engine) as connection:
            return queries.newest_in_stage(connection, logical_model, stage)

    def count(self, which: VersionFilter | None = None) -> int:
        """Count versions."""
        with database.reading(self._engine) as connection:
            return queries.count_versions(connection, which or VersionFilter())

    def best(
        self,
        dataset: Digest,
        metric: str,
        direction: Direction,
        *,
        protocol: str | None = None,
        subset: str = "",
        limit: int = 1,
    ) -> list[tuple[Version, float]]:
        """Return the best versions by one metric, among those judged alike on one dataset.

        Parameters
        ----------
        protocol
            How they were judged; may be left out where the dataset was used in one way only.

        Raises
        ------
        NotFoundError
            When nothing was judged on the dataset, or not by the protocol.
        StoreError
            When several protocols were used and none is named.
        """
        with database.reading(self._engine) as connection:
            return best_versions(
                connection,
                dataset,
                metric,
                direction,
                protocol=protocol,
                subset=subset,
                limit=limit,
            )

    def evaluations(self, version: VersionId) -> tuple[Evaluation, ...]:
        """Return the evaluations of a version, the headline first."""
        with database.reading(self._engine) as connection:
            return measurements.list_evaluations(connection, version, baselines=False)

    def baselines(self, version: VersionId) -> tuple[Evaluation, ...]:
        """Return the evaluations of the baselines that a version was compared with."""
        with database.reading(self._engine) as connection:
            return measurements.list_evaluations(connection, version, baselines=True)

    def gates(self, version: VersionId) -> tuple[GateResult, ...]:
        """Return the gate results of a version."""
        with database.reading(self._engine) as connection:
            return measurements.list_gates(connection, version)

    def datasets(self, version: VersionId) -> tuple[Dataset, ...]:
        """Return the datasets that a version was trained and tested on.

        A dataset is known by its fingerprint and keeps the name and origin that it was first
        registered with; the version's manifest holds its own.
        """
        with database.reading(self._engine) as connection:
            return measurements.list_datasets(connection, version)

    def put_attempts(self, items: Sequence[Attempt]) -> None:
        """Keep trainings that made no version, in place of earlier ones of their segments."""
        with database.writing(self._engine) as connection:
            attempts.put_attempts(connection, items)

    def attempts(self, logical_model: str) -> dict[Segment, Attempt]:
        """Return the newest training of each segment that made no version, where there is one."""
        with database.reading(self._engine) as connection:
            return attempts.attempts_of(connection, logical_model)
