"""The broker that comes with the centre: what the fleet needs of one, on this machine alone."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from loopcast.api import ConfigurationError, StoreError
from loopcast.fleet.embedded import embedded_broker
from loopcast.fleet.link import FLEET, Broker, Link, Outgoing
from loopcast_edge.wire import topics
from loopcast_edge.wire.batches import Batch

from ...edge.servers import free_port
from .fake import wait_for

DESIRED = topics.device("meter-1", "desired")
PRESENCE = topics.device("meter-1", "presence")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with embedded_broker(free_port()) as found:
        yield found.url


class Listener:
    """A client that keeps what it gets, and whether it was kept for it."""

    def __init__(self, url: str, *topics: str) -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.will_set(PRESENCE, b"gone", qos=1, retain=True)
        self.client.on_message = self._on_message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect("127.0.0.1", urlsplit(url).port or 0)
        self.client.loop_start()
        self.client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        assert subscribed.wait(5.0)

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        self.got.append((message.topic, bytes(message.payload), message.retain))

    def lose(self) -> None:
        """End without a word."""
        self.client.loop_stop()
        held = self.client.socket()
        assert held is not None
        held.close()


def reachable(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def test_it_keeps_the_longest_message_until_it_is_cleared(url: str) -> None:
    longest = bytes(Batch.most_bytes)
    with Link(Broker(url=url)) as link:
        link.send([Outgoing(topic=DESIRED, payload=longest)])
        early = Listener(url, DESIRED)
        wait_for(lambda: early.got == [(DESIRED, longest, True)], lambda: None, 5)
        link.send([Outgoing(topic=DESIRED, payload=b"")])
        wait_for(lambda: early.got[1:] == [(DESIRED, b"", False)], lambda: None, 5)
        late = Listener(url, DESIRED, PRESENCE)
        link.send([Outgoing(topic=DESIRED, payload=b"new")])
        wait_for(lambda: late.got == [(DESIRED, b"new", False)], lambda: None, 5)


def test_centres_share_what_comes_home_and_all_hear_of_a_loss(url: str) -> None:
    uplinks = topics.device("meter-1", "up/events")
    with (
        Link(Broker(url=url), listen=FLEET) as one,
        Link(Broker(url=url), listen=FLEET) as two,
    ):
        device = Listener(url, DESIRED)
        heard: tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]] = ([], [])

        def listen() -> None:
            for link, messages in zip((one, two), heard, strict=True):
                messages += [(each.topic, each.payload) for each in link.received(0.05)]

        sent = [(uplinks, b"%d" % number) for number in range(20)]
        for topic, payload in sent:
            device.client.publish(topic, payload, qos=1).wait_for_publish(5.0)
        device.lose()
        wait_for(lambda: all((PRESENCE, b"gone") in each for each in heard), listen, 5)
    shared = [message for each in heard for message in each if message[0] == uplinks]
    assert sorted(shared) == sorted(sent)


def test_it_is_reached_by_the_loopback_address_alone_and_while_it_is_wanted() -> None:
    port = free_port()
    with embedded_broker(port):
        assert reachable("127.0.0.1", port)
        assert not reachable("127.0.0.2", port)  # as any other address of this machine
        with pytest.raises(StoreError, match=rf"no broker at 127\.0\.0\.1:{port}"):
            embedded_broker(port).__enter__()
    assert not reachable("127.0.0.1", port)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iotcore", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'loopcast\[broker\]'"):
        embedded_broker(1883).__enter__()
