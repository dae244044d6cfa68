"""The broker's configuration, on a real Mosquitto: who may connect, read and write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loopcast.fleet.authority import (
    CENTRE,
    Authority,
    Identity,
    make_identity,
    open_authority,
)
from loopcast.fleet.broker import Listener, write_broker
from loopcast_edge.wire import topics

from .brokers import Broker, Peer, secured

MANIFEST = topics.manifest("ab" * 32)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("authority"), create=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Broker]:
    with secured(tmp_path_factory.mktemp("broker"), authority) as found:
        yield found


@pytest.fixture
def connect(tmp_path: Path, broker: Broker, authority: Authority) -> Iterator[Any]:
    peers: list[Peer] = []

    def connected(name: str) -> Peer:
        folder = tmp_path / name
        peers.append(Peer(folder, broker, authority, make_identity(authority, name)))
        assert peers[-1].connected
        return peers[-1]

    yield connected
    for peer in peers:
        peer.stop()


def settle() -> None:
    time.sleep(0.3)


def is_admitted(folder: Path, broker: Broker, authority: Authority, own: Identity | None) -> bool:
    """Whether the broker lets a client in; it may refuse in the handshake or after it."""
    try:
        peer = Peer(folder, broker, authority, own)
    except OSError:
        return False
    peer.stop()
    return peer.connected


def test_only_certificates_of_the_fleet_are_let_in(
    tmp_path: Path, broker: Broker, authority: Authority
) -> None:
    other = open_authority(tmp_path / "other", create=True)
    forged, own = make_identity(other, "meter-1"), make_identity(authority, "meter-1")
    assert [
        is_admitted(tmp_path / str(number), broker, authority, identity)
        for number, identity in enumerate((None, forged, own))
    ] == [False, False, True]


def test_each_device_reads_what_is_its_own_or_for_all(connect: Any) -> None:
    one, two, centre = connect("meter-1"), connect("meter-2"), connect(CENTRE)
    for peer in (one, two):
        for topic in (f"{topics.ROOT}/#", topics.device("meter-1", "desired"), topics.KEYS):
            peer.client.subscribe(topic, qos=1)
    settle()
    for topic in (topics.device("meter-1", "desired"), topics.KEYS, MANIFEST):
        centre.publish(topic, topic.encode())
    settle()
    assert {topic for topic, _ in one.got} == {
        topics.device("meter-1", "desired"), topics.KEYS, MANIFEST}  # fmt: skip
    assert {topic for topic, _ in two.got} == {topics.KEYS, MANIFEST}


def test_a_device_writes_as_itself_only(connect: Any) -> None:
    one, two, centre = connect("meter-1"), connect("meter-2"), connect(CENTRE)
    centre.client.subscribe(f"{topics.ROOT}/#", qos=1)
    settle()
    for channel in topics.UPWARD:
        one.publish(topics.device("meter-1", channel), b"mine")
        two.publish(topics.device("meter-1", channel), b"forged")
    settle()
    assert centre.got == [(topics.device("meter-1", each), b"mine") for each in topics.UPWARD]


def test_a_device_cannot_write_what_the_centre_does(connect: Any) -> None:
    one, centre = connect("meter-1"), connect(CENTRE)
    centre.client.subscribe(f"{topics.ROOT}/#", qos=1)
    settle()
    for topic in (topics.device("meter-1", "desired"), topics.KEYS, MANIFEST):
        one.publish(topic, b"forged", retain=True)
    settle()
    assert centre.got == []


def test_centres_share_what_devices_send(connect: Any) -> None:
    one, first, second = connect("meter-1"), connect(CENTRE), connect(CENTRE)
    for centre in (first, second):
        centre.client.subscribe(f"$share/centre/{topics.device('+', 'up/events')}", qos=1)
    settle()
    for number in range(10):
        one.publish(topics.device("meter-1", "up/events"), b"%d" % number)
    settle()
    assert sorted(payload for _, payload in first.got + second.got) == [
        b"%d" % number for number in range(10)
    ]


def test_a_revoked_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    own, other = make_identity(authority, "meter-3"), make_identity(authority, "meter-4")
    with secured(tmp_path / "broker", authority) as broker:
        assert is_admitted(tmp_path / "before", broker, authority, own)
        user = "root" if "user root" in broker.configuration.read_text() else ""
        listener = Listener(port=broker.port, address="127.0.0.1", user=user)
        write_broker(tmp_path / "broker", authority, listener, [own.certificate])
        broker.kill()
        broker.start()
        assert not is_admitted(tmp_path / "after", broker, authority, own)
        assert is_admitted(tmp_path / "other", broker, authority, other)
