"""A broker that comes with the centre, for trying things out on one machine.

It is iotcore's rumqttd, a process that ends with this one. By itself iotcore listens on every
interface, takes 20 KB a message and does not speak MQTT 5; each of that is set here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from loopcast.api import ConfigurationError, StoreError
from loopcast.fleet.broker import LARGEST

_ADDRESS = "127.0.0.1"
"""The only one that it listens on: whoever reaches it may read and write everything."""


@contextmanager
def embedded_broker(port: int) -> Iterator[str]:
    """Run a broker without certificates for this machine alone, and yield its URL.

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
        try:
            broker.start()
        except (OSError, RuntimeError) as error:
            raise StoreError(f"no broker at {_ADDRESS}:{port}: {error}") from None
        try:
            yield f"mqtt://{_ADDRESS}:{port}"
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
