"""A device with a broker in memory, a disk that is real, and a clock that the tests turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
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
    PackageState,
    ReferenceColumn,
    Tensor,
    TruthBatch,
    decode,
    encode,
    topics,
)

from ..centre import STEP_S, Centre, Package, desired, now_ms

START = now_ms() // (STEP_S * 1000) * STEP_S * 1000


REFERENCE = DriftReference(
    digest="ab" * 8,
    columns=(
        ReferenceColumn(name="temperature", edges=(0.0, 10.0, 30.0), centre=10.0),
        ReferenceColumn(name="output.mean", edges=(0.0, 50.0), centre=20.0),
    ),
    error=ReferenceColumn(name="error", edges=(-1.0, 1.0)),
)
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

    def events(self) -> list[str]:
        """Keys of all events that were sent, those of a batch once."""
        batches = {each.sequence: each for each in self.sent("up/events", EventBatch)}
        return [event.key for each in batches.values() for event in each.events]

    def outcomes(self) -> list[str]:
        """Keys of all outcomes that were sent, those of a batch once."""
        batches = {each.sequence: each for each in self.sent("up/truth", TruthBatch)}
        return [outcome.key for each in batches.values() for outcome in each.outcomes]


def noise(size: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=size).astype(np.float32)
