"""`loopcast fleet ask`: what devices are asked for reaches them, and no others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from loopcast.api import Device, LoopcastError
from loopcast.store.home import Home, open_home
from loopcast_edge.wire import Order, decode, topics

from ..fleet.brokers import Broker, plain
from ..store.builders import NOON
from .test_fleet import told


@pytest.fixture
def place(loopcast_home: Path) -> Iterator[Home]:
    home = open_home(loopcast_home)
    labels = {"meter-1": {"region": "north"}, "meter-2": {"region": "south"}, "meter-3": {}}
    devices = [Device(name=n, enrolled=NOON, labels=each) for n, each in labels.items()]
    home.catalog.enrol(devices, by="ann")
    yield home
    home.catalog.close()


class Heard:
    """What comes on the order topics of all devices."""

    def __init__(self, broker: Broker) -> None:
        self.orders: list[tuple[str, bool, str]] = []
        self._ready, self._some = threading.Event(), threading.Condition()
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = lambda _, __, m: self._hear(m.topic, m.retain, bytes(m.payload))
        self.client.connect("127.0.0.1", broker.port)
        self.client.subscribe(topics.device("+", "order"), qos=1)
        self.client.loop_start()
        assert self._ready.wait(5.0)

    def _hear(self, topic: str, retain: bool, payload: bytes) -> None:
        with self._some:
            self.orders.append((topic.split("/")[3], retain, decode(payload, Order).do))
            self._some.notify_all()

    def wait(self, count: int) -> list[tuple[str, bool, str]]:
        with self._some:
            assert self._some.wait_for(lambda: len(self.orders) >= count, 5.0)
            return sorted(self.orders)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_those_who_are_asked_hear_of_it(place: Home, tmp_path: Path) -> None:
    with plain(tmp_path / "broker") as broker:
        heard = Heard(broker)
        url = ("--broker", f"mqtt://127.0.0.1:{broker.port}")
        assert "1 devices are asked to retry" in told("ask", "retry", "meter-3", *url).output
        told("ask", "report", "--label", "region=north", *url)
        told("ask", "resend", *url)
        orders = heard.wait(5)
        heard.stop()
    resent = [(f"meter-{n}", False, "resend") for n in (1, 2, 3)]
    others = [("meter-1", False, "report"), ("meter-3", False, "retry")]
    assert orders == sorted([*resent, *others])


def test_nobody_is_asked_in_vain(place: Home) -> None:
    with pytest.raises(LoopcastError, match="no device 'meter-9'"):
        told("ask", "report", "meter-1", "meter-9")
    with pytest.raises(LoopcastError, match="no device has these labels"):
        told("ask", "report", "meter-3", "--label", "region=north")
