"""A rollout to a thousand agents on this machine, and five thousand with a model loaded.

Agents are simulated by one process with one loop, against a real Mosquitto. Time counts from the
first message that publishes the package to the last device that has reported it running; CPU time
is that of the agents' process meanwhile, MQTT included, divided by their number.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from edge import models  # type: ignore[attr-defined]
from edge.brokers import Mosquitto, until  # type: ignore[import-not-found]
from edge.centre import Centre, desired  # type: ignore[import-not-found]

from loopcast_edge.wire import Reported, Trial, decode, encode, topics

ROLLOUT, LOADED = 1000, 5000
GOAL_S, GOAL_MS = 5.0, 2.0
PATIENCE_S = 300.0


def run(scale: float) -> list[dict[str, Any]]:
    """Measure both; the scale shortens the fleets."""
    return [_rollout(max(20, round(size * scale))) for size in (ROLLOUT, LOADED)]


class _Centre:
    """Publishes a package, and hears what devices report."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, tuple[str, ...]] = {}
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.max_inflight_messages_set(1000)
        client.on_message = lambda _c, _u, message: self._hear(message.topic, message.payload)
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe(topics.device("+", "reported"), qos=1)
        self._client = client

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1, retain=True)

    def running(self) -> int:
        return sum(stages == ("running",) for stages in list(self.heard.values()))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, topic: str, payload: bytes | bytearray) -> None:
        reported = decode(bytes(payload), Reported)
        self.heard[topics.origin(topic).device] = tuple(each.stage for each in reported.packages)


def _rollout(devices: int) -> dict[str, Any]:
    signer = Centre()
    weights = np.random.default_rng(1).normal(size=3500).astype(np.float32)
    model = models.linear([[2.0]], [0.001], padding=weights)
    package = signer.package(model=model, trial=Trial(seconds=0, predictions=0))
    with (
        tempfile.TemporaryDirectory() as folder,
        _world(Path(folder), signer) as (port, centre),
        _simulated(Path(folder), port, devices) as agents,
    ):
        until(lambda: len(centre.heard) == devices, "all are connected", PATIENCE_S)
        time.sleep(1.0)
        before, started = _cpu_s(agents.pid), time.monotonic()
        for topic, payload in package.retained().items():
            centre.publish(topic, payload)
        for number in range(devices):
            name = topics.device(f"sim-{number}", "desired")
            centre.publish(name, desired(1, package))
        until(lambda: centre.running() == devices, "all run it", PATIENCE_S)
        seconds = time.monotonic() - started
        cpu_s = _cpu_s(agents.pid) - before
        memory = _megabytes(agents.pid)
    return {
        "devices": devices,
        "model_kb": len(model) / 1024,
        "all_running_s": seconds,
        "cpu_ms_each": 1000 * cpu_s / devices,
        "mb_each": memory / devices,
        "of_goal_s": seconds / GOAL_S,
        "of_goal_ms": 1000 * cpu_s / devices / GOAL_MS,
    }


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _megabytes(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def _world(folder: Path, signer: Any) -> Iterator[tuple[int, _Centre]]:
    (folder / "root").write_bytes(encode(signer.root))
    broker = Mosquitto(folder, "max_queued_messages 0\n", keeping=False)
    centre = _Centre(broker.port)
    try:
        centre.publish(topics.KEYS, signer.keys())
        yield broker.port, centre
    finally:
        centre.close()
        broker.kill()


@contextmanager
def _simulated(folder: Path, port: int, devices: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "loopcast_edge.simulate", "--devices", str(devices)]
    where = ["--broker", f"127.0.0.1:{port}", "--root", str(folder / "root")]
    agents = subprocess.Popen(
        [*command, *where, "--seconds", str(2 * PATIENCE_S)], stdout=subprocess.DEVNULL
    )
    try:
        yield agents
    finally:
        agents.kill()
        agents.wait()
