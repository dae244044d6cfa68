"""A real Mosquitto on a free port, for the tests of the fleet."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from loopcast.fleet.authority import Authority, Identity
from loopcast.fleet.broker import Listener, write_broker

from ...edge.servers import free_port, mosquitto


@dataclass
class Broker:
    """A Mosquitto that can be killed, started again, and told to read its files again."""

    configuration: Path
    port: int
    centre: int = 0
    """The port of the centre, where it has one of its own; it is listened on last."""
    listener: Listener | None = None
    """What it was configured by, to write its files anew."""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log_file = self.configuration.with_suffix(".log")
        with log_file.open("ab") as log:
            self.process = subprocess.Popen([mosquitto(), "-c", self.configuration], stderr=log)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.centre or self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(log_file.read_text())

    def kill(self) -> None:
        """Stop it as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def secured(folder: Path, authority: Authority, centre: bytes) -> Iterator[Broker]:
    """Run a Mosquitto as `loopcast fleet broker` configures it."""
    listener = _local_listener()
    configuration = write_broker(folder, authority, centre, listener)
    with _running(Broker(configuration, listener.port, listener.centre, listener)) as broker:
        yield broker


@contextmanager
def enrolling(folder: Path, authority: Authority, centre: bytes) -> Iterator[tuple[Broker, Broker]]:
    """Run the Mosquitto of the fleet and that of enrolment, as they are configured."""
    with secured(folder, authority, centre) as broker:
        assert broker.listener is not None
        port = broker.listener.enrolment
        own = broker.configuration.with_name("enrolment.conf")
        with _running(Broker(own, port, port + 1)) as aside:
            yield broker, aside


def _local_listener() -> Listener:
    """Free ports of this machine; that of enrolment takes the one after it too."""
    user = "root" if os.geteuid() == 0 else ""
    while True:
        port, centre, enrolment = (free_port() for _ in range(3))
        with socket.socket() as probe:
            free = probe.connect_ex(("127.0.0.1", enrolment + 1))
        if free and len({port, centre, enrolment, enrolment + 1}) == 4:
            break
    return Listener(port=port, centre=centre, address="127.0.0.1", user=user, enrolment=enrolment)


@contextmanager
def _running(broker: Broker) -> Iterator[Broker]:
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


@contextmanager
def plain(folder: Path) -> Iterator[Broker]:
    """Run a Mosquitto without certificates, in which the user name is not checked."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 20000\n"
        "max_inflight_messages 200\n"
    )
    with _running(Broker(configuration, port)) as broker:
        yield broker


def retained(broker: Broker, below: str) -> set[str]:
    """Topics that a broker without certificates keeps a message on."""
    found: set[str] = set()
    done = threading.Event()

    def hear(_client: Client, _data: Any, message: MQTTMessage) -> None:
        found.add(message.topic)
        if not message.retain:
            done.set()  # sent after all that is retained

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda own, *_: own.subscribe(f"{below}/#", qos=1)
    client.on_subscribe = lambda own, *_: own.publish(f"{below}/end", b"x", qos=1)
    client.on_message = hear
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert done.wait(5.0)
    client.disconnect()
    client.loop_stop()
    return found - {f"{below}/end"}


def tls_context(folder: Path, authority: Authority, own: Identity | None) -> ssl.SSLContext:
    """What a client needs to be known to the broker."""
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if own is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "client.pem"
        file.write_bytes(own.key + own.certificate)
        context.load_cert_chain(file)
    return context


class Peer:
    """A client that keeps what it gets, and how often its connection ended.

    With a session of so many seconds, what came while it was away is waiting for it.
    """

    def __init__(
        self, folder: Path, broker: Broker, authority: Authority, own: Identity | None,
        name: str = "", *, user: str = "", port: int = 0, session: int = 0,
    ):  # fmt: skip
        self.got: list[tuple[str, bytes]] = []
        self.connected = self.resumed = False
        self.lost = 0
        self._answered = threading.Event()
        self.client = Client(
            CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )  # fmt: skip
        if user:
            self.client.username_pw_set(user)
        self.client.tls_set_context(tls_context(folder, authority, own))
        self.client.on_message = self._on_message
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = session
        self.client.connect(
            "127.0.0.1", port or broker.port, clean_start=not session, properties=properties
        )
        self.client.loop_start()
        self._answered.wait(5.0)

    def _on_connect(self, _client: Any, _data: Any, flags: Any, *_: Any) -> None:
        self.connected, self.resumed = True, flags.session_present
        self._answered.set()

    def _on_disconnect(self, *_: Any) -> None:
        self.lost += 1
        self._answered.set()

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        self.got.append((message.topic, bytes(message.payload)))

    def subscribe(self, *names: str) -> None:
        """Ask to hear of topics, and wait for the broker's word."""
        done = threading.Event()
        self.client.on_subscribe = lambda *_: done.set()
        self.client.subscribe([(name, SubscribeOptions(qos=1)) for name in names])
        assert done.wait(5.0)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5.0)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
