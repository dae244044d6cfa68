"""The agent as a process, against a real broker, with power that goes at every step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from loopcast_edge.agent import status
from loopcast_edge.agent.settings import read
from loopcast_edge.wire import Order, PackageState, SecretKey, Trial, encode, topics

from .. import models
from ..brokers import Mosquitto, Store, running, until
from ..centre import STEP_S, Centre, Package, desired, now_ms
from ..resident import memory_mb
from .device import noise

HERE = Path(__file__).resolve().parents[1]
START = now_ms() // (STEP_S * 1000) * STEP_S * 1000
DEVICE = "meter-7"
SETTINGS = """
device = "meter-7"
state = "state"
root = "root"
uplink_s = 0.2
report_s = 0.5
[broker]
host = "127.0.0.1"
port = {port}
keepalive_s = 5
"""


class Process:
    """The agent's process, fed by its standard input, heard by its standard output."""

    def __init__(self, folder: Path, *dying: str) -> None:
        command = [sys.executable, str(HERE / "dying.py"), *dying] if dying else MODULE
        self.log = (folder / "agent.log").open("ab")
        self.process = subprocess.Popen(
            [*command, "run", "--config", str(folder / "agent.toml")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        self.predictions: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def measure(self, number: int, temperature: float = 20.0, load: float = 40.0) -> None:
        line = {"time": START + number * STEP_S * 1000, "temperature": temperature, "load": load}
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has been killed
            self.process.stdin.write(json.dumps(line).encode() + b"\n")
            self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            if text.endswith(b"\n"):
                self.predictions.append(json.loads(text))

    def said_more_than(self, predictions: int) -> bool:
        return len(self.predictions) > predictions

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        if self.alive:
            self.process.send_signal(number)
        code = self.process.wait(20)
        self._reader.join()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()
        return code


MODULE = [sys.executable, "-m", "loopcast_edge"]


class Station:
    """A device, its broker and its centre."""

    def __init__(self, folder: Path, broker: Mosquitto, store: Store) -> None:
        self.folder, self.broker, self.store = folder, broker, store
        self.centre = Centre()
        (folder / "root").write_bytes(encode(self.centre.root))
        (folder / "agent.toml").write_text(SETTINGS.format(port=broker.port))
        store.publish({topics.KEYS: self.centre.keys()})
        self.number = 0
        self.sequence = 0
        self.acknowledged: list[str] = []
        self.agent: Process | None = None

    def start(self, *dying: str) -> Process:
        self.store.reported.clear()
        self.agent = Process(self.folder, *dying)
        return self.agent

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.agent is not None
        code = self.agent.end(number)
        self.acknowledged += [each["key"] for each in self.agent.predictions]
        self.agent = None
        return code

    def want(self, package: Package, **how: Any) -> None:
        self.store.publish(package.retained(**how))
        self.desire(package)

    def desire(self, package: Package) -> None:
        self.sequence += 1
        wanted = {topics.device(DEVICE, "desired"): desired(self.sequence, package)}
        self.store.publish(wanted)

    def feed(self, **values: float) -> None:
        assert self.agent is not None
        self.agent.measure(self.number, **values)
        self.number += 1
        time.sleep(0.02)

    def state_of(self, package: Package) -> PackageState | None:
        reported = self.store.reported.get(DEVICE)
        found = () if reported is None else reported.packages
        return next((each for each in found if each.manifest == package.digest), None)

    def reaches(self, package: Package, stage: str, **values: float) -> PackageState:
        """Measure until a package is in a stage, and return its state."""

        def there() -> PackageState | None:
            self.feed(**values)
            state = self.state_of(package)
            return state if state is not None and state.stage == stage else None

        found: PackageState = until(there, f"{stage}; log:\n{self.log()}")
        return found

    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    def all_is_home(self) -> None:
        """Nothing that was acknowledged is lost, and nothing counted twice."""
        time.sleep(0.5)  # what was measured last is predicted
        self.all_is_stored()
        assert self.end() == 0, self.log()
        keys = [each.key for each in self.store.events()]
        assert len(set(keys)) == len(keys)
        assert set(self.acknowledged) <= set(keys)
        assert self.acknowledged

    def all_is_stored(self) -> None:
        until(self._drained, f"the outbox is empty; log:\n{self.log()}")

    def _drained(self) -> bool:
        assert self.agent is not None
        said = {*self.acknowledged, *(each["key"] for each in self.agent.predictions)}
        return said <= {each.key for each in self.store.events()}


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    with running(tmp_path) as (broker, store):
        station = Station(tmp_path, broker, store)
        yield station
        if station.agent is not None:
            station.agent.end(signal.SIGKILL)


def test_a_life_of_an_agent(station: Station, tmp_path: Path) -> None:
    """Fetch, prove, run; crash of the broker; a bad version returned from; stop."""
    good = station.centre.package(1, models.linear([[2.0]], [0.001], padding=noise(3000)))
    retained = good.retained(chunk_size=512)
    some = dict(list(retained.items())[:9])
    station.store.publish(some)
    station.desire(good)
    station.start()
    until(lambda: (state := station.state_of(good)) and state.received, "the download begins")
    settings = read(tmp_path / "agent.toml")
    until(
        lambda: f"of {len(retained) - 2} chunks" in status.text(status.status(settings)),
        "its status says so",
    )
    station.broker.kill()
    station.broker.start()
    station.store.publish({name: retained[name] for name in retained if name not in some})
    station.reaches(good, "running")
    trial = Trial(seconds=3600, predictions=3, outcomes=3, error_ratio=1.2)
    bad = station.centre.package(2, models.linear([[2.5]], [0.0]), expected=2.5, trial=trial)
    station.want(bad)
    assert "mean absolute error" in station.reaches(bad, "returned").reason
    assert station.state_of(good).stage == "running"  # type: ignore[union-attr]
    station.all_is_home()


STEPS = [
    ("wire.chunks.Assembler.add", 2),
    ("wire.chunks.Assembler.finish", 1),
    ("agent.slots.Slots.put", 1),
    ("agent.golden.Child.verdict", 2),
    ("agent.memory.Memory.accept", 1),
    ("agent.slots.Slots.point", 1),
    ("agent.slots.Slots.clean", 1),
    ("agent.files.sync", 3),
    ("agent.files.sync", 5),
    ("agent.outbox.Outbox.add_events", 3),
    ("agent.outbox.Outbox.seal", 3),
    ("agent.outbox.Outbox.stored", 1),
    ("agent.memory.Memory.hear", 1),
    ("agent.agent.Agent.measured", 4),
    ("agent.drift.Days.note", 4),
    ("agent.remembered.Said.known", 3),
]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("step", "number"), STEPS)
def test_power_that_goes_at_any_step(station: Station, step: str, number: int, when: str) -> None:
    package = station.centre.package(model=models.linear([[2.0]], [0.001], padding=noise(500)))
    station.want(package, chunk_size=512)
    agent = station.start(step, when, str(number))

    def dead() -> bool:
        station.feed()
        return not agent.alive

    until(dead, f"it dies at {step}; log:\n{station.log()}")
    assert station.end() == -signal.SIGKILL
    station.start()
    station.reaches(package, "running")
    station.all_is_home()


def test_memory_does_not_grow(station: Station) -> None:
    """Once what is remembered of keys is full, lines that come and go leave nothing behind."""
    package = station.centre.package()
    station.want(package)
    station.start()
    station.reaches(package, "running")
    assert station.agent is not None
    agent = station.agent
    own_mb = []
    for _ in range(2):
        expected = len(agent.predictions) + 5000
        for number in range(station.number, station.number + 5000):
            agent.measure(number)
        station.number += 5000
        until(partial(agent.said_more_than, expected - 1), "all is predicted", 60)
        station.all_is_stored()
        own_mb.append(memory_mb(agent.process.pid)["Anonymous"])
    assert own_mb[1] - own_mb[0] < 1.0, own_mb  # 200 bytes a line
    station.all_is_home()


@pytest.mark.slow
def test_two_weeks_offline(station: Station) -> None:
    package = station.centre.package()
    station.want(package)
    station.start()
    station.reaches(package, "running")
    station.broker.kill()
    assert station.agent is not None
    agent = station.agent
    before = len(agent.predictions)
    for number in range(station.number, station.number + 20_000):
        agent.measure(number)
    until(lambda: len(agent.predictions) >= before + 20_000, "all is predicted", 60)
    assert station.end(signal.SIGKILL) == -signal.SIGKILL
    station.store.deaf = len(station.store.batches) + 3
    station.broker.start()
    station.store.wait()
    station.start()
    until(lambda: len(station.store.batches) > station.store.deaf, "batches come")
    station.store.send(topics.device(DEVICE, "order"), encode(Order(do="resend")))
    station.all_is_home()
    assert len(station.store.events()) >= 20_000
    assert station.store.deliveries > len(station.store.batches), "some came twice"


@pytest.mark.slow
def test_what_must_not_run_does_not(station: Station) -> None:
    """Wrong signature, expired, replayed, malformed and oversized, one after the other."""
    centre = station.centre
    old, good = centre.package(1), centre.package(2)
    station.want(good)
    station.start()
    station.reaches(good, "running")
    forged = centre.package(3, key=SecretKey(bytes([9] * 32)))
    expired = centre.package(4, created=START - 9000, expires=START - 8000)
    for package, said in ((forged, "genuine"), (expired, "expired"), (old, "accepted before")):
        station.want(package)
        assert said in station.reaches(package, "refused").reason
    wrong = topics.manifest("ab" * 32)
    junk = {wrong: b"\xc1", topics.KEYS: bytes(500_000), topics.device(DEVICE, "desired"): b"junk"}
    station.store.publish(junk)
    station.store.send(topics.device(DEVICE, "order"), encode(Order(do="report"))[:-1])
    for _ in range(20):
        station.feed()
    station.end(signal.SIGKILL)
    station.start()
    until(lambda: station.state_of(good), "it starts with junk retained")
    station.feed()
    station.all_is_home()


@pytest.mark.slow
def test_a_model_that_kills_the_runtime(station: Station) -> None:
    good = station.centre.package(1)
    station.want(good)
    station.start()
    station.reaches(good, "running")
    killer = station.centre.package(2, models.killer())
    station.want(killer)
    state = station.reaches(killer, "refused")
    assert "died by signal" in state.reason
    station.all_is_home()


@pytest.mark.slow
def test_measurements_and_predictions_by_topics_and_a_pipe(station: Station) -> None:
    package = station.centre.package()
    station.want(package)
    path = station.folder / "agent.toml"
    both = SETTINGS.format(port=station.broker.port)
    local = f'[source]\nkind = "mqtt"\nport = {station.broker.port}\n[sink]\ntopic = "said"\n'
    path.write_text(both + local)
    agent = station.start()
    heard: list[dict[str, Any]] = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = lambda _c, _u, message: heard.append(json.loads(message.payload))
    client.connect("127.0.0.1", station.broker.port)
    client.subscribe("said")
    client.loop_start()

    def measured() -> bool:
        station.number += 1
        line = {"time": START + station.number * STEP_S * 1000, "temperature": 20.0}
        client.publish("measurements", json.dumps(line), qos=1)
        client.publish("measurements", "rubbish", qos=1)
        time.sleep(0.05)
        return bool(heard)

    until(measured, f"a prediction is heard; log:\n{station.log()}")
    assert heard[0]["outputs"]["mean"] == pytest.approx(40.001)
    pipe = station.folder / "pipe"
    os.mkfifo(pipe)
    path.write_text(f'{both}[source]\npath = "{pipe}"\n')
    agent.process.send_signal(signal.SIGHUP)
    for number in range(2):  # the pipe is opened again when its writer leaves
        line = {"time": START + (1000 + number) * STEP_S * 1000, "temperature": 20.0}
        before = len(agent.predictions)
        pipe.write_text(json.dumps(line) + "\n")
        until(partial(agent.said_more_than, before), "a line of the pipe is answered")
    client.disconnect()
    client.loop_stop()
    station.all_is_home()


@pytest.mark.slow
def test_hangup_reads_the_configuration_again(station: Station) -> None:
    package = station.centre.package()
    station.want(package)
    agent = station.start()
    station.reaches(package, "running")
    path = station.folder / "agent.toml"
    path.write_text("device = 7")
    agent.process.send_signal(signal.SIGHUP)
    until(lambda: "stays as it was" in station.log(), "it says what is wrong")
    predictions = station.folder / "predictions.jsonl"
    path.write_text(SETTINGS.format(port=station.broker.port) + f'[sink]\npath = "{predictions}"\n')
    agent.process.send_signal(signal.SIGHUP)
    until(predictions.exists, "the new sink is used")
    station.feed()
    until(predictions.read_bytes, "a prediction is in the file")
    station.all_is_home()
