"""The centre at work: it listens, keeps, acknowledges, moves rollouts on, and tells devices.

Nothing is kept in this process but what may be forgotten. Each turn reads what came, makes it
durable, acknowledges it, and publishes what the catalog says is unpublished; a centre that dies
between any two of these does them again when it is back, or another one does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from loopcast.api import DeviceName, Package, Rollout, RolloutStep, StoreError
from loopcast.fleet import intake, publish, rolling
from loopcast.fleet.desk import Desk, renewals
from loopcast.fleet.keyring import Keyring, newest_root, read_keys
from loopcast.fleet.link import Incoming, Link
from loopcast.store.devices import DeviceState
from loopcast.store.packages import Told
from loopcast.store.uplinks import Uplink
from loopcast_edge.wire import Presence, Renewal, Reported, WireError, decode, topics

if TYPE_CHECKING:
    from pathlib import Path

    from loopcast.store.home import Home

LOGGER = logging.getLogger("loopcast.fleet")

RENEWAL = timedelta(days=1).total_seconds()
"""Seconds after which devices get a new time stamp."""

PAUSE = 0.25
"""Seconds between looks at rollouts and at what is to be published."""

INTAKE_PAUSE = 2.0
"""Seconds between intakes, so that many batches become one file."""

MOST_ACCEPTED = 2**30
"""A device that claims to have been told this often is not counted on from."""

Hear = Callable[[Rollout, RolloutStep], None]
"""Told of each step that is taken by rule."""


@dataclass
class Centre:
    """A centre of the fleet; any number of them may serve the same devices.

    Attributes
    ----------
    place
        The stores.
    keys
        Folder of the fleet's keys.
    link
        An open connection to the broker.
    hear
        Told of each step that this centre takes.
    desk
        Where strangers are answered, if this centre does so.
    """

    place: Home
    keys: Path
    link: Link
    hear: Hear = lambda _plan, _step: None
    desk: Desk | None = None
    _connection: int = 0
    _root: int = 0
    _spread: set[str] = field(default_factory=set)
    _cleared: set[str] = field(default_factory=set)
    _withdrawn: set[str] = field(default_factory=set)
    _due: dict[str, float] = field(default_factory=dict)

    def run(self, until: Callable[[], bool]) -> None:
        """Serve the fleet until told otherwise; what is half-done is finished first.

        A broker or a catalog that is away is waited for: what was not done is done again then, and
        devices send again what was not acknowledged.
        """
        while not until():
            self._try(lambda: self.turn(PAUSE))
            if self.desk is not None and self._is_due("desk", PAUSE):
                self._try(self.desk.turn)
        intake.take_in(self.place)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except StoreError as error:
            LOGGER.warning("%s; it is tried again", error)
            time.sleep(PAUSE)

    def turn(self, seconds: float) -> int:
        """Do what there is to do, after waiting so long for a message at most; count messages."""
        messages = self.link.received(seconds)
        self._keep(messages)
        if self._is_due("look", PAUSE):
            for plan, step in rolling.advance(self.place.catalog, datetime.now(UTC)):
                self.hear(plan, step)
            self._tell()
        if self._is_due("intake", INTAKE_PAUSE):
            intake.take_in(self.place)
        return len(messages)

    def _is_due(self, what: str, pause: float) -> bool:
        now = time.monotonic()
        due = now >= self._due.get(what, 0.0)
        if due:
            self._due[what] = now + pause
        return due

    def _keep(self, messages: Iterable[Incoming]) -> None:
        """Make what devices have sent durable, and only then acknowledge it."""
        said = sorted_out(messages, datetime.now(UTC))
        if said.states:
            self.place.catalog.see(said.states, said.accepted)
        if said.uplinks:
            self.link.send(intake.receipts(self.place.catalog.put_uplinks(said.uplinks)))
        self.link.send(renewals(self.place, said.requests.items()))

    def _tell(self) -> None:
        """Publish what the catalog says is unpublished, and everything to a new broker.

        After a rotation of keys everything is published too, since packages are signed anew.
        """
        catalog, root = self.place.catalog, newest_root(self.keys)
        anew = (self._connection, self._root) != (self.link.connections, root)
        if anew:
            self._connection, self._root = self.link.connections, root
            self._spread.clear()
            self._cleared.clear()
        told = catalog.told() if anew else catalog.unpublished()
        renewal = self._is_due("renewal", RENEWAL) or anew
        if not (told or renewal):
            return
        ring, courses = read_keys(self.keys), catalog.rollouts()
        packages = catalog.packages()
        known = {((p.logical_model, p.segment), p.sequence): p for p in packages}
        withdrawn = publish.withdrawn(courses, known)
        if renewal or withdrawn != self._withdrawn:
            self.link.send(publish.key_messages(ring, withdrawn))
            self._withdrawn = withdrawn
        new = self._spread_packages(ring, told.values(), packages)
        orders = publish.Orders(ring)
        self.link.send(publish.desired_messages(told, publish.ceilings(courses), orders))
        catalog.note_published({name: each.sequence for name, each in told.items()})
        if new and not anew:
            self._clear(ring, packages, new)

    def _spread_packages(
        self, ring: Keyring, told: Iterable[Told], packages: Sequence[Package]
    ) -> list[Package]:
        """Publish packages that this broker does not have, each once for the whole fleet."""
        wanted = {p.manifest: p for each in told for p, _ in each.packages}
        perhaps_cleared = {p.manifest for p in publish.superseded(packages)}  # by another centre
        there = self._spread - perhaps_cleared
        new = [wanted[manifest] for manifest in wanted.keys() - there]
        for package in new:
            bases = publish.bases_of(package, packages)
            self.link.send(publish.package_messages(self.place, ring, package, bases))
            self._spread.add(package.manifest)
            self._cleared.discard(package.manifest)
        return new

    def _clear(self, ring: Keyring, packages: Sequence[Package], new: Iterable[Package]) -> None:
        """Take from the broker what new packages supersede, and no device is told to run.

        What another centre has told a device meanwhile is published again.
        """
        places = {publish.place_of(p) for p in new}
        told = {p.manifest for each in self.place.catalog.told().values() for p, _ in each.packages}
        gone = [
            p
            for p in publish.superseded(packages)
            if publish.place_of(p) in places and p.manifest not in told | self._cleared
        ]
        self._cleared |= {p.manifest for p in gone}
        kept = {p.model for p in packages if p.manifest not in self._cleared}
        for package in gone:
            bases = publish.bases_of(package, packages)
            self.link.send(publish.clearing_messages(self.place, package, bases, kept))
        self._spread -= self._cleared
        self._spread_packages(ring, self.place.catalog.told().values(), packages)


class Said(NamedTuple):
    """What devices have said.

    Attributes
    ----------
    states
        Of themselves, the newest of each.
    accepted
        The number of the desired state that each accepted last, where it is one that we may count
        on from.
    uplinks
        What they send home.
    requests
        For their next certificates, the newest of each.
    """

    states: Mapping[DeviceName, DeviceState]
    accepted: Mapping[DeviceName, int]
    uplinks: Sequence[Uplink]
    requests: Mapping[DeviceName, bytes]


def sorted_out(messages: Iterable[Incoming], now: datetime) -> Said:
    """Return what devices have said; what cannot be read is noted, and stops nobody else."""
    presences: dict[DeviceName, Presence] = {}
    reports: dict[DeviceName, bytes] = {}
    accepted: dict[DeviceName, int] = {}
    requests: dict[DeviceName, bytes] = {}
    uplinks: list[Uplink] = []
    for message in messages:
        try:
            device, channel = topics.origin(message.topic)
            if channel == "presence":
                presences[device] = decode(message.payload, Presence)
            elif channel == "reported":
                accepted[device] = decode(message.payload, Reported).sequence
                reports[device] = message.payload
            elif channel == "up/renewal":
                requests[device] = decode(message.payload, Renewal).request
            else:
                uplinks.append(intake.uplink_of(message, now))
        except WireError as error:
            LOGGER.warning("a message on %s is left out: %s", message.topic[:120], error)
    names = presences.keys() | reports.keys()
    states = {name: _state(presences.get(name), reports.get(name), now) for name in names}
    counted = {name: number for name, number in accepted.items() if number < MOST_ACCEPTED}
    return Said(states, counted, uplinks, requests)


def _state(presence: Presence | None, report: bytes | None, now: datetime) -> DeviceState:
    if presence is None:
        return DeviceState(seen=now, report=report)
    since = datetime.fromtimestamp(presence.since / 1000.0, UTC)
    return DeviceState(seen=now, online=presence.online, since=since, report=report)
