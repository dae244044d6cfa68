"""The agent with a broker in memory, a disk that is real, and a clock that the tests turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast_edge.agent.agent import Agent
from loopcast_edge.agent.golden import Verdict, verdict
from loopcast_edge.agent.hands import Hands
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.settings import Settings
from loopcast_edge.agent.slots import read_package
from loopcast_edge.wire import (
    DriftReference,
    EventBatch,
    Golden,
    Order,
    Output,
    PackageState,
    Presence,
    Profile,
    Receipt,
    ReferenceColumn,
    Reported,
    SecretKey,
    SketchDay,
    Tensor,
    Trial,
    TruthBatch,
    decode,
    digest_of,
    encode,
    topics,
    unpack_sketch,
)

from .. import models
from ..centre import STEP_S, Centre, Package, desired, now_ms

START = now_ms() // (STEP_S * 1000) * STEP_S * 1000


ONE = Tensor.of(np.ones((1, 1), np.float32))


class Broker:
    """Retained messages, subscriptions and what the device has published."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.subscribed: list[str] = []
        self.queue: list[tuple[str, bytes]] = []
        self.published: list[tuple[str, bytes]] = []
        self.asked: list[str] = []

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.published.append((topic, payload))

    def subscribe(self, names: Sequence[str], *, sure: bool = False) -> None:
        self.subscribed += names
        self.asked += names
        self.queue += [(name, self.retained[name]) for name in names if name in self.retained]

    def unsubscribe(self, names: Sequence[str]) -> None:
        self.subscribed = [name for name in self.subscribed if name not in set(names)]

    def send(self, topic: str, payload: bytes) -> None:
        self.retained[topic] = payload
        if topic in self.subscribed:
            self.queue.append((topic, payload))


class Here:
    """A proof in this process."""

    def __init__(self, digest: str, folder: Path) -> None:
        package = read_package(folder)
        assert package is not None
        self._verdict = verdict(package, digest)

    def verdict(self) -> Verdict:
        return self._verdict

    def stop(self) -> None:
        pass


class Device:
    """An agent at work, and the world around it."""

    def __init__(self, folder: Path, centre: Centre) -> None:
        self.folder, self.centre, self.broker = folder, centre, Broker()
        (folder / "root").write_bytes(encode(centre.root))
        self.seconds = 0.0
        self.broker.retained[topics.KEYS] = centre.keys()
        self.start()

    def start(self, *, crashed: bool = False) -> None:
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        settings = Settings(device="meter-7", state=state, root=self.folder / "root")
        hands = Hands(
            self.broker,
            Here,
            Outbox(state / "outbox.sqlite"),
            Random(1),
            lambda: START + int(self.seconds * 1000),
            lambda: self.seconds,
        )
        self.broker.subscribed.clear()
        self.broker.queue.clear()
        self.agent = Agent(settings, hands, "1")
        self.outbox = hands.outbox
        self.agent.start(crashed=crashed)
        self.agent.connected()
        self.run()

    def power_cut(self) -> None:
        self.outbox.close()
        self.start()

    def run(self, seconds: float = 0.0) -> None:
        """Deliver what there is, and let time pass."""
        for _ in range(1 + int(seconds)):
            while self.broker.queue:
                self.agent.received(*self.broker.queue.pop(0))
            self.agent.tick()
            self.seconds += 1.0 if seconds else 0.0

    def publish(self, *packages: Package, **how: Any) -> None:
        for package in packages:
            for topic, payload in package.retained(**how).items():
                self.broker.send(topic, payload)

    def want(self, sequence: int, *packages: Any, **fields: Any) -> None:
        self.broker.send(self.topic("desired"), desired(sequence, *packages, **fields))
        self.run()

    def measure(
        self, number: int, temperature: float | None, load: float | None = None
    ) -> list[Any]:
        line = {"time": START + number * STEP_S * 1000, "temperature": temperature, "load": load}
        return self.agent.measured([{k: v for k, v in line.items() if v is not None}])

    @staticmethod
    def topic(channel: Any) -> str:
        return topics.device("meter-7", channel)

    def state_of(self, package: Package) -> PackageState:
        found = {each.manifest: each for each in self.agent.report().packages}
        return found[package.digest]

    def sent(self, channel: str, kind: Any) -> list[Any]:
        name = self.topic(channel)
        return [decode(payload, kind) for topic, payload in self.broker.published if topic == name]


def noise(size: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=size).astype(np.float32)


@pytest.fixture
def centre() -> Centre:
    return Centre()


@pytest.fixture
def device(tmp_path: Path, centre: Centre) -> Device:
    return Device(tmp_path, centre)


def test_from_desired_to_running(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    assert device.state_of(package).stage == "trial"
    [line] = device.measure(0, 20.0, 41.0)
    assert line["outputs"]["mean"] == pytest.approx(40.001)
    assert line["action"] == "served"
    assert device.measure(0, 20.0) == [], "an interval is answered once"
    device.measure(1, 21.0, 42.5)
    device.run(1)
    state = device.state_of(package)
    assert (state.stage, state.predictions, state.fallbacks, state.errors.n) == ("running", 2, 0, 2)
    assert state.errors.absolute == pytest.approx(0.999 + 0.499)
    reported = device.sent("reported", Reported)[-1]
    assert (reported.sequence, reported.root) == (1, 1)
    assert reported.packages[0].stage == "running"
    assert device.sent("presence", Presence)[-1].online
    assert device.broker.subscribed.count(topics.manifest(package.digest)) == 0


def test_events_and_outcomes_go_home_until_a_receipt_names_them(
    device: Device, centre: Centre
) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    for number in range(5):
        device.measure(number, 20.0, 40.0)
    device.run(40)
    [events] = device.sent("up/events", EventBatch)
    [truth] = device.sent("up/truth", TruthBatch)
    assert [each.key for each in events.events] == [each.key for each in truth.outcomes]
    assert events.sources[0].inputs == ("temperature", "load")
    assert events.events[0].action == "served"
    device.run(90)
    assert len(device.sent("up/events", EventBatch)) == 2, "it is sent again"
    receipt = Receipt(outbox=events.outbox, stored=(events.sequence, truth.sequence))
    device.broker.send(device.topic("receipt"), encode(receipt))
    device.run(200)
    assert len(device.sent("up/events", EventBatch)) == 2
    assert device.outbox.pending == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"expires": START - 1000, "created": START - 2000}, "expired"),
        ({"runtimes": {"litert": "99.0.0"}}, "needs litert 99"),
        ({"runtimes": {"tpu": "1.0"}}, "it runs on tpu"),
        ({"segment": "north"}, "segment 'north'"),
        ({"key": SecretKey(bytes([9] * 32))}, "genuine"),
        ({"profile": Profile(zone="Mars/Olympus", values=ONE)}, "Mars/Olympus"),
        ({"expected": 7.0}, "golden vectors 0"),
        ({"model": models.linear([[1.0, 1.0]], [0.0])}, "reads 2"),
        ({"model": b"no model" * 100}, "no model"),
    ],
)
def test_what_must_not_run_is_refused_with_its_reason(
    device: Device, centre: Centre, fields: dict[str, Any], said: str
) -> None:
    good = centre.package()
    device.publish(good)
    device.want(1, good)
    bad = centre.package(2, **fields)
    device.publish(bad)
    placed = centre.package(3)
    wanted = desired(2, bad).replace(b"north", b"") if "segment" in fields else None
    if wanted is not None:
        as_here = Package(placed.manifest, bad.envelope, bad.model)
        wanted = desired(2, as_here)
    device.broker.send(device.topic("desired"), wanted or desired(2, bad))
    device.run(2)
    state = device.state_of(bad)
    assert state.stage == "refused"
    assert said in state.reason
    assert device.state_of(good).stage in ("trial", "running")
    assert device.measure(0, 20.0)[0]["outputs"]["mean"] == pytest.approx(40.001)


def test_an_older_package_needs_a_signed_order(device: Device, centre: Centre) -> None:
    old, new = centre.package(1), centre.package(2)
    device.publish(old, new)
    device.want(1, new)
    device.want(2, old)
    assert device.state_of(old).stage == "refused"
    assert "2 was accepted before" in device.state_of(old).reason
    device.power_cut()
    device.want(3, old, rollbacks=(centre.rollback(new, below=2),))
    assert device.state_of(old).stage == "refused", "the order names another"
    device.want(4, old, rollbacks=(centre.rollback(old, below=1),))
    assert device.state_of(old).stage == "refused", "the order is from before"
    device.want(5, old, rollbacks=(centre.rollback(old, below=2),))
    assert device.state_of(old).stage == "running", "it was the good one"
    device.want(6, None)
    device.want(7, old)
    assert device.state_of(old).stage == "refused", "the order held as long as it was there"


def test_a_withdrawn_package_and_an_older_desired_state(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.broker.send(topics.KEYS, centre.keys(2, withdrawn=(package.digest,)))
    device.want(5, package)
    assert "withdrawn" in device.state_of(package).reason
    device.broker.send(topics.KEYS, centre.keys(1))
    device.run()
    device.want(4, centre.package(2))
    assert len(device.agent.report().packages) == 1
    assert device.agent.report().sequence == 5


def test_stale_news_are_waited_for(tmp_path: Path, centre: Centre) -> None:
    device = Device(tmp_path, centre)
    device.broker.retained[topics.KEYS] = centre.keys(1, expires_in_ms=START + 5000 - now_ms())
    device.power_cut()
    package = centre.package()
    device.publish(package)
    device.seconds = 10.0
    device.want(1, package)
    assert device.state_of(package).stage == "fetching"
    device.broker.send(topics.KEYS, centre.keys(2))
    device.run(3)
    assert device.state_of(package).stage == "trial"


def test_damaged_chunks_are_asked_for_again(device: Device, centre: Centre) -> None:
    package = centre.package(model=models.linear([[2.0]], [0.001], padding=noise(750)))
    retained = package.retained(chunk_size=512)
    name = topics.chunk(package.manifest.file, 2)
    flipped = bytearray(retained[name])
    flipped[-100] ^= 4
    for topic, payload in retained.items():
        device.broker.send(topic, bytes(flipped) if topic == name else payload)
    device.want(1, package)
    state = device.state_of(package)
    assert (state.stage, state.chunks - state.received) == ("fetching", 1)
    device.broker.send(name, b"\xc1 rubbish")
    device.run(100)
    assert device.state_of(package).stage == "fetching"
    device.broker.send(name, retained[name])
    device.run(1)
    assert device.state_of(package).stage == "trial"


def test_a_download_is_taken_up_after_a_power_cut(device: Device, centre: Centre) -> None:
    package = centre.package(model=models.linear([[2.0]], [0.001], padding=noise(5000)))
    retained = package.retained(chunk_size=512)
    chunks = [name for name in retained if "/chunk/" in name]
    for name in retained:
        if name not in chunks[10:]:
            device.broker.send(name, retained[name])
    device.want(1, package)
    before = device.state_of(package)
    assert before.received == 10
    device.power_cut()
    device.broker.asked.clear()
    for name in chunks[10:]:
        device.broker.send(name, retained[name])
    device.run(60)
    assert device.state_of(package).stage == "trial"
    assert not set(chunks[1:10]) & set(device.broker.asked)


def test_the_difference_is_fetched_where_there_is_one(device: Device, centre: Centre) -> None:
    weights = noise(4000)
    old_model = models.linear([[2.0]], [0.001], padding=weights)
    new_model = models.linear([[2.0]], [0.002], padding=weights)
    old, new = centre.package(1, old_model), centre.package(2, new_model)
    device.publish(old)
    device.want(1, old)
    device.publish(new, base=old_model)
    device.broker.asked.clear()
    device.want(2, new)
    assert device.state_of(new).stage == "trial"
    assert topics.chunk(new.manifest.file, 0, digest_of(old_model)) in device.broker.asked
    assert topics.chunk(new.manifest.file, 1) not in device.broker.asked


def test_a_bad_model_gives_way_by_its_realised_error(device: Device, centre: Centre) -> None:
    good = centre.package(1)
    device.publish(good)
    device.want(1, good)
    for number in range(4):
        device.measure(number, 20.0, 40.0)
    device.run(2)
    trial = Trial(seconds=3600, predictions=3, outcomes=3, error_ratio=1.2)
    bad = centre.package(2, models.linear([[2.5]], [0.0]), expected=2.5, trial=trial)
    device.publish(bad)
    device.want(2, bad)
    for number in range(4, 7):
        device.measure(number, 20.0, 40.0)
        device.run(2)
    state = device.state_of(bad)
    assert state.stage == "returned"
    assert "on the same 3 predictions" in state.reason
    assert device.state_of(good).stage == "running"
    assert device.measure(9, 20.0)[0]["version"] == good.manifest.version
    device.power_cut()
    assert device.state_of(bad).stage == "returned", "it is not tried again"


def test_a_trial_needs_its_time_and_outcomes(device: Device, centre: Centre) -> None:
    trial = Trial(seconds=100, predictions=2, outcomes=2, error_limit=5.0)
    package = centre.package(trial=trial)
    device.publish(package)
    device.want(1, package)
    device.measure(0, 20.0, 40.0)
    device.run(120)
    assert device.state_of(package).stage == "trial"
    device.measure(1, 20.0, 40.0)
    device.run(1)
    assert device.state_of(package).stage == "running"


def test_a_model_that_crashes_the_process_is_returned_from(device: Device, centre: Centre) -> None:
    good, bad = centre.package(1), centre.package(2)
    device.publish(good, bad)
    device.want(1, good)
    for number in range(3):
        device.measure(number, 20.0)
    device.run(2)
    device.want(2, bad)
    assert device.state_of(bad).stage == "trial"
    for _ in range(3):
        device.outbox.close()
        device.start(crashed=True)
    assert device.state_of(bad).stage == "returned"
    assert "died 3 times" in device.state_of(bad).reason
    assert device.measure(9, 20.0)[0]["version"] == good.manifest.version


def test_a_shadow_is_silent_and_paired(device: Device, centre: Centre) -> None:
    champion = centre.package(1)
    shadow = centre.package(2, models.linear([[2.1]], [0.0]), expected=2.1)
    device.publish(champion, shadow)
    device.want(1, champion, shadow)
    lines = [line for number in range(6) for line in device.measure(number, 20.0, 40.0)]
    assert {line["version"] for line in lines} == {champion.manifest.version}
    paired = device.state_of(shadow).paired
    assert paired is not None
    assert (paired.other, paired.mine.n, paired.others.n) == (champion.digest, 6, 6)
    assert paired.difference == pytest.approx(6 * (2.0 - 0.001), rel=1e-4)
    device.run(40)
    [batch] = device.sent("up/events", EventBatch)
    actions = {(batch.sources[each.source].role, each.action) for each in batch.events}
    assert actions == {("champion", "served"), ("shadow", "withheld")}


def test_the_champion_before_goes_on_as_a_shadow(device: Device, centre: Centre) -> None:
    old, new = centre.package(1), centre.package(2, trial=Trial(predictions=100))
    device.publish(old, new)
    device.want(1, old)
    device.measure(0, 20.0)
    device.measure(1, 20.0)
    device.want(2, new, old)
    assert device.state_of(old).stage == "running"
    for number in range(2, 7):
        device.measure(number, 20.0, 40.0)
    for package, other in ((old, new), (new, old)):
        paired = device.state_of(package).paired
        assert paired is not None
        assert (paired.other, paired.mine.n) == (other.digest, 5)
    device.run(40)
    [batch] = device.sent("up/events", EventBatch)
    assert len(batch.events) == 2 + 5 * 2


def test_a_day_of_sketches_goes_home(device: Device, centre: Centre) -> None:
    columns = (
        ReferenceColumn(name="temperature", edges=(0.0, 10.0, 30.0), centre=10.0),
        ReferenceColumn(name="output.mean", edges=(0.0, 50.0), centre=20.0),
    )
    error = ReferenceColumn(name="error", edges=(-1.0, 1.0))
    reference = DriftReference(digest="ab" * 8, columns=columns, error=error)
    package = centre.package(reference=reference)
    device.publish(package)
    device.want(1, package)
    for number in range(4):
        device.measure(number, 20.0, 41.0)
    device.seconds += 86_400.0
    device.run(2)
    [day] = device.sent("up/sketch", SketchDay)
    assert (day.rows, day.errors.n, day.day) == (4, 4, START // 86_400_000)
    sketch = unpack_sketch(reference, day.counts, day.moments)
    assert [counts.tolist() for counts in sketch.counts] == [
        [0, 0, 4, 0, 0],
        [0, 4, 0, 0],
        [0, 4, 0, 0],
    ]


def test_the_state_of_a_model_goes_round_and_outlives_the_process(
    device: Device, centre: Centre
) -> None:
    one, three = ONE, Tensor.of(np.full((1, 1), 3.0, np.float32))
    two = Tensor.of(np.full((1, 1), 2.0, np.float32))
    golden = Golden(features=one, state=two, output=three, next_state=three)
    package = centre.package(model=models.counting(), golden=(golden,), state=two)
    device.publish(package)
    device.want(1, package)
    said = [device.measure(number, 10.0)[0]["outputs"]["mean"] for number in range(3)]
    assert said == [12.0, 22.0, 32.0]
    device.agent.stop()
    device.power_cut()
    assert device.measure(3, 10.0)[0]["outputs"]["mean"] == 42.0


def test_fallbacks_when_inputs_are_missing(device: Device, centre: Centre) -> None:
    values = Tensor.of(np.full((168, 1), 33.0, np.float32))
    patient = Trial(seconds=0, predictions=100)
    package = centre.package(profile=Profile(zone="UTC", values=values), trial=patient)
    device.publish(package)
    device.want(1, package)
    assert device.measure(0, None, 40.0) == [], "the temperature may still come"
    late = device.measure(1, 20.0)
    assert [(line["action"], line["outputs"]["mean"]) for line in late] == [
        ("fallback", 33.0),
        ("served", pytest.approx(40.001)),
    ]
    assert "temperature" in late[0]["reason"]
    device.measure(2, 1000.0)
    device.seconds = 3.5 * STEP_S
    [line] = device.agent.overdue()
    assert (line["action"], line["outputs"]["mean"]) == ("fallback", 33.0)


def test_an_absurd_answer_is_none(device: Device, centre: Centre) -> None:
    bounded = (Output(name="mean", series="demand", minimum=-50.0, maximum=100.0),)
    package = centre.package(outputs=bounded, trial=Trial(seconds=0, predictions=100))
    device.publish(package)
    device.want(1, package)
    [line] = device.measure(0, 55.0)
    assert (line["action"], line["outputs"]) == ("refused", {})
    assert line["reason"] == "mean is 110.001, out of its bounds"
    [line] = device.measure(1, 45.0)
    assert line["action"] == "served"


def test_without_a_profile_nothing_answers(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    device.measure(0, 99.0)
    [refused, served] = device.measure(1, 20.0)
    assert (refused["action"], refused["outputs"]) == ("refused", {})
    assert served["action"] == "served"


def test_the_last_good_one_answers_where_the_new_one_cannot(device: Device, centre: Centre) -> None:
    good = centre.package(1)
    device.publish(good)
    device.want(1, good)
    device.measure(0, 20.0)
    device.measure(1, 20.0)
    device.run(2)
    odd = centre.package(
        2, models.linear([[1e38]], [0.0]), expected=1e38, trial=Trial(predictions=100)
    )
    device.publish(odd)
    device.want(2, odd)
    assert device.state_of(odd).stage == "trial", device.state_of(odd).reason
    [line] = device.measure(2, 50.0)
    assert line["action"] == "fallback"
    assert line["version"] == good.manifest.version
    assert line["outputs"]["mean"] == pytest.approx(100.001)


def test_requests_with_keys(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    [line] = device.agent.measured([{"key": "order 1", "temperature": 10.0}])
    assert (line["key"], line["outputs"]["mean"]) == ("order 1", pytest.approx(20.001))
    for _ in range(2):
        device.agent.measured([{"key": "order 1", "outcome": 21.0, "model": "demand"}])
    assert device.state_of(package).errors.n == 1
    device.run(40)
    assert [each.key for each in device.sent("up/truth", TruthBatch)[0].outcomes] == ["order 1"]


def test_nothing_that_comes_stops_the_agent(device: Device, centre: Centre) -> None:
    random = np.random.default_rng(3)
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    names = [topics.KEYS, *(device.topic(name) for name in ("desired", "order", "receipt"))]
    valid = [centre.keys(), desired(9, package), encode(Order(do="report"))]
    for name in [*names, "loopcast/1/else", topics.manifest("ab" * 32)]:
        for payload in [b"", b"\xc1", random.bytes(300), bytes(400_000), *valid]:
            device.agent.received(name, payload[: len(payload) // 2])
            device.agent.received(name, payload + b"\0")
    device.run(2)
    assert device.state_of(package).stage == "trial"


@pytest.mark.parametrize(
    "line",
    [
        {"key": "k" * 300, "temperature": 20.0},
        {"key": 5.0, "temperature": 20.0},
        {"key": "a", "outcome": float("nan")},
        {"key": "a" * 300, "outcome": 1.0},
        {"key": "a", "outcome": "x" * 300},
        {"temperature": "warm"},
        {"temperature": float("inf"), "load": float("nan")},
        {"temperature": ("a", "b")},
        {},
    ],
)
def test_no_line_stops_the_agent(device: Device, centre: Centre, line: dict[str, Any]) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    good = {"key": "good", "temperature": 20.0}
    answers = device.agent.measured([line, {**line, "time": START}, good])
    assert [each["key"] for each in answers if each["action"] == "served"] == ["good"]
    device.run(40)
    assert "good" in [each.key for each in device.sent("up/events", EventBatch)[0].events]


def test_a_damaged_model_on_the_disk_gives_way_and_is_fetched_again(
    device: Device, centre: Centre
) -> None:
    good, new = centre.package(1), centre.package(2)
    device.publish(good, new)
    for sequence, package in ((1, good), (2, new)):
        device.want(sequence, package)
        for number in range(2):
            device.measure(10 * sequence + number, 20.0)
        device.run(2)
    path = device.folder / "state" / "places" / "demand@" / new.digest / "model.tflite"
    path.write_bytes(path.read_bytes()[:-8] + b"\xff" * 8)
    device.power_cut()
    device.run(2)
    assert device.state_of(new).stage == "trial"
    assert path.read_bytes() == new.model


def test_without_a_connection_the_agent_goes_on(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    device.agent.disconnected()
    device.broker.published.clear()
    for number in range(60):
        device.measure(number, 20.0, 40.0)
        device.run()
    assert not device.broker.published
    device.power_cut()
    device.run(100)
    sent = {each.sequence: len(each.events) for each in device.sent("up/events", EventBatch)}
    assert sum(sent.values()) == 60


def test_orders(device: Device, centre: Centre) -> None:
    bad = centre.package(expected=9.0)
    device.publish(bad)
    device.want(1, bad)
    assert device.state_of(bad).stage == "refused"
    device.broker.asked.clear()
    device.broker.send(device.topic("order"), encode(Order(do="retry")))
    device.run(1)
    assert device.state_of(bad).stage == "refused"
    before = len(device.sent("reported", Reported))
    device.broker.send(device.topic("order"), encode(Order(do="report")))
    device.run()
    assert len(device.sent("reported", Reported)) == before + 1
