"""The part of the catalog that says which versions are released, and moves them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from loopcast.api import Release, Segment, Stage, Version, VersionId
from loopcast.store import database, governance, queries
from loopcast.store.catalog_part import CatalogPart
from loopcast.store.governance import Standing
from loopcast.store.releases import Move, Return, apply_moves, apply_returns, reigns

Review = Callable[[Mapping[VersionId, Standing]], None]
"""Sees where versions stand before they move, and raises to refuse."""

Plan = Callable[[Mapping[VersionId, Standing]], Sequence[Move]]
"""Returns the next moves of versions from where they stand; none where they have arrived."""


class ReleaseCatalog(CatalogPart):
    """Stages of versions, and how they change; all of an act in one transaction."""

    def stage(self, version: VersionId) -> Stage:
        """Return the stage that a version is in; ``candidate`` until it is moved."""
        with database.reading(self._engine) as connection:
            return queries.stage_of(connection, version)

    def stages(self, versions: Collection[VersionId]) -> Mapping[VersionId, Stage]:
        """Return the stage that each version is in; ``candidate`` until it is moved."""
        with database.reading(self._engine) as connection:
            return governance.stages_of(connection, versions)

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
        self,
        moves: Sequence[Move],
        *,
        at: datetime | None = None,
        review: Review | None = None,
        policy: str = "",
    ) -> frozenset[VersionId]:
        """Move versions to stages, all or none, of thousands of segments at once.

        A version that becomes champion retires its predecessor in the same transaction.

        Parameters
        ----------
        at
            The moment of the move; now by default.
        review
            Sees where the versions stand, in the same transaction, and raises to refuse.
        policy
            Name of the policy by which it does, for the audit log.

        Returns
        -------
        frozenset of str
            The versions that were not where they were to go.

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
            return apply_moves(connection, moves, at or datetime.now(UTC), policy=policy)

    def advance(
        self,
        versions: Sequence[VersionId],
        plan: Plan,
        *,
        at: datetime | None = None,
        policy: str = "",
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
        policy
            Name of the policy that the plan follows, for the audit log.

        Raises
        ------
        NotFoundError, InvalidRecordError, SwitchError, StoreError
            As :meth:`release_all` does; then nothing has moved.
        """
        moment = at or datetime.now(UTC)
        with database.writing(self._engine) as connection:
            standings = governance.standings(connection, versions)
            while moves := plan(standings):
                apply_moves(connection, moves, moment, policy=policy)
                standings = governance.moved(standings, moves)
        return standings

    def roll_back(self, returns: Sequence[Return], *, by: str, reason: str) -> None:
        """Let earlier champions come back, all or none, of thousands of segments at once.

        Raises
        ------
        ConflictError
            When another process moved a champion first.
        SwitchError
            When a segment is frozen.
        """
        with database.writing(self._engine) as connection:
            apply_returns(connection, returns, datetime.now(UTC), by=by, reason=reason)

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
