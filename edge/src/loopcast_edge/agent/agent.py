"""The agent: what comes from the centre and from the sensors, and what is done about it.

It is driven from outside and waits for nothing: :meth:`Agent.received` takes a message of the
centre, :meth:`Agent.measured` what was measured, and :meth:`Agent.tick` is called about once a
second. What goes out goes to a :class:`Link`. So thousands run in one loop as one does on a device.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Optional

from loopcast_edge.agent import kept, lines, machine
from loopcast_edge.agent.disk import DISK_ERRORS, Disk
from loopcast_edge.agent.drift import Days
from loopcast_edge.agent.fetch import Come, Failed, Fetcher
from loopcast_edge.agent.hands import Hands
from loopcast_edge.agent.memory import Memory, place_name
from loopcast_edge.agent.package import runtime_name
from loopcast_edge.agent.readings import Readings
from loopcast_edge.agent.serving import Line, Serving
from loopcast_edge.agent.settings import Settings, first_root
from loopcast_edge.agent.slots import Package
from loopcast_edge.agent.spot import DOWNLOADS, Around, Spot, UnfitError
from loopcast_edge.wire import (
    Desired,
    Keys,
    Order,
    Presence,
    Receipt,
    Reported,
    Signed,
    StaleError,
    Subject,
    TrustError,
    WireError,
    decode,
    encode,
    topics,
)

LOG = logging.getLogger(__name__)
RESEND_S = 60.0


class Agent:
    """The agent of one device.

    Parameters
    ----------
    settings
        Of its file.
    hands
        What it works with.
    version
        Of the agent, as it is reported.
    """

    def __init__(self, settings: Settings, hands: Hands, version: str) -> None:
        self.settings, self._hands, self._version = settings, hands, version
        self.disk = Disk(hands.clock)
        self.memory = Memory(settings.state, first_root(settings))
        self._readings, self._days = Readings(), Days(hands.outbox.notes)
        self._fetcher = Fetcher(hands.link, hands.clock, hands.random)
        self._desired: Optional[Desired] = None
        self._spots: dict[str, Spot] = {}
        self._online = False
        self._changed = True
        self._last = hands.clock()
        self._replayed: Optional[int] = None
        self._since = hands.now_ms()
        self._sent: dict[int, float] = {}
        self._seal_at = self._report_at = 0.0
        self._around = Around(
            settings.state,
            self.memory,
            self._readings,
            self._fetcher,
            hands.prove,
            self._now_ms,
            self._rollbacks,
            self._note_change,
        )

    def start(self, *, crashed: bool) -> None:
        """Take up work with what is on the disk."""
        if self.memory.damaged:
            LOG.error("%s/trust cannot be read: nothing new is accepted", self.settings.state)
        states = kept.read(self.settings.state, self._readings)
        for folder in sorted((self.settings.state / "places").glob("*@*")):
            logical_model, _, segment = folder.name.partition("@")
            spot = self._spot(Subject(logical_model=logical_model, segment=segment))
            spot.serving.states = states.get(spot.name, {})
            spot.start(crashed=crashed)

    def stop(self) -> None:
        """Keep what would be lost."""
        with self.disk.tolerated():
            self._keep_readings()
        with self.disk.tolerated():
            self.memory.keep()
        for spot in self._spots.values():
            spot.stop()

    def leaving(self) -> None:
        """Say good-bye before the connection is ended on purpose."""
        self._publish("presence", self._presence(False), retain=True)

    def will(self) -> tuple[str, bytes]:
        """Return topic and payload of the last will of the connection that begins now."""
        self._since = self._now_ms()
        return topics.device(self.settings.device, "presence"), self._presence(False)

    def connected(self) -> None:
        """Say what there is to say at the beginning of a connection."""
        self._online, self._changed = True, True
        self._sent.clear()
        device = self.settings.device
        channels = ("desired", "order", "receipt")
        names = [topics.KEYS, *(topics.device(device, channel) for channel in channels)]
        self._hands.link.subscribe(names, sure=True)
        self._publish("presence", self._presence(True), retain=True)
        self._fetcher.connected()
        self._send()

    def disconnected(self) -> None:
        """Go on alone."""
        self._online = False

    def received(self, topic: str, payload: bytes) -> None:
        """Take a message of the centre; one that is not as it should be changes nothing."""
        LOG.debug("%d bytes on %s", len(payload), topic)
        try:
            with self.disk.tolerated():
                self._handler(topic)(payload)
        except WireError as error:
            LOG.warning("a message on %s is ignored: %s", topic, error)
        if not self.busy:
            self._report_changes()

    def measured(self, measurements: Iterable[Mapping[str, Any]]) -> list[Line]:
        """Take what was measured, and return the predictions.

        They are kept when this returns, unless the disk takes nothing: then they are counted alone.

        Parameters
        ----------
        measurements
            Each holds ``time``, milliseconds since 1970-01-01 in UTC, and values by the names of
            measurements; or a ``key`` and values, which is a request; or a ``key``, an ``outcome``
            and perhaps ``model`` and ``segment``.
        """
        predictions: list[Line] = []
        with self.disk.tolerated(), self._together():
            for line in measurements:
                predictions += self._line_or_nothing(line)
        for spot in self._spots.values():
            spot.look_at_trial()
        return predictions

    def adopt(self, subject: Subject, digest: str, package: Package) -> None:
        """Take a package that was brought by hand; it is verified and proved like all others."""
        self._spot(subject).adopt(digest, package)

    @property
    def busy(self) -> bool:
        """Whether a package is being fetched or proved."""
        return any(spot.fetching for spot in self._spots.values())

    @property
    def running(self) -> int:
        """How many champions have come through their trial."""
        places = [spot.place for spot in self._spots.values()]
        return sum(place.active is not None and not place.on_trial for place in places)

    def tick(self) -> None:
        """Do what is due."""
        now = self._hands.clock()
        seconds, self._last = now - self._last, now
        for spot in self._spots.values():
            spot.tick(seconds)
        if self._online:
            self._fetcher.tick()
        for do_due in (self._keep_days, self.memory.keep, self._seal, self._look_around):
            with self.disk.tolerated():
                do_due()
        self._send()

    def overdue(self) -> list[Line]:
        """Answer for intervals that are over and still lack measurements."""
        now_ms = self._now_ms()
        predictions: list[Line] = []
        with self.disk.tolerated(), self._together():
            for spot in self._spots.values():
                predictions += spot.serving.overdue(now_ms / 1000, now_ms)
        return predictions

    def report(self) -> Reported:
        """Return what is reported."""
        trust = self.memory.trust
        return Reported(
            agent=f"loopcast-edge {self._version}",
            runtime=runtime_name(),
            at=self._now_ms(),
            sequence=self.memory.desired,
            root=0 if trust is None else trust.root.version,
            pending=self._hands.outbox.pending,
            packages=tuple(state for spot in self._spots.values() for state in spot.report())[:128],
        )

    def _handler(self, topic: str) -> Callable[[bytes], None]:
        device = self.settings.device
        handlers: dict[str, Callable[[bytes], None]] = {
            topics.KEYS: self._keys,
            topics.device(device, "desired"): self._desires,
            topics.device(device, "order"): self._order,
            topics.device(device, "receipt"): self._receipt,
        }
        return handlers.get(topic, partial(self._fetched, topic))

    def _keys(self, payload: bytes) -> None:
        self.memory.hear(decode(payload, Keys), self._now_ms())
        self._fetcher.hurry()

    def _desires(self, payload: bytes) -> None:
        """Go towards what the centre wants, unless it is older than what it wanted before."""
        desired = decode(payload, Desired)
        if desired.sequence < self.memory.desired:
            raise WireError(f"desired: {desired.sequence} is older than {self.memory.desired}")
        anew = desired.sequence > self.memory.desired
        self._desired = desired
        self._go(desired, anew=anew)
        self.memory.desire(desired.sequence)
        self._changed = True

    def _go(self, desired: Desired, *, anew: bool) -> None:
        wanted: dict[str, dict[str, str]] = {name: {} for name in self._spots}
        for each in desired.packages:
            spot = self._spot(Subject(logical_model=each.logical_model, segment=each.segment))
            wanted.setdefault(spot.name, {})[each.role] = each.manifest
        for name, by_role in wanted.items():
            champion, shadow = by_role.get("champion"), by_role.get("shadow")
            self._spots[name].feed(machine.Wanted(champion, shadow, anew))
        self._fetcher.keep(filter(None, (spot.fetching for spot in self._spots.values())))

    def _order(self, payload: bytes) -> None:
        order = decode(payload, Order)
        if order.do == "resend":
            self._sent.clear()
        elif order.do == "retry":
            for spot in self._spots.values():
                spot.feed(machine.Retry())
        self._changed = True

    def _receipt(self, payload: bytes) -> None:
        receipt = decode(payload, Receipt)
        LOG.debug("the centre has stored batches %s", ", ".join(map(str, receipt.stored)))
        self._hands.outbox.stored(receipt)
        for number in receipt.stored:
            self._sent.pop(number, None)
        self._hands.outbox.seal()
        self._send()

    def _fetched(self, topic: str, payload: bytes) -> None:
        come = self._fetcher.receive(topic, payload)
        spots = self._spots.values()
        spot = next((each for each in spots if come and each.fetching == come.manifest), None)
        if spot is None:
            return
        if isinstance(come, Come):
            spot.came(come)
        elif isinstance(come, Failed):
            self._failed(spot, come)

    def _failed(self, spot: Spot, failed: Failed) -> None:
        """Refuse what will not become right; what is stale or damaged may come anew."""
        final = isinstance(failed.error, (TrustError, UnfitError))
        if final and not isinstance(failed.error, StaleError):
            self._fetcher.drop(failed.manifest)
            spot.refuse(failed.manifest, str(failed.error))
        else:
            LOG.warning("%s: %s: %s", spot.name, failed.manifest[:16], failed.error)

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Keep events and what is counted of them at one moment."""
        try:
            with self._hands.outbox.together():
                yield
                self._days.note()
                for spot in self._spots.values():
                    spot.serving.tallies.note()
        except DISK_ERRORS:
            self._days.unkept()
            raise

    def _keep_days(self) -> None:
        self._turn_day(self._now_ms())

    def _seal(self) -> None:
        """Make batches of what waits, now and then."""
        now = self._hands.clock()
        if now >= self._seal_at:
            self._seal_at = now + self._spread(self.settings.uplink_s)
            self._hands.outbox.seal()

    def _look_around(self) -> None:
        """Report, tidy up, and try again what the disk did not take, now and then."""
        now = self._hands.clock()
        if now >= self._report_at:
            self._report_at = now + self._spread(self.settings.report_s)
            self._changed = True
            if self._desired is not None:
                self._go(self._desired, anew=False)
            self._tidy()
            self._keep_readings()

    def _turn_day(self, now_ms: int) -> None:
        """Send home what was counted of days that are over."""
        if self._days.turns(now_ms):
            with self._hands.outbox.together():
                for channel, make in self._days.ended(now_ms):
                    self._hands.outbox.add_batch(channel, make)

    def _line_or_nothing(self, line: Mapping[str, Any]) -> list[Line]:
        if self.settings.source.kind == "replay":
            self._replayed = line.get("time", self._replayed)
        times = lines.Times(self._now_ms(), self._hands.now_ms())
        self._turn_day(times.now)
        servings = [spot.serving for spot in self._spots.values()]
        try:
            return lines.taken(line, servings, self._readings, times)
        except WireError as error:
            LOG.warning("a measurement is ignored: %s", error)
            return []

    def _spot(self, subject: Subject) -> Spot:
        name = place_name(subject.logical_model, subject.segment)
        if name not in self._spots:
            serving = Serving(subject, self._hands.outbox, self._days, self._hands.now_ms)
            self._spots[name] = Spot(subject, self._around, serving)
        return self._spots[name]

    def _send(self) -> None:
        """Send batches that were not sent lately, and the state if it has changed."""
        if not self._online:
            return
        now = self._hands.clock()
        for batch in self._hands.outbox.batches():
            if now >= self._sent.get(batch.sequence, -1.0):
                self._sent[batch.sequence] = now + self._spread(RESEND_S)
                number, channel, payload = batch
                LOG.debug("batch %d goes to %s: %d bytes", number, channel, len(payload))
                self._publish(channel, payload)
        self._report_changes()

    def _report_changes(self) -> None:
        if self._online and self._changed:
            self._changed = False
            self._publish("reported", encode(self.report()), retain=True)

    def _publish(self, channel: Any, payload: bytes, *, retain: bool = False) -> None:
        if self._online:
            name = topics.device(self.settings.device, channel)
            self._hands.link.publish(name, payload, retain=retain)

    def _presence(self, online: bool) -> bytes:
        return encode(Presence(online=online, since=self._since))

    def _rollbacks(self) -> tuple[Signed, ...]:
        return () if self._desired is None else self._desired.rollbacks

    def _now_ms(self) -> int:
        """Return the time: that of the last line where a file is replayed."""
        return self._hands.now_ms() if self._replayed is None else self._replayed

    def _note_change(self) -> None:
        self._changed = True

    def _spread(self, seconds: float) -> float:
        """Return a time around one, so that a fleet does not move in step."""
        return seconds * self._hands.random.uniform(0.8, 1.2)

    def _keep_readings(self) -> None:
        states = {name: spot.serving.states for name, spot in self._spots.items()}
        kept.write(self.settings.state, self._readings, states)

    def _tidy(self) -> None:
        """Delete what is left of downloads that were given up."""
        if not self.busy:
            shutil.rmtree(self.settings.state / DOWNLOADS, ignore_errors=True)
