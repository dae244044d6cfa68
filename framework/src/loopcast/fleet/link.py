"""The centre's connection to the broker; the only module of the core's fleet that knows MQTT."""

from __future__ import annotations

import logging
import queue
import secrets
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from loopcast.api import ConfigurationError, StoreError
from loopcast_edge.wire import topics

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTMessageInfo
    from paho.mqtt.properties import Properties

LOGGER = logging.getLogger("loopcast.fleet")

DAY = 86_400
PATIENCE = 30.0
"""Seconds that a connection, or a confirmation by the broker, may take."""

_LOOK = 0.5
"""Seconds after which it is looked whether the broker is still there."""

_ADVICE = (
    "a centre connects to a port of its own, and 'loopcast fleet broker', which writes the "
    "broker's folder, says to which"
)

_WINDOW = 200
"""Messages on their way at once."""

FLEET = (
    f"$share/centre/{topics.ROOT}/device/+/up/#",
    topics.device("+", "reported"),
    topics.device("+", "presence"),
)
"""What a centre hears of devices: of what they send home each message goes to one centre."""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where the broker is, and as whom the centre connects.

    Attributes
    ----------
    url
        ``mqtts://host:8886``, or ``mqtt://host:1883`` without certificates.
    authority, identity
        For ``mqtts``: certificate of the fleet's authority, and the centre's key with its own.
    """

    url: str
    authority: Path | None = None
    identity: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message of the centre.

    Attributes
    ----------
    expires
        Seconds after which it is of no use; ``None`` for what the broker keeps.
    """

    topic: str
    payload: bytes
    retain: bool = True
    expires: int | None = None


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A message of a device, or of somebody who wants to be one."""

    topic: str
    payload: bytes


class Link:
    """A connection that comes back by itself.

    Parameters
    ----------
    broker
        Where it is.
    listen
        Topics that are wanted, such as :data:`FLEET`.

    Attributes
    ----------
    connections
        How often it was connected: a broker that was lost may have forgotten what it kept.

    Raises
    ------
    ConfigurationError
        When the URL or the certificates cannot be used.
    """

    def __init__(self, broker: Broker, *, listen: Sequence[str] = ()) -> None:
        self._parts = _parsed(broker.url)
        self._url, self._listen = broker.url, listen
        self._inbox: queue.SimpleQueue[Incoming] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._refusal = ""
        self.connections = 0
        self._client = _client()
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        if self._parts.scheme == "mqtts":
            self._client.tls_set_context(_tls(broker))
        elif self._parts.username:
            self._client.username_pw_set(self._parts.username, self._parts.password)

    def __enter__(self) -> Self:
        try:
            self._client.connect(self._parts.hostname or "", self._port, clean_start=True)
        except OSError as error:
            raise StoreError(f"{self._where}: {error}; is the broker running?") from None
        self._client.loop_start()
        if not self._ready.wait(PATIENCE) or self._refusal:
            self.__exit__()
            reason = self._refusal or f"no answer in {PATIENCE:g} s"
            raise StoreError(f"{self._where} did not let the centre in: {reason}")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, messages: Iterable[Outgoing]) -> int:
        """Publish messages, wait until the broker has all of them, and count them.

        Raises
        ------
        StoreError
            When the broker does not confirm them in time; some may have arrived.
        """
        sent = [self._publish(message) for message in messages]
        deadline = time.monotonic() + PATIENCE
        for info in sent:
            self._wait(info, deadline)
        return len(sent)

    def _wait(self, info: MQTTMessageInfo, deadline: float) -> None:
        """Wait until the broker has a message, or is lost."""
        try:
            while not info.is_published():
                if not self._client.is_connected():
                    raise StoreError(f"{self._where} was lost before it had every message")
                if time.monotonic() > deadline:
                    raise StoreError(f"{self._where} confirmed no message for {PATIENCE:g} s")
                info.wait_for_publish(_LOOK)
        except (RuntimeError, ValueError) as error:
            raise StoreError(f"{self._where}: a message was not sent: {error}") from None

    def _publish(self, message: Outgoing) -> MQTTMessageInfo:
        return self._client.publish(
            message.topic,
            message.payload,
            qos=1,
            retain=message.retain,
            properties=_expiring(message.expires),
        )

    def received(self, seconds: float, most: int = 5_000) -> list[Incoming]:
        """Return what devices have sent, after waiting so long for the first of it at most."""
        try:
            found = [self._inbox.get(timeout=seconds)]
        except queue.Empty:
            return []
        while len(found) < most:
            try:
                found.append(self._inbox.get_nowait())
            except queue.Empty:
                break
        return found

    @property
    def _port(self) -> int:
        return self._parts.port or (8886 if self._parts.scheme == "mqtts" else 1883)

    @property
    def _where(self) -> str:
        """The broker, without a password."""
        return f"broker {self._parts.scheme}://{self._parts.hostname}:{self._port}"

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: Any, _properties: Any
    ) -> None:
        self._refusal = str(reason) if reason.is_failure else ""
        if not self._refusal:
            self.connections += 1
            if self._listen:
                client.subscribe([(topic, _quality()) for topic in self._listen])
        self._ready.set()

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if not self._ready.is_set():  # a certificate is refused after the handshake
            self._refusal = f"{reason}; {_ADVICE}" if self._parts.scheme == "mqtts" else str(reason)
            self._ready.set()
        elif reason.is_failure:
            LOGGER.warning("%s was lost: %s", self._where, reason)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._inbox.put(Incoming(topic=message.topic, payload=bytes(message.payload)))


def _client() -> Client:
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    except ImportError:
        raise ConfigurationError(
            "the fleet needs paho-mqtt; install it with: pip install 'loopcast[edge]'"
        ) from None
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"centre-{secrets.token_hex(6)}",
        protocol=MQTTProtocolVersion.MQTTv5,
    )
    client.max_inflight_messages_set(_WINDOW)
    return client


def _expiring(seconds: int | None) -> Properties | None:
    """Return what lets the broker forget a message; nothing for one that it keeps."""
    if seconds is None:
        return None
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = seconds
    return properties


def _quality() -> Any:
    from paho.mqtt.subscribeoptions import SubscribeOptions

    return SubscribeOptions(qos=1)


def _parsed(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise ConfigurationError(
            f"{url!r} is no broker; use mqtts://HOST:PORT, or mqtt://HOST:PORT without certificates"
        )
    return parts


def _tls(broker: Broker) -> ssl.SSLContext:
    """Return what proves the broker to the centre, and the centre to the broker."""
    if broker.authority is None or broker.identity is None:
        raise ConfigurationError(f"{broker.url}: mqtts takes the fleet's authority and an identity")
    try:
        context = ssl.create_default_context(cafile=broker.authority)
        context.load_cert_chain(broker.identity)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{broker.url}: certificates in {broker.identity.parent}: {error}; "
            "'loopcast fleet keys make' makes them"
        ) from None
    return context
