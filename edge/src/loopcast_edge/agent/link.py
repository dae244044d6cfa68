"""MQTT: the one module that knows paho.

A :class:`BrokerLink` tells a listener what happens. On a device paho's own thread drives it; many
in one process are driven by the loop that they share.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from random import Random
from typing import Any, Optional, Protocol

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from loopcast_edge.agent.backoff import delay
from loopcast_edge.agent.errors import EdgeError, SettingsError
from loopcast_edge.agent.settings import Broker

LOG = logging.getLogger(__name__)
LONGEST_PACKET = 300_000
"""Bytes of the longest packet that is taken; the broker keeps longer ones to itself."""


ASKED_FOR_S, ASKED_AGAIN_S = 60.0, 5.0
"""How long an answer is waited for, and after how long a question is asked again."""

_HUNG_UP = (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What a broker does that has as many connections as it takes."""


class Listener(Protocol):
    """Whom a link tells what happens."""

    def will(self) -> tuple[str, bytes]:
        """Return topic and payload of the last will."""

    def connected(self) -> None:
        """The connection stands."""

    def disconnected(self) -> None:
        """The connection is lost."""

    def received(self, topic: str, payload: bytes) -> None:
        """A message has come."""


class BrokerLink:
    """A connection to a broker, made anew whenever it is lost.

    Parameters
    ----------
    broker
        Its settings.
    name
        Client's name: the device's.
    listener
        Is told what happens, in the thread that drives the link.

    Raises
    ------
    SettingsError
        If a file of TLS cannot be used.
    """

    def __init__(self, broker: Broker, name: str, listener: Listener, random: Random) -> None:
        self._broker, self._listener, self._random = broker, listener, random
        self._failures = 0
        client = _client(name)
        self._context = _secure(client, broker)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_message = self._on_message
        self.client = client

    @property
    def failures(self) -> int:
        """How often in a row it was not connected."""
        return self._failures

    def start(self) -> None:
        """Connect, and stay connected, by a thread."""
        self._set_will()
        self.client.connect_async(**self._where())
        self.client.loop_start()

    def stop(self) -> None:
        """Send what is queued, and end connection and thread."""
        self.client.disconnect()
        self.client.loop_stop()

    def connect(self) -> None:
        """Connect once, for a loop that drives the link itself.

        Raises
        ------
        OSError
            If the broker cannot be reached.
        """
        self._set_will()
        self.client.connect(**self._where())

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at least once."""
        self.client.publish(topic, payload, qos=1, retain=retain)

    def subscribe(self, names: Sequence[str], *, sure: bool = False) -> None:
        """Subscribe to topics; what is retained there comes in their order."""
        self.client.subscribe([(name, SubscribeOptions(qos=int(sure))) for name in names])

    def unsubscribe(self, names: Sequence[str]) -> None:
        """Subscribe to topics no more."""
        if names:
            self.client.unsubscribe(list(names))

    def pause_s(self) -> float:
        """Return how long to wait before the next attempt to connect."""
        return delay(self._failures, self._random)

    def _where(self) -> dict[str, Any]:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = LONGEST_PACKET
        return {
            "host": self._broker.host,
            "port": self._broker.port,
            "keepalive": self._broker.keepalive_s,
            "clean_start": True,
            "properties": properties,
        }

    def _set_will(self) -> None:
        topic, payload = self._listener.will()
        self.client.will_set(topic, payload, qos=1, retain=True)

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            LOG.warning("%s:%d: %s", self._broker.host, self._broker.port, reason)
            self.failed()
            return
        LOG.info("connected to %s:%d", self._broker.host, self._broker.port)
        self._failures = 0
        self._listener.connected()

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        LOG.info("disconnected from %s:%d: %s", self._broker.host, self._broker.port, reason)
        self.failed()
        self._listener.disconnected()

    def _on_connect_fail(self, _c: Any, _u: Any) -> None:
        LOG.info("%s:%d cannot be reached", self._broker.host, self._broker.port)
        self.failed()

    def failed(self) -> None:
        """Have paho's thread wait, longer and longer and never in step with other devices.

        The certificate may have been renewed since the last attempt.
        """
        if self._context is not None:
            try:
                _show(self._context, self._broker)
            except (OSError, ssl.SSLError) as error:
                LOG.warning("the certificate stays as it was: %s", error)
        self._failures += 1
        pause = self.pause_s()
        self.client.reconnect_delay_set(pause, pause)  # type: ignore[arg-type]
        self._set_will()

    def _on_message(self, _c: Any, _u: Any, message: MQTTMessage) -> None:
        self._listener.received(message.topic, bytes(message.payload))


def ask(client: Client, where: tuple[str, int], question: tuple[str, bytes], answer: str) -> bytes:
    """Publish a question, again every few seconds, until something comes on the answer's topic.

    A broker that knows a device by its certificate ends the agent's connection meanwhile. The agent
    comes back within seconds, and may end this one, which comes again no faster than it asks.

    Parameters
    ----------
    client
        As :func:`stranger` or :func:`known` make it.
    where
        Host and port.
    question
        Topic and payload.

    Raises
    ------
    EdgeError
        If the broker cannot be reached, or nothing comes in time.
    """
    came: SimpleQueue[Optional[bytes]] = SimpleQueue()
    reasons = ["does one serve there?"]

    def on_connect(_c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            reasons.append(str(reason))
        else:
            client.subscribe(answer, qos=1)

    def on_disconnect(_c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            reasons.append(str(reason))

    client.on_connect, client.on_disconnect = on_connect, on_disconnect
    client.on_subscribe = lambda *_: came.put(None)  # what is said before would not be answered
    client.on_message = lambda _c, _u, message: came.put(bytes(message.payload))
    client.reconnect_delay_set(ASKED_AGAIN_S, ASKED_AGAIN_S)  # type: ignore[arg-type]
    end = time.monotonic() + ASKED_FOR_S
    _connect(client, where, end)
    client.loop_start()
    try:
        while time.monotonic() < end:
            found = _next(came)
            if found is not None:
                return found
            client.publish(*question, qos=1)
    finally:
        client.disconnect()
        client.loop_stop()
    raise EdgeError("{}:{}: no centre answered: {}".format(*where, reasons[-1]))


def _connect(client: Client, where: tuple[str, int], end: float) -> None:
    """Connect; a broker that hangs up may have no place left, and has one when others leave."""
    while True:
        try:
            client.connect(*where)
            return
        except OSError as error:
            if not isinstance(error, _HUNG_UP) or time.monotonic() > end:
                raise EdgeError("{}:{} cannot be reached: {}".format(*where, error)) from None
        time.sleep(ASKED_AGAIN_S)


def _next(came: SimpleQueue[Optional[bytes]]) -> Optional[bytes]:
    """Return an answer, or nothing where it is time to ask, for the first time or again."""
    try:
        return came.get(timeout=ASKED_AGAIN_S)
    except Empty:
        return None


def stranger(name: str) -> Client:
    """Return a client without a certificate, which believes any broker: what it says is sealed."""
    client = _client(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client.tls_set_context(context)
    return client


def known(broker: Broker, name: str) -> Client:
    """Return a client that the broker knows by its certificate.

    Raises
    ------
    SettingsError
        If a file of TLS cannot be used.
    """
    client = _client(name)
    _secure(client, broker)
    return client


class Local:
    """The broker beside the device: measurements come from a topic, predictions go to one.

    Parameters
    ----------
    host, port
        Of the broker.
    topic
        Of the measurements; empty to subscribe to nothing.
    heard
        Takes each payload, in paho's thread.
    """

    def __init__(self, host: str, port: int, topic: str, heard: Callable[[bytes], None]) -> None:
        self._client = _client("")
        self._topic, self._heard = topic, heard
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect_async(host, port)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish a prediction; without a connection nobody hears it."""
        self._client.publish(topic, payload, qos=0)

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if not reason.is_failure and self._topic:
            self._client.subscribe(self._topic, qos=1)

    def _on_message(self, _c: Any, _u: Any, message: MQTTMessage) -> None:
        self._heard(bytes(message.payload))


def _client(name: str) -> Client:
    return Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)


def _secure(client: Client, broker: Broker) -> Optional[ssl.SSLContext]:
    """Set what the broker is to be recognised by, and the device by the broker."""
    try:
        if broker.username is not None:
            password = None
            if broker.password_file is not None:
                password = broker.password_file.read_text().split("\n", 1)[0]
            client.username_pw_set(broker.username, password)
        if broker.ca is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(broker.ca)
        _show(context, broker)
        client.tls_set_context(context)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SettingsError(f"broker: its files cannot be used: {error}") from None
    return context


def _show(context: ssl.SSLContext, broker: Broker) -> None:
    """Have the device show the certificate that is in its file now."""
    if broker.certificate is not None:
        context.load_cert_chain(broker.certificate, broker.key)
