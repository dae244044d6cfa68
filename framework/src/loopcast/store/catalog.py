"""The catalog: which versions exist, how good they are, and which are released."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import select

from loopcast.api import (
    Dataset,
    Digest,
    Direction,
    Evaluation,
    GateResult,
    LogicalModel,
    NotFoundError,
    Release,
    Segment,
    Stage,
    Version,
    VersionId,
)
from loopcast.store import database, governance, measurements, queries, registration
from loopcast.store.audit import AuditFilter
from loopcast.store.best import best_versions
from loopcast.store.fleet_catalog import FleetCatalog
from loopcast.store.governance import Standing
from loopcast.store.queries import VersionFilter, VersionSummary
from loopcast.store.registration import Registration
from loopcast.store.releases import Move, Return, apply_moves, apply_returns, reigns
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

Review = Callable[[Mapping[VersionId, Standing]], None]
"""Sees where versions stand before they move, and raises to refuse."""

Plan = Callable[[Mapping[VersionId, Standing]], Sequence[Move]]
"""Returns the next moves of versions from where they stand; none where they have arrived."""


class Catalog(FleetCatalog):
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

    def stage(self, version: VersionId) -> Stage:
        """Return the stage that a version is in; ``candidate`` until it is moved."""
        with database.reading(self._engine) as connection:
            return queries.stage_of(connection, version)

    def release(
        self,
        logical_model: str,
        segment: Segment,
        version: VersionId,
        *,
        stage: Stage,
        by: str,
        reason: str,
        share: float | None = None,
        at: datetime | None = None,
    ) -> None:
        """Move one version to a stage; see :meth:`release_all`."""
        move = Move(
            logical_model=logical_model,
            segment=segment,
            version=version,
            stage=stage,
            by=by,
            reason=reason,
            share=share,
        )
        self.release_all([move], at=at)

    def release_all(
        self, moves: Sequence[Move], *, at: datetime | None = None, review: Review | None = None
    ) -> None:
        """Move versions to stages, all or none, of thousands of segments at once.

        A version that becomes champion retires its predecessor in the same transaction.

        Parameters
        ----------
        at
            The moment of the move; now by default.
        review
            Sees where the versions stand, in the same transaction, and raises to refuse.

        Raises
        ------
        NotFoundError
            When a version is not in the catalog.
        InvalidRecordError
            When a version belongs to another logical model or segment, or two moves contradict.
        SwitchError
            When a segment is frozen.
        StoreError
            When a segment would be left without its champion, or have two canaries.
        """
        with database.writing(self._engine) as connection:
            if review is not None:
                review(governance.standings(connection, [move.version for move in moves]))
            apply_moves(connection, moves, at or datetime.now(UTC))

    def advance(
        self, versions: Sequence[VersionId], plan: Plan, *, at: datetime | None = None
    ) -> dict[VersionId, Standing]:
        """Move versions on for as long as a plan has moves, and return where they stand then.

        All of it is one transaction, so that nobody else moves them or their champions in between;
        each round of moves is an entry of the audit log of its own.

        Parameters
        ----------
        versions
            All that the plan moves.
        at
            The moment of the moves; now by default.

        Raises
        ------
        NotFoundError, InvalidRecordError, SwitchError, StoreError
            As :meth:`release_all` does; then nothing has moved.
        """
        moment = at or datetime.now(UTC)
        with database.writing(self._engine) as connection:
            standings = governance.standings(connection, versions)
            while moves := plan(standings):
                apply_moves(connection, moves, moment)
                standings = governance.moved(standings, moves)
        return standings

    def roll_back(
        self, returns: Sequence[Return], *, by: str, reason: str, at: datetime | None = None
    ) -> None:
        """Let earlier champions come back, all or none, of thousands of segments at once.

        Raises
        ------
        ConflictError
            When another process moved a champion first.
        SwitchError
            When a segment is frozen.
        """
        with database.writing(self._engine) as connection:
            apply_returns(connection, returns, at or datetime.now(UTC), by=by, reason=reason)

    def reigns(
        self, logical_model: str, segments: Sequence[Segment] | None = None
    ) -> dict[Segment, tuple[VersionId, ...]]:
        """Return the champion of each segment and, after it, those it can be rolled back to.

        The last good one comes first; one that was rolled back from is not among them, unless
        it was released again.
        """
        with database.reading(self._engine) as connection:
            return reigns(connection, logical_model, segments)

    def serving(
        self,
        logical_model: str,
        segments: Sequence[Segment] | None = None,
        *,
        at: datetime | None = None,
    ) -> tuple[Release, ...]:
        """Return the champions and canaries that are released, now or at a moment of the past."""
        with database.reading(self._engine) as connection:
            return queries.serving(connection, logical_model, segments, at)

    def champion(self, logical_model: str, segment: Segment = "") -> Version | None:
        """Return the champion of a segment, or ``None`` where there is none."""
        return self.champions(logical_model, [segment]).get(segment)

    def champions(
        self,
        logical_model: str,
        segments: Sequence[Segment] | None = None,
        *,
        at: datetime | None = None,
    ) -> dict[Segment, Version]:
        """Return the champion of each segment that has one, now or at a moment of the past.

        The moment of a move is part of the reign that it begins.
        """
        with database.reading(self._engine) as connection:
            return queries.champions(connection, logical_model, segments, at)

    def history(
        self,
        logical_model: str,
        segment: Segment | None = None,
        *,
        version: VersionId | None = None,
    ) -> tuple[Release, ...]:
        """Return who moved which version where, when and why, the oldest first."""
        with database.reading(self._engine) as connection:
            return queries.history(connection, logical_model, segment, version)
