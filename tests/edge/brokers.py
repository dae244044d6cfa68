"""A real Mosquitto on a free port, and a centre that stores what devices send."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from loopcast_edge.wire import (
    EventBatch,
    Receipt,
    Reported,
    SketchDay,
    TruthBatch,
    decode,
    encode,
    topics,
)

from .servers import free_port, mosquitto

KINDS: dict[str, Any] = {"up/events": EventBatch, "up/truth": TruthBatch, "up/sketch": SketchDay}


def until(holds: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Wait until something holds; return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}")


KEEPING = (
    "persistence true\npersistence_location {}/\nautosave_on_changes true\nautosave_interval 1\n"
)


class Mosquitto:
    """A broker, which keeps what is retained over a kill unless it is told not to."""

    def __init__(self, folder: Path, settings: str = "", *, keeping: bool = True) -> None:
        self.port = free_port()
        self._program, self._configuration = mosquitto(), folder / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            f"user root\n{KEEPING.format(folder) if keeping else ''}{settings}"
        )
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self._program, "-c", str(self._configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, "the broker answers")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Store:
    """Publishes, and stores each batch once, however often it comes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.batches: dict[tuple[str, str, int], Any] = {}
        self.deliveries = 0
        self.reported: dict[str, Reported] = {}
        self.deaf = 0
        """Batches that are stored before the first receipt is sent."""
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._ready = threading.Event()
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def wait(self) -> None:
        """Wait until it listens again: what is published before then, nobody hears."""
        until(lambda: self._client.is_connected() and self._ready.is_set(), "the centre listens")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, retained: dict[str, bytes]) -> None:
        until(self._client.is_connected, "the centre is connected")
        for topic, payload in retained.items():
            self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(10)

    def send(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1)

    def events(self) -> list[Any]:
        """All events that are stored, in order."""
        found = [batch for _, batch in sorted(self.batches.items())]
        return [each for batch in found if isinstance(batch, EventBatch) for each in batch.events]

    def _on_connect(self, client: Client, *_: Any) -> None:
        self._ready.clear()
        client.subscribe(f"{topics.ROOT}/device/+/#", qos=1)

    def _on_message(self, _c: Any, _u: Any, message: MQTTMessage) -> None:
        if not message.topic.endswith(("/reported", "/events", "/truth", "/sketch")):
            return
        device, channel = topics.origin(message.topic)
        payload = bytes(message.payload)
        if channel == "reported":
            self.reported[device] = decode(payload, Reported)
            return
        batch = decode(payload, KINDS[channel])
        self.deliveries += 1
        self.batches.setdefault((device, batch.outbox, batch.sequence), batch)
        if len(self.batches) > self.deaf:
            receipt = Receipt(outbox=batch.outbox, stored=(batch.sequence,))
            self.send(topics.device(device, "receipt"), encode(receipt))


@contextmanager
def running(folder: Path, settings: str = "") -> Iterator[tuple[Mosquitto, Store]]:
    """Run a broker and a centre."""
    broker = Mosquitto(folder, settings)
    store = Store(broker.port)
    try:
        yield broker, store
    finally:
        store.close()
        broker.kill()
