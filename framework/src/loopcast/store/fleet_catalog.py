"""The catalog's methods of the fleet; every act of a person writes its audit entry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from loopcast.api import Device, DeviceName, Digest, Package, Rollout, RolloutStep, Segment
from loopcast.store import database, devices, packages, rollouts, uplinks
from loopcast.store.catalog_part import CatalogPart
from loopcast.store.devices import Certified, DeviceState, Enrolled, Invitation
from loopcast.store.packages import Pair, Told
from loopcast.store.rollouts import Course, Turn
from loopcast.store.uplinks import Intake, Uplink


class FleetCatalog(CatalogPart):
    """What the centre of the fleet keeps; any number of centres may use it at once."""

    def invite(self, item: Invitation, *, by: str) -> None:
        """Keep the digest of a one-time token.

        Raises
        ------
        StoreError
            When a device of this name is enrolled already.
        """
        with database.writing(self._engine) as connection:
            devices.invite(connection, item, by=by, at=datetime.now(UTC))

    def redeem(
        self, digest: Digest, admit: Callable[[Invitation], Device], *, at: datetime
    ) -> Device:
        """Use a token up and enrol its device, both or neither.

        Parameters
        ----------
        admit
            Makes the device, with its certificate; where it raises, the token stays good.

        Raises
        ------
        NotFoundError
            When the token is unknown, used or has expired.
        """
        with database.writing(self._engine) as connection:
            device = admit(devices.redeem(connection, digest, at=at))
            devices.enrol(connection, [device], by=device.name, at=at)
        return device

    def redeemed(self, digest: Digest, *, at: datetime) -> Device | None:
        """Return the device that a token has enrolled, while the token would not have expired."""
        with database.reading(self._engine) as connection:
            return devices.redeemed(connection, digest, at=at)

    def certificates(self, names: Iterable[DeviceName]) -> dict[DeviceName, tuple[Certified, ...]]:
        """Return the certificates of devices that have any, the oldest first."""
        with database.reading(self._engine) as connection:
            return devices.certificates(connection, names)

    def renew(
        self,
        name: DeviceName,
        issue: Callable[[Device, Certified | None], Digest | None],
        *,
        at: datetime,
    ) -> None:
        """Give a device one more certificate, or leave it those that it has.

        Parameters
        ----------
        issue
            Gets the device and its newest certificate, and returns a new one, or ``None`` where
            none is needed; it refuses by raising.

        Raises
        ------
        NotFoundError
            When it is not enrolled.
        """
        with database.writing(self._engine) as connection:
            devices.require_numbers(connection, [name])
            device = devices.enrolled(connection, [name])[name].device
            newest = devices.certificates(connection, [name]).get(name, (None,))[-1]
            certificate = issue(device, newest)
            if certificate is not None:
                devices.renew(connection, name, certificate, at=at)

    def enrol(self, items: Sequence[Device], *, by: str) -> None:
        """Enter devices, all or none.

        Raises
        ------
        ConflictError
            When one of this name is enrolled.
        """
        with database.writing(self._engine) as connection:
            devices.enrol(connection, items, by=by, at=datetime.now(UTC))

    def put_labels(
        self, names: Sequence[DeviceName], labels: Mapping[str, str], *, by: str
    ) -> None:
        """Give devices labels beside theirs; an empty value takes one away.

        Raises
        ------
        NotFoundError
            When one is not enrolled.
        """
        with database.writing(self._engine) as connection:
            devices.put_labels(connection, names, labels, by=by, at=datetime.now(UTC))

    def revoke(self, names: Sequence[DeviceName], *, by: str, reason: str) -> None:
        """Take devices out of the fleet; they stay known.

        Raises
        ------
        NotFoundError
            When one is not enrolled.
        """
        with database.writing(self._engine) as connection:
            devices.revoke(connection, names, by=by, reason=reason, at=datetime.now(UTC))

    def devices(self, names: Iterable[DeviceName] | None = None) -> dict[DeviceName, Enrolled]:
        """Return devices with what they said last, by name; those that are enrolled."""
        with database.reading(self._engine) as connection:
            return devices.enrolled(connection, names)

    def see(
        self,
        states: Mapping[DeviceName, DeviceState],
        accepted: Mapping[DeviceName, int] = MappingProxyType({}),
    ) -> tuple[DeviceName, ...]:
        """Keep what devices said last, and return those that are enrolled.

        Parameters
        ----------
        accepted
            The number of what a device was last told to run, as it says itself; one that is ahead
            of the catalog is told again under a higher number.
        """
        with database.writing(self._engine) as connection:
            return devices.see(connection, states, accepted)

    def add_package(
        self, logical_model: str, segment: Segment, make: Callable[[int], Package], *, by: str
    ) -> Package:
        """Number a package, make it under this number, and keep it."""
        with database.writing(self._engine) as connection:
            at = datetime.now(UTC)
            return packages.add_package(connection, logical_model, segment, make, by=by, at=at)

    def packages(
        self, logical_model: str | None = None, segment: Segment | None = None
    ) -> tuple[Package, ...]:
        """Return packages, the oldest first."""
        with database.reading(self._engine) as connection:
            return packages.list_packages(connection, logical_model, segment)

    def told(self) -> dict[DeviceName, Told]:
        """Return what every device is told to run."""
        with database.reading(self._engine) as connection:
            return packages.told(connection)

    def unpublished(self) -> dict[DeviceName, Told]:
        """Return what those devices are to be told that have not been told yet."""
        with database.reading(self._engine) as connection:
            return packages.unpublished(connection)

    def note_published(self, sequences: Mapping[DeviceName, int]) -> None:
        """Note what devices were told, unless they were told something newer meanwhile."""
        with database.writing(self._engine) as connection:
            packages.note_published(connection, sequences)

    def begin_rollout(
        self,
        plan: Rollout,
        step: RolloutStep,
        divide: Callable[[Mapping[DeviceName, Enrolled]], Mapping[DeviceName, int]],
        told: Callable[[Course], Mapping[DeviceName, Pair]],
    ) -> Course:
        """Declare a rollout and take its first step.

        Parameters
        ----------
        divide
            Gives the stage at which each device takes part, and refuses by raising.
        told
            What devices are to run after the step.

        Raises
        ------
        NotFoundError
            When the package is not in the catalog.
        StoreError
            When there was a rollout of this name.
        ConflictError
            When another one is under way on its devices.
        """
        with database.writing(self._engine) as connection:
            stages = divide(devices.enrolled(connection))
            return rollouts.begin(connection, plan, stages, step, told)

    def roll(
        self, name: str, choose: Callable[[Course, Mapping[DeviceName, Enrolled]], Turn | None]
    ) -> Turn | None:
        """Take the step that is chosen from where a rollout stands, while no one else does.

        Parameters
        ----------
        choose
            Gets the rollout and its devices as they are now; ``None`` takes no step.

        Raises
        ------
        NotFoundError
            When there is no such rollout.
        """
        with database.writing(self._engine) as connection:
            found = rollouts.course(connection, name)
            turn = choose(found, devices.enrolled(connection, found.members))
            if turn is not None:
                rollouts.take(connection, found.plan, turn)
            return turn

    def rollout(self, name: str) -> Course:
        """Return a rollout with its devices and steps.

        Raises
        ------
        NotFoundError
            When there is no such rollout, naming those that there are.
        """
        with database.reading(self._engine) as connection:
            return rollouts.course(connection, name)

    def places_of_devices(self) -> frozenset[tuple[DeviceName, str, Segment]]:
        """Return of which logical models and segments each device was ever to run a package."""
        with database.reading(self._engine) as connection:
            return rollouts.places(connection)

    def rollouts(self, *, under_way: bool = False) -> tuple[Course, ...]:
        """Return rollouts, the oldest first.

        Parameters
        ----------
        under_way
            Only those that have not ended.
        """
        with database.reading(self._engine) as connection:
            find = rollouts.open_courses if under_way else rollouts.courses
            return find(connection)

    def put_uplinks(self, items: Sequence[Uplink]) -> tuple[Uplink, ...]:
        """Keep batches that are not known yet; return those that are kept now."""
        with database.writing(self._engine) as connection:
            return uplinks.put(connection, items)

    def next_intake(self, most: int) -> Intake | None:
        """Return the oldest batches that are not in the ordinary stores."""
        with database.writing(self._engine) as connection:
            return uplinks.next_intake(connection, most)

    def finish_intake(
        self,
        intake: Intake,
        refused: Collection[Uplink] = (),
        condensed: Collection[Uplink] = (),
    ) -> None:
        """Note that the batches of an intake are in the ordinary stores, but for those refused.

        Parameters
        ----------
        condensed
            What is left of batches with sums: it stays in the catalog.
        """
        with database.writing(self._engine) as connection:
            uplinks.finish(connection, intake, refused, condensed)

    def kept_uplinks(
        self,
        kind: str,
        since: datetime | None = None,
        devices: Collection[DeviceName] | None = None,
    ) -> tuple[Uplink, ...]:
        """Return batches that stay: ``sketch``, ``update``, ``refused`` or ``condensed``.

        Parameters
        ----------
        since
            Only those that came since then.
        devices
            Only those of these devices.
        """
        with database.reading(self._engine) as connection:
            return uplinks.kept(connection, kind, since, devices)

    def waiting_uplinks(self) -> int:
        """Return how many batches are not in the ordinary stores."""
        with database.reading(self._engine) as connection:
            return uplinks.waiting(connection)
