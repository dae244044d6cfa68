"""Real agents, each its own process, a real broker, and a centre: from a file to a verdict."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loopcast.api import Device, ErrorTest, Rollout
from loopcast.api import graph as g
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast.fleet import rolling
from loopcast.fleet.centre import Centre
from loopcast.fleet.keyring import Keyring, make_keys
from loopcast.fleet.link import FLEET, Link
from loopcast.fleet.link import Broker as Address
from loopcast.fleet.overview import overview
from loopcast.fleet.packages import Contents, make_package
from loopcast.fleet.rollout import Standing, standing
from loopcast.iterate.federated import correct_package, learn_from_fleet
from loopcast.store.home import Home, open_home
from loopcast_edge.wire import (
    Correction,
    Golden,
    Measurement,
    Output,
    Recipe,
    Tensor,
    Trial,
    encode,
    recipe,
)

from ...framework.fleet.brokers import Broker, plain
from ...framework.fleet.fake import named, wait_for
from ...framework.store.builders import NOON, logical_model, registration, version

pytestmark = pytest.mark.slow

MINUTE = 60_000
START = 29_000_000 * MINUTE
SETTINGS = """
device = "{name}"
state = "state"
root = "root"
uplink_s = 0.2
report_s = 0.5
[broker]
host = "127.0.0.1"
port = {port}
username = "{name}"
"""
BY_LINES = """
[source]
kind = "replay"
path = "/dev/stdin"
"""
RECIPE = Recipe(
    step_seconds=60,
    measurements=(Measurement(name="temperature"), Measurement(name="load", required=False)),
    steps=(recipe.Number(name="t", of="temperature"),),
    features=("t",),
    target="load",
)


def contents(slope: float) -> Contents:
    """A model that says ``slope`` times the temperature."""
    weights, bias = np.array([[slope]]), np.zeros(1)
    output = g.Linear(g.Features(), weights, bias)
    graph = g.Graph(features=("t",), output=output, outputs=("mean",))
    features = np.array([[10.0], [20.0]])
    return Contents(
        model=write_tflite(graph).content,
        recipe=RECIPE,
        outputs=(Output(name="mean", series="load"),),
        golden=(Golden(features=Tensor.of(features), output=Tensor.of(slope * features)),),
        trial=Trial(seconds=0, predictions=5, outcomes=12),
    )


class Agent:
    """A process that is fed a measurement every few milliseconds, as if minutes passed.

    They begin with the ``first``; ``by_lines`` makes their time that of the device.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        port: int,
        root: bytes,
        first: int = 0,
        *,
        by_lines: bool = False,
    ) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "root").write_bytes(root)
        settings = SETTINGS.format(name=name, port=port) + (BY_LINES if by_lines else "")
        (folder / "agent.toml").write_text(settings)
        command = [sys.executable, "-m", "loopcast_edge", "run", "--config", "agent.toml"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
            )
        self._stop, self._random = threading.Event(), np.random.default_rng(len(name))
        self._thread = threading.Thread(target=self._feed, args=(first,))
        self._thread.start()

    def _feed(self, number: int) -> None:
        while not self._stop.wait(0.03):
            temperature = 20.0 + 5.0 * np.sin(number / 100)
            load = 2.0 * temperature + self._random.normal(0.0, 1.0)
            self._write({"time": START + number * MINUTE, "temperature": temperature, "load": load})
            number += 1

    def _write(self, line: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        self.process.terminate()
        code = self.process.wait(20)
        assert self.process.stdin is not None
        self.process.stdin.close()
        return code


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    home = open_home(tmp_path / "home")
    home.catalog.put_logical_model(logical_model())
    home.catalog.register([registration(version(number)) for number in (1, 2, 3)])
    home.catalog.enrol([Device(name=name, enrolled=NOON) for name in named(4)], by="ann")
    yield home
    home.catalog.close()


@pytest.fixture
def ring(place: Home) -> Keyring:
    ring = make_keys(place.folder / "keys")
    for number, slope in ((1, 2.1), (2, 2.0), (3, 3.0)):
        make_package(place, ring, version(number), contents(slope), by="ann")
    return ring


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with plain(tmp_path / "broker") as found:
        yield found


@pytest.fixture
def serving(place: Home, ring: Keyring, broker: Broker) -> Iterator[Centre]:
    with Link(Address(url=f"mqtt://127.0.0.1:{broker.port}"), listen=FLEET) as link:
        yield Centre(place=place, keys=ring.folder, link=link)


@pytest.fixture
def agents(tmp_path: Path, broker: Broker, ring: Keyring) -> Iterator[list[Agent]]:
    root = encode(ring.roots[0])
    started = [Agent(tmp_path / name, name, broker.port, root) for name in named(4)]
    yield started
    codes = [agent.stop() for agent in started]
    assert codes == [0] * 4, (tmp_path / "meter-0" / "log").read_text()


def plan(name: str, sequence: int, **fields: Any) -> Rollout:
    common: dict[str, Any] = {
        "name": name, "logical_model": "demand", "segment": "", "sequence": sequence,
        "cohorts": (0.75, 1.0), "deadline_hours": 0.05, "test": ErrorTest(pairs=12, devices=3),
    }  # fmt: skip
    return Rollout(**common | fields)


def test_a_better_package_passes_and_a_worse_one_stops_itself(
    place: Home, serving: Centre, agents: list[Agent]
) -> None:
    def rolled(name: str, sequence: int, **fields: Any) -> str:
        rolling.begin(place.catalog, plan(name, sequence, **fields), by="ann", reason="r")
        wait_for(lambda: state(name).over, lambda: serving.turn(0.1), 60)
        return state(name).phase

    def state(name: str) -> Standing:
        return standing(place.catalog.rollout(name).steps)

    def all_run(sequence: int) -> bool:
        runs = [run for device in overview(place.catalog).devices for run in device.runs]
        return [r.sequence for r in runs if (r.role, r.stage) == ("champion", "running")] == [
            sequence] * 4  # fmt: skip

    assert rolled("first", 1, test=None) == "complete"
    assert rolled("better", 2) == "complete"
    assert rolled("worse", 3) == "stopped"
    wait_for(lambda: all_run(2), lambda: serving.turn(0.1), 30)
    reason = place.catalog.rollout("worse").steps[-1].reason
    assert "worse than the margin" in reason
    time.sleep(0.5)
    serving.run(until=lambda: place.catalog.waiting_uplinks() == 0)
    events = place.events.read("demand")
    assert {f"device/{name}" for name in named(4)} == set(events["source"].to_pylist())
    columns = (events[name].to_pylist() for name in ("source", "version", "role", "key"))
    keys = list(zip(*columns, strict=True))
    assert len(keys) == len(set(keys))
    assert place.truth.latest("demand").num_rows > 50


def test_what_agents_learned_together_corrects_their_next_package(
    place: Home, ring: Keyring, serving: Centre, broker: Broker, tmp_path: Path
) -> None:
    """The model says a tenth too much, about two units; nobody but the devices sees outcomes."""
    learning = Correction(zone="UTC", day=0, week=0, clip=20.0)
    taught = dataclasses.replace(contents(2.1), correction=learning)
    package = make_package(place, ring, version(1), taught, by="ann")

    def started(first: int) -> list[Agent]:
        root = encode(ring.roots[0])
        return [
            Agent(tmp_path / name, name, broker.port, root, first, by_lines=True)
            for name in named(4)
        ]

    def told() -> int:
        return len({uplink.device for uplink in place.catalog.kept_uplinks("update")})

    def rolled(name: str, sequence: int) -> None:
        begun = plan(name, sequence, cohorts=(1.0,), test=None)
        rolling.begin(place.catalog, begun, by="ann", reason="r")
        wait_for(lambda: phase(name) == "complete", lambda: serving.turn(0.1), 60)

    def phase(name: str) -> str:
        return standing(place.catalog.rollout(name).steps).phase

    def errors(sequence: int) -> list[float]:
        runs = [run for device in overview(place.catalog).devices for run in device.runs]
        return [r.error for r in runs if r.sequence == sequence and r.error is not None]

    agents = started(0)
    try:
        rolled("first", package.sequence)
        wait_for(lambda: len(place.truth.latest("demand")) > 200, lambda: serving.turn(0.1), 30)
        assert [agent.stop() for agent in agents] == [
            0
        ] * 4  # what was learned goes home when its day is over
        agents = started(10_000)
        wait_for(lambda: told() == 4, lambda: serving.turn(0.1), 30)
        learned = learn_from_fleet(place, package)
        assert learned.gain > 0.5
        assert abs(learned.correction.coef[0] + 2.0) < 0.7
        corrected = correct_package(place, ring, package, learned, by="ann")
        before = errors(package.sequence)
        rolled("second", corrected.sequence)
        wait_for(lambda: len(errors(corrected.sequence)) == 4, lambda: serving.turn(0.1), 30)
        assert max(errors(corrected.sequence)) < 0.8 * min(before)
    finally:
        assert [agent.stop() for agent in agents] == [0] * 4
