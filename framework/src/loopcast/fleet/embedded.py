"""A broker that comes with the centre, for trying things out on one machine.

It is iotcore's rumqttd, a process that ends with this one. By itself iotcore listens on every
interface, takes 20 KB a message and does not speak MQTT 5; each of that is set here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from loopcast.api import ConfigurationError, StoreError
from loopcast.fleet.broker import LARGEST

if TYPE_CHECKING:
    from iotcore import Broker

LOGGER = logging.getLogger(__name__)

_ADDRESS = "127.0.0.1"
"""The only one that it listens on: whoever reaches it may read and write everything."""

MOST_DEATHS, WITHIN = 3, 60.0
"""A broker that dies so often in so many seconds is not started again."""


@dataclass(eq=False)
class EmbeddedBroker:
    """A broker that was started; see `embedded_broker`.

    Attributes
    ----------
    port
        Where it listens.
    """

    port: int
    _broker: Broker
    _deaths: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where clients on this machine find it."""
        return f"mqtt://{_ADDRESS}:{self.port}"

    def revive(self) -> None:
        """Start it again if it has died; the centre then publishes anew what it kept.

        Raises
        ------
        StoreError
            When it dies again and again, or does not start.
        """
        if self._broker.is_running:
            return
        now = time.monotonic()
        self._deaths = [*(one for one in self._deaths if one > now - WITHIN), now]
        if len(self._deaths) >= MOST_DEATHS:
            raise StoreError(
                f"the embedded broker at port {self.port} died {len(self._deaths)} times in "
                f"{WITHIN:g} s, and is not started again; what it said is above"
            )
        self.start()
        LOGGER.warning("the embedded broker at port %d died, and was started again", self.port)

    def start(self) -> None:
        """Start it, and wait until it listens.

        Raises
        ------
        StoreError
            When the port is taken, or it does not start.
        """
        try:
            self._broker.start()
        except (OSError, RuntimeError) as error:
            raise StoreError(f"no broker at {_ADDRESS}:{self.port}: {error}") from None


@contextmanager
def embedded_broker(port: int) -> Iterator[EmbeddedBroker]:
    """Run a broker without certificates for this machine alone.

    It keeps everything in memory, and forgets it at the end of the block.

    Raises
    ------
    ConfigurationError
        When iotcore is not installed.
    StoreError
        When the port is taken, or the broker does not start.
    """
    try:
        from iotcore import Broker
    except ImportError:
        raise ConfigurationError(
            "a broker of its own needs iotcore; install it with: pip install 'loopcast[broker]'"
        ) from None
    with TemporaryDirectory() as folder:
        file = Path(folder) / "broker.toml"
        file.write_text(_configuration(port))
        broker = Broker(port, _ADDRESS, config_path=str(file))
        started = EmbeddedBroker(port, broker)
        started.start()
        try:
            yield started
        finally:
            broker.stop()


def _configuration(port: int) -> str:
    """Return the configuration of rumqttd, in TOML."""
    return f"""
id = 0

[router]
id = 0
max_connections = 10000
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10

[v5.1]
name = "fleet"
listen = "{_ADDRESS}:{port}"
next_connection_delay_ms = 0

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {LARGEST}
max_inflight_count = 200
dynamic_filters = true
"""
