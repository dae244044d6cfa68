"""How alerts are delivered: by log, webhook and MQTT.

A channel that fails does not keep the others from delivering; it is tried again the next time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec

from loopcast.api import Alert, ConfigurationError, StoreError

if TYPE_CHECKING:
    from loopcast.monitor.alerts import AlertBook

LOGGER = logging.getLogger("loopcast.alerts")
TIMEOUT = 10.0

_LEVELS = {"notice": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}


class Channel(Protocol):
    """A way to tell somebody."""

    @property
    def name(self) -> str:
        """Under which a delivery is noted; without a secret."""
        ...

    def send(self, alert: Alert) -> None:
        """Deliver an alert.

        Raises
        ------
        StoreError
            When it was not taken.
        """
        ...


@dataclass(frozen=True)
class LogChannel:
    """Writes to the logger ``loopcast.alerts``."""

    name: str = "log"

    def send(self, alert: Alert) -> None:
        """Write one line."""
        where = "/".join(part for part in (alert.logical_model, alert.segment) if part)
        LOGGER.log(
            _LEVELS[alert.severity], "%s %s: %s (%s)", alert.severity, where, alert.cause, alert.id
        )


@dataclass(frozen=True)
class WebhookChannel:
    """Posts the alert as JSON."""

    url: str

    @property
    def name(self) -> str:
        """Host and path: the query may hold a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{parts.path}"

    def send(self, alert: Alert) -> None:
        """Post it; any answer but success is a failure."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": alert.id}
        request = Request(self.url, _content(alert), headers)
        try:
            with urlopen(request, timeout=TIMEOUT):
                pass
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise StoreError(f"{self.name} did not take alert {alert.id}: {reason}") from None


@dataclass(frozen=True)
class MqttChannel:
    """Publishes the alert as JSON at QoS 1, under ``TOPIC/logical model/id``."""

    url: str

    @property
    def name(self) -> str:
        """Host and topic, without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or 1883}{parts.path}"

    def send(self, alert: Alert) -> None:
        """Publish it, and wait until the broker has it."""
        try:
            from paho.mqtt import MQTTException
            from paho.mqtt.publish import single
        except ImportError:
            raise StoreError(
                "alerts by MQTT need paho-mqtt; install it with: pip install 'loopcast[mqtt]'"
            ) from None
        # It calls the end of every publication an error; what fails is raised.
        logging.getLogger("paho.mqtt.client").setLevel(logging.CRITICAL)
        parts = urlsplit(self.url)
        auth = {"username": parts.username, "password": parts.password} if parts.username else None
        topic = f"{parts.path.strip('/') or 'loopcast/alerts'}/{alert.logical_model}/{alert.id}"
        try:
            single(
                topic,
                _content(alert),
                qos=1,
                hostname=parts.hostname or "localhost",
                port=parts.port or 1883,
                auth=auth,  # type: ignore[arg-type]
            )
        except (OSError, MQTTException) as error:
            raise StoreError(f"{self.name} did not take alert {alert.id}: {error}") from None


def channel_of(url: str) -> Channel:
    """Return the channel that a URL names: ``log``, ``https://…`` or ``mqtt://…``.

    Raises
    ------
    ConfigurationError
        When it names none.

    Examples
    --------
    >>> channel_of("mqtt://user:secret@broker/plant/alerts").name
    'mqtt://broker:1883/plant/alerts'
    """
    scheme = urlsplit(url).scheme
    if url == "log":
        return LogChannel()
    if scheme in {"http", "https"}:
        return WebhookChannel(url)
    if scheme == "mqtt":
        return MqttChannel(url)
    raise ConfigurationError(
        f"{scheme or url!r} is no channel of alerts; use log, http://, https:// or mqtt://"
    )


def deliver(
    alerts: Iterable[Alert], channels: Sequence[Channel], book: AlertBook
) -> tuple[str, ...]:
    """Deliver alerts by each channel that has not taken them yet; return what failed."""
    failures = []
    for raised in alerts:
        alert = raised
        for channel in channels:
            if channel.name in alert.delivered:
                continue
            try:
                channel.send(alert)
            except StoreError as error:
                failures.append(str(error))
            else:
                alert = book.delivered(alert, channel.name)
    return tuple(failures)


def _content(alert: Alert) -> bytes:
    return msgspec.json.encode({"id": alert.id, **msgspec.to_builtins(alert)})
