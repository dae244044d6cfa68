"""The agent's process at a broker that knows devices by their certificates."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loopcast.fleet.authority import (
    CENTRE,
    Authority,
    make_identity,
    make_lone_identity,
    open_authority,
)
from loopcast_edge.wire import Reported, Trial, decode, encode, topics

from ...edge.brokers import until
from ...edge.centre import Centre, Package, desired
from ...framework.fleet.brokers import Broker, Peer, secured

pytestmark = pytest.mark.slow

SETTINGS = """
device = "{name}"
state = "state"
root = "root"
report_s = 0.5
[broker]
host = "127.0.0.1"
port = {port}
ca = "ca.pem"
certificate = "own.pem"
key = "own.key"
"""


@contextmanager
def agent(
    folder: Path, broker: Broker, trusted: Authority, signer: Authority, name: str
) -> Iterator[Path]:
    """Run an agent with a certificate of a signer; give its log."""
    folder.mkdir()
    own = make_identity(signer, name)
    (folder / "ca.pem").write_bytes(trusted.pem)
    (folder / "own.pem").write_bytes(own.certificate)
    (folder / "own.key").write_bytes(own.key)
    (folder / "root").write_bytes(encode(Centre().root))
    (folder / "agent.toml").write_text(SETTINGS.format(name=name, port=broker.port))
    log = folder / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "loopcast_edge", "run", "--config", str(folder / "agent.toml")],
            stdin=subprocess.PIPE,
            stderr=errors,
        )
        try:
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def publish(peer: Peer, package: Package, name: str) -> None:
    centre = Centre()
    peer.publish(topics.KEYS, centre.keys(), retain=True)
    for topic, payload in package.retained().items():
        peer.publish(topic, payload, retain=True)
    peer.publish(topics.device(name, "desired"), desired(1, package), retain=True)


def test_a_device_is_known_by_its_certificate_and_a_stranger_not_at_all(tmp_path: Path) -> None:
    authority = open_authority(tmp_path / "authority", create=True)
    strangers = open_authority(tmp_path / "strangers", create=True)
    own = make_lone_identity(CENTRE)
    package = Centre().package(trial=Trial(seconds=0, predictions=0))
    with secured(tmp_path / "broker", authority, own.certificate) as broker:
        peer = Peer(tmp_path / "centre", broker, authority, own, port=broker.centre)
        peer.client.subscribe(topics.device("+", "reported"), qos=1)
        publish(peer, package, "meter-7")

        def stages() -> set[tuple[str, str]]:
            reports = [
                (topics.origin(topic).device, decode(text, Reported)) for topic, text in peer.got
            ]
            return {(name, each.stage) for name, said in reports for each in said.packages}

        with agent(tmp_path / "own", broker, authority, authority, "meter-7") as log:
            until(lambda: ("meter-7", "running") in stages(), "the device runs its package")
            other = make_identity(authority, "meter-8")
            thief = Peer(tmp_path / "thief", broker, authority, other, "meter-7")
            assert thief.connected
            time.sleep(1.0)  # it would be thrown off at once
            assert "disconnected" not in log.read_text()
            thief.stop()
        with agent(tmp_path / "stranger", broker, authority, strangers, "meter-8") as log:
            until(
                lambda: "disconnected" in log.read_text() or "reached" in log.read_text(),
                "it is refused",
            )
            assert "connected to" not in log.read_text()
        with agent(tmp_path / "deceived", broker, strangers, authority, "meter-9") as log:
            until(lambda: "cannot be reached" in log.read_text(), "it refuses a false broker")
        assert {name for name, _ in stages()} == {"meter-7"}
        peer.stop()
