"""The process on a device: one agent, its link, its source and its sink."""

from __future__ import annotations

import fcntl
import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random, SystemRandom
from typing import Any, Optional

import msgspec

from loopcast_edge import __version__
from loopcast_edge.agent import files, resident
from loopcast_edge.agent.agent import Agent
from loopcast_edge.agent.disk import DISK_ERRORS, Disk
from loopcast_edge.agent.errors import EdgeError, LockedError, SettingsError
from loopcast_edge.agent.golden import LONGEST_S, Child
from loopcast_edge.agent.hands import Hands, Link
from loopcast_edge.agent.link import BrokerLink, Local
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.settings import Settings, read
from loopcast_edge.agent.slots import read_package
from loopcast_edge.agent.source import Ended, Lines, Measured, Writer, parsed
from loopcast_edge.wire import Keys, Manifest, Signed, Subject, WireError, decode

LOG = logging.getLogger(__name__)
TICK_S, BUSY_TICK_S = 1.0, 0.1
LOOK_S = 2.0  # how often packages are looked at for what the status says
TOGETHER = 500
DRAIN_S = 60.0
RUNNING, LOCK, STATUS = "running", "lock", "status.json"
BOOT = Path("/proc/sys/kernel/random/boot_id")


class Changing:
    """A link that can be replaced; it drops what it is given while there is none."""

    def __init__(self) -> None:
        self.now: Optional[Link] = None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at least once."""
        if self.now is not None:
            self.now.publish(topic, payload, retain=retain)

    def subscribe(self, names: Sequence[str], *, sure: bool = False) -> None:
        """Subscribe to topics."""
        if self.now is not None:
            self.now.subscribe(names, sure=sure)

    def unsubscribe(self, names: Sequence[str]) -> None:
        """Subscribe to topics no more."""
        if self.now is not None:
            self.now.unsubscribe(names)


class Relay:
    """Brings what a link says from its thread to the agent's."""

    def __init__(self, agent: Agent, queue: SimpleQueue[Any]) -> None:
        self.will = agent.will
        self._agent, self._queue = agent, queue

    def connected(self) -> None:
        """The connection stands."""
        self._queue.put(self._agent.connected)

    def disconnected(self) -> None:
        """The connection is lost."""
        self._queue.put(self._agent.disconnected)

    def received(self, topic: str, payload: bytes) -> None:
        """A message has come."""
        self._queue.put(partial(self._agent.received, topic, payload))


class Process:
    """An agent with all that surrounds it.

    Parameters
    ----------
    path
        Of the configuration, which is read again on SIGHUP.
    settings
        What it says now.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path, self._settings = path, settings
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._link = Changing()
        self._outbox = _outbox(settings)
        hands = Hands(self._link, _prove, self._outbox, Random(SystemRandom().getrandbits(64)))
        self._random = hands.random
        self._agent = Agent(settings, hands, __version__)
        self._broker: Optional[BrokerLink] = None
        self._local: Optional[Local] = None
        self._lines: Optional[Lines] = None
        self._writer: Optional[Writer] = None
        self._stopping = self._reloading = False
        self._ended: Optional[Ended] = None
        self._status_at = self._look_at = 0.0
        self._noted: list[tuple[str, str, int]] = []

    def run(self, *, crashed: bool) -> None:
        """Work until a signal, or until the source has ended and all is sent.

        Raises
        ------
        EdgeError
            If the source cannot be read, or a package that was brought by hand is none.
        """
        self._agent.start(crashed=crashed)
        self._adopt()
        self._open()
        try:
            self._loop()
        finally:
            self._close()
            self._agent.stop()
            self._note_status()
            self._outbox.close()
        if self._ended is not None and self._ended.reason:
            raise EdgeError(self._ended.reason)

    def stop(self, *_: Any) -> None:
        """Stop soon, for a signal."""
        self._stopping = True
        self._queue.put(_nothing)

    def reload(self, *_: Any) -> None:
        """Read the configuration again soon, for a signal."""
        self._reloading = True
        self._queue.put(_nothing)

    def _loop(self) -> None:
        tick_at = 0.0
        drained_by = float("inf")
        while not self._stopping:
            self._take(max(0.0, tick_at - time.monotonic()))
            now = time.monotonic()
            if self._reloading:
                self._reload()
            if now >= tick_at:
                tick_at = now + (BUSY_TICK_S if self._agent.busy else TICK_S)
                self._tick(now)
            if self._ended is not None:
                drained_by = min(drained_by, now + DRAIN_S)
                if self._drained() or now >= drained_by:
                    return

    def _tick(self, now: float) -> None:
        self._agent.tick()
        self._write(self._agent.overdue())
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            if self._stages() != self._noted:
                self._note_status()
        if now >= self._status_at:
            self._status_at = now + self._settings.report_s
            self._note_status()
            resident.give_back()

    def _take(self, timeout: float) -> None:
        """Take what has come; measurements that wait are kept by one write to the disk."""
        lines: list[dict[str, Any]] = []
        for item in self._items(timeout):
            if isinstance(item, Measured):
                lines.append(item.line)
            else:
                self._measured(lines)
                lines = []
                self._other(item)
        self._measured(lines)

    def _items(self, timeout: float) -> Iterator[Any]:
        try:
            yield self._queue.get(timeout=timeout)
            for _ in range(TOGETHER):
                yield self._queue.get_nowait()
        except Empty:
            return

    def _other(self, item: Any) -> None:
        if isinstance(item, Ended):
            self._ended = item
        else:
            item()

    def _measured(self, lines: list[dict[str, Any]]) -> None:
        if lines:
            self._write(self._agent.measured(lines))

    def _write(self, predictions: Sequence[Any]) -> None:
        if self._writer is not None:
            with self._agent.disk.tolerated():
                self._writer.write(predictions)

    def _drained(self) -> bool:
        """Tell whether nothing waits to be sent that could be."""
        self._outbox.seal()
        return self._broker is None or not self._outbox.pending

    def _adopt(self) -> None:
        """Take in keys and packages that were brought by hand."""
        try:
            if self._settings.keys is not None:
                keys = decode(self._settings.keys.read_bytes(), Keys)
                with self._agent.disk.tolerated():
                    self._agent.memory.hear(keys, time.time_ns() // 1_000_000)
            for folder in self._settings.local:
                self._adopt_one(folder)
        except (OSError, WireError) as error:
            raise SettingsError(f"what was brought by hand cannot be used: {error}") from None
        patience = time.monotonic() + LONGEST_S
        while self._agent.busy and time.monotonic() < patience and self._settings.local:
            time.sleep(0.05)
            self._agent.tick()

    def _adopt_one(self, folder: Path) -> None:
        package = read_package(folder)
        if package is None:
            raise SettingsError(
                f"{folder}: there is no package; expected manifest and model.tflite"
            )
        envelope = decode(package.envelope, Signed)
        manifest = decode(envelope.payload, Manifest)
        subject = Subject(logical_model=manifest.logical_model, segment=manifest.segment)
        self._agent.adopt(subject, envelope.digest, package)

    def _open(self) -> None:
        """Open link, source and sink, as the settings say."""
        settings = self._settings
        self._agent.settings = settings
        source, sink = settings.source, settings.sink
        if source.kind == "mqtt" or sink.topic is not None:
            topic = source.topic if source.kind == "mqtt" else ""
            self._local = Local(source.host, source.port, topic, self._heard)
        try:
            self._writer = Writer(sink, self._local)
        except OSError as error:
            raise SettingsError(f"sink: {sink.path}: {error.strerror}") from None
        if settings.broker is not None:
            relay = Relay(self._agent, self._queue)
            link = BrokerLink(settings.broker, settings.device, relay, self._random)
            self._broker = self._link.now = link
            link.start()
        if source.kind != "mqtt":
            self._lines = Lines(source.path, self._queue)

    def _close(self) -> None:
        """Close source, link and sink, in this order."""
        if self._lines is not None:
            self._lines.close()
        self._agent.leaving()
        if self._broker is not None:
            self._broker.stop()
        if self._local is not None:
            self._local.close()
        if self._writer is not None:
            self._writer.close()
        self._link.now = self._broker = self._local = self._lines = self._writer = None
        self._agent.disconnected()

    def _reload(self) -> None:
        """Use a changed configuration; one that is wrong changes nothing."""
        self._reloading = False
        try:
            changed = read(self._path)
        except SettingsError as error:
            LOG.error("the configuration stays as it was: %s", error)
            return
        old = self._settings
        if (changed.device, changed.state) != (old.device, old.state):
            LOG.error("the configuration stays as it was: device and state need a restart")
            return
        logging.getLogger().setLevel(changed.log_level.upper())
        if changed != old:
            self._close()
            self._settings = changed
            self._open()
        LOG.info("the configuration was read again")

    def _heard(self, payload: bytes) -> None:
        """Take a measurement from the local broker, in its thread."""
        try:
            self._queue.put(Measured(parsed(payload)))
        except ValueError as error:
            LOG.warning("a measurement is ignored: %s", error)

    def _note_status(self) -> None:
        self._noted = self._stages()
        with self._agent.disk.tolerated():
            files.write(self._settings.state / STATUS, msgspec.json.encode(self._agent.report()))

    def _stages(self) -> list[tuple[str, str, int]]:
        """Return how far each package is."""
        packages = self._agent.report().packages
        return [(each.manifest, each.stage, each.received) for each in packages]


def run(path: Path) -> None:
    """Run the agent of a configuration until it is told to stop.

    Raises
    ------
    SettingsError
        If the configuration cannot be used.
    LockedError
        If another agent works with the same state folder.
    """
    settings = read(path)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    settings.state.mkdir(parents=True, exist_ok=True)
    with _locked(settings.state), _noted(settings.state) as crashed:
        process = Process(path, settings)
        for number, handler in (
            (signal.SIGTERM, process.stop),
            (signal.SIGINT, process.stop),
            (signal.SIGHUP, process.reload),
        ):
            signal.signal(number, handler)
        process.run(crashed=crashed)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    with (state / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"{state}: another agent works with this folder") from None
        yield


@contextmanager
def _noted(state: Path) -> Iterator[bool]:
    """Tell whether the last process died under this boot.

    Power that went is no crash, nor is an end of which the process itself can say why.
    """
    boot = BOOT.read_bytes() if BOOT.exists() else b"unknown"
    note = state / RUNNING
    crashed = note.exists() and note.read_bytes() == boot
    with Disk(time.monotonic).tolerated():
        files.write(note, boot)
    try:
        yield crashed
    except EdgeError:
        note.unlink(missing_ok=True)
        raise
    note.unlink(missing_ok=True)


def _outbox(settings: Settings) -> Outbox:
    """Open the outbox; on a disk that has no space for it, one in memory until the next start."""
    try:
        outbox = Outbox(settings.state / "outbox.sqlite", settings.most_rows)
    except DISK_ERRORS as error:
        LOG.error("the outbox: %s; until the next start, it is in memory alone", error)
        return Outbox(None, settings.most_rows)
    if outbox.set_aside is not None:
        LOG.error("the outbox is damaged; it is set aside as %s", outbox.set_aside)
    return outbox


def _prove(digest: str, folder: Path) -> Child:
    return Child(digest, folder, time.monotonic)


def _nothing() -> None:
    """Wake up."""
