"""The part of the catalog that governs: policy, validations, sign-offs, switches, audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from loopcast.api import (
    AuditEntry,
    Digest,
    Policy,
    Segment,
    SignOff,
    Switch,
    SwitchSetting,
    Validation,
    VersionId,
)
from loopcast.store import audit, database, governance, switches, verification
from loopcast.store.audit import AuditFilter
from loopcast.store.catalog_part import CatalogPart
from loopcast.store.governance import Standing


class GovernanceCatalog(CatalogPart):
    """What governance keeps; every act writes its audit entry in the same transaction."""

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
