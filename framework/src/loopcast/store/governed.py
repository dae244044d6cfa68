"""The part of the catalog that governs: policy, validations, sign-offs, switches, audit log.

What was tried and made no version is kept here too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Self

from loopcast.api import (
    Attempt,
    AuditEntry,
    BanditState,
    Digest,
    Experiment,
    ExperimentStep,
    NotFoundError,
    Policy,
    Segment,
    SignOff,
    Stage,
    Switch,
    SwitchSetting,
    Validation,
    VersionId,
    place_name,
)
from loopcast.store import (
    attempts,
    audit,
    database,
    experiments,
    governance,
    switches,
    trials,
    verification,
)
from loopcast.store.audit import AuditFilter
from loopcast.store.governance import Standing
from loopcast.store.trials import Trial


class GovernedCatalog:
    """What governance keeps; every act writes its audit entry in the same transaction.

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
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._engine = database.open_engine(url, create=create)
        try:
            database.prepare(self._engine, create=create)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put_policy(self, policy: Policy, *, by: str = "loopcast") -> None:
        """Keep the policy that is applied from now on, unless it is kept already."""
        with database.writing(self._engine) as connection:
            governance.put_policy(connection, policy, by=by, at=datetime.now(UTC))

    def policy(self) -> Policy | None:
        """Return the policy that was applied last, or ``None``."""
        with database.reading(self._engine) as connection:
            return governance.newest_policy(connection)

    def put_validations(self, items: Sequence[Validation]) -> None:
        """Store what gates measured of versions, all or none.

        Raises
        ------
        NotFoundError
            When a version is not in the catalog.
        """
        with database.writing(self._engine) as connection:
            governance.put_validations(connection, items)

    def validations(self, version: VersionId) -> tuple[Validation, ...]:
        """Return the validations of a version, the oldest first."""
        with database.reading(self._engine) as connection:
            found = governance.list_validations(connection, [version])
            return tuple(found.get(version, ()))

    def sign(self, items: Sequence[SignOff]) -> None:
        """Store sign-offs of versions, all or none.

        Raises
        ------
        NotFoundError
            When a version is not in the catalog.
        """
        with database.writing(self._engine) as connection:
            governance.put_sign_offs(connection, items)

    def note_export(self, version: VersionId, details: dict[str, object], *, by: str) -> None:
        """Enter in the audit log that a version was exported.

        Parameters
        ----------
        details
            Plain data: form, digest and size of the file, and how it was compared.

        Raises
        ------
        NotFoundError
            When the version is not in the catalog.
        """
        with database.writing(self._engine) as connection:
            at = datetime.now(UTC)
            governance.note_export(connection, version, details, by=by, at=at)

    def sign_offs(self, version: VersionId) -> tuple[SignOff, ...]:
        """Return every sign-off of a version, the oldest first."""
        with database.reading(self._engine) as connection:
            return tuple(governance.list_sign_offs(connection, [version]).get(version, ()))

    def stages(self, versions: Collection[VersionId]) -> Mapping[VersionId, Stage]:
        """Return the stage that each version is in; ``candidate`` until it is moved."""
        with database.reading(self._engine) as connection:
            return governance.stages_of(connection, versions)

    def standings(self, versions: Sequence[VersionId]) -> dict[VersionId, Standing]:
        """Return where versions stand, and what was done for their next moves.

        Raises
        ------
        NotFoundError
            When one is not in the catalog.
        """
        with database.reading(self._engine) as connection:
            return governance.standings(connection, versions)

    def set_switch(
        self,
        logical_model: str,
        segments: Sequence[Segment],
        switch: Switch,
        *,
        by: str,
        reason: str,
        at: datetime | None = None,
    ) -> None:
        """Set the switch of segments, all or none.

        Parameters
        ----------
        switch
            ``on``: the champion serves; ``freeze``: it serves, and no version moves or is
            trained; ``off``: nothing serves.
        """
        with database.writing(self._engine) as connection:
            switches.set_switches(
                connection,
                logical_model,
                segments,
                switch,
                by=by,
                reason=reason,
                at=at or datetime.now(UTC),
            )

    def switches(
        self,
        logical_model: str,
        segments: Sequence[Segment] | None = None,
        *,
        at: datetime | None = None,
    ) -> dict[Segment, SwitchSetting]:
        """Return the switch of each segment where it was ever set, now or at a moment."""
        with database.reading(self._engine) as connection:
            return switches.settings(connection, logical_model, segments, at=at)

    def switch_history(
        self, logical_model: str, segment: Segment | None = None
    ) -> tuple[SwitchSetting, ...]:
        """Return who switched what, when and why, the oldest first."""
        with database.reading(self._engine) as connection:
            return switches.history(connection, logical_model, segment)

    def declare(self, items: Sequence[Experiment]) -> None:
        """Declare experiments, all or none, in place of declarations that have not begun.

        Raises
        ------
        NotFoundError
            When an arm is not in the catalog.
        StoreError
            When an arm belongs elsewhere, or an experiment of this name has begun.
        """
        with database.writing(self._engine) as connection:
            experiments.declare(connection, items)

    def take_step(self, items: Sequence[Experiment], step: ExperimentStep) -> None:
        """Begin, stop or conclude experiments as they were declared, all or none.

        Raises
        ------
        ConflictError
            When one was declared anew meanwhile, or another one runs on the same population.
        StoreError
            When it is not the time for the step, or arms do not stand where they have to.
        SwitchError
            When one is to begin where the switch says freeze.
        """
        with database.writing(self._engine) as connection:
            experiments.take_step(connection, items, step)

    def experiment(self, logical_model: str, segment: Segment, name: str) -> Trial:
        """Return an experiment and how far it has come.

        Raises
        ------
        NotFoundError
            When it was not declared, naming those that were.
        """
        found = {t.experiment.name: t for t in self.experiments(logical_model, [segment])}
        if name not in found:
            place = place_name(logical_model, segment)
            known = ", ".join(found) or "none"
            raise NotFoundError(f"{place} has no experiment {name!r}; there are: {known}")
        return found[name]

    def experiments(
        self, logical_model: str | None = None, segments: Sequence[Segment] | None = None
    ) -> tuple[Trial, ...]:
        """Return all experiments, the oldest first."""
        with database.reading(self._engine) as connection:
            return trials.trials(connection, logical_model, segments)

    def active_experiments(
        self, logical_model: str, segments: Sequence[Segment] | None = None
    ) -> dict[Segment, Trial]:
        """Return the experiment of each segment that runs with its arms where they have to be."""
        with database.reading(self._engine) as connection:
            return trials.active(connection, logical_model, segments)

    def experiment_obstacle(self, experiment: Experiment) -> str:
        """Say which arm does not stand where it has to; the empty string where all do."""
        with database.reading(self._engine) as connection:
            stages = governance.stages_of(connection, experiment.arms)
        return trials.obstacle(experiment, stages)

    def put_bandits(
        self, logical_model: str, states: Mapping[Segment, BanditState]
    ) -> tuple[Segment, ...]:
        """Keep what the bandits of segments have learned; return those in which one runs."""
        with database.writing(self._engine) as connection:
            return experiments.put_states(connection, logical_model, states)

    def put_attempts(self, items: Sequence[Attempt]) -> None:
        """Keep trainings that made no version, in place of earlier ones of their segments."""
        with database.writing(self._engine) as connection:
            attempts.put_attempts(connection, items)

    def attempts(self, logical_model: str) -> dict[Segment, Attempt]:
        """Return the newest training of each segment that made no version, where there is one."""
        with database.reading(self._engine) as connection:
            return attempts.attempts_of(connection, logical_model)

    def audit_log(
        self, which: AuditFilter | None = None, *, limit: int | None = None
    ) -> tuple[AuditEntry, ...]:
        """Return entries of the audit log, the newest first."""
        with database.reading(self._engine) as connection:
            return audit.entries(connection, which or AuditFilter(), limit=limit)

    def audit_head(self) -> tuple[int, Digest]:
        """Return the number and digest of the last entry, which stand for the whole log."""
        with database.reading(self._engine) as connection:
            return audit.head(connection)

    def verify_audit(self, expect: tuple[int, Digest] | None = None) -> tuple[int, Digest]:
        """Check the audit log and what it tells of, and return its head.

        Parameters
        ----------
        expect
            A head that was exported before; without it, a log whose end was cut off together
            with all that it told of is a shorter log.

        Raises
        ------
        IntegrityError
            Saying the first thing that is not as it was written.
        """
        with database.reading(self._engine) as connection:
            return verification.verify(connection, expect)
