"""The centre's connection: by certificate, confirmed, and clear about what is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loopcast.api import ConfigurationError, NotFoundError, StoreError
from loopcast.fleet.authority import make_identity
from loopcast.fleet.founding import authority_of, broker_of, centre_certificate, found
from loopcast.fleet.link import FLEET, Link, Outgoing
from loopcast.fleet.link import Broker as Address
from loopcast.store.home import Home
from loopcast_edge.wire import Presence, encode, topics

from ...edge.servers import free_port
from .brokers import Broker, Peer, secured


def test_the_centre_connects_by_its_certificate(place: Home, tmp_path: Path) -> None:
    found(place)
    topic, message = topics.device("meter-1", "presence"), encode(Presence(online=True, since=5))
    centre = centre_certificate(place)
    with secured(tmp_path / "broker", authority_of(place), centre) as broker:
        address = broker_of(place, f"mqtts://localhost:{broker.centre}")
        with Link(address, listen=FLEET) as link:
            assert link.send([Outgoing(topic=topics.KEYS, payload=b"keys")]) == 1
            own = make_identity(authority_of(place), "meter-1")
            device = Peer(tmp_path, broker, authority_of(place), own)
            device.publish(topic, message)
            device.stop()
            assert [each.topic for each in link.received(5.0)] == [topic]


def test_a_centre_at_the_port_of_devices_is_told_where_to_go(place: Home, tmp_path: Path) -> None:
    found(place)
    with secured(tmp_path / "broker", authority_of(place), centre_certificate(place)) as broker:
        address = broker_of(place, f"mqtts://localhost:{broker.port}")
        began = time.monotonic()
        with pytest.raises(StoreError, match="a port of its own, and 'loopcast fleet broker'"):
            Link(address).__enter__()
        assert time.monotonic() - began < 10.0


def test_a_fleet_of_an_older_loopcast_is_told_what_makes_its_certificate(place: Home) -> None:
    found(place)
    (place.folder / "fleet" / "certificates" / "centre-own.pem").unlink()
    with pytest.raises(NotFoundError, match=r"centre-own\.pem; .* 'loopcast fleet broker' does"):
        broker_of(place, "mqtts://localhost:8886")
    made = centre_certificate(place)
    assert centre_certificate(place) == made
    assert broker_of(place, "mqtts://localhost:8886").identity


def test_what_is_wrong_is_said(place: Home, broker: Broker) -> None:
    with pytest.raises(ConfigurationError, match="is no broker; use mqtts://"):
        Link(Address(url="http://localhost"))
    with pytest.raises(NotFoundError, match="fleet keys make"):
        broker_of(place, "mqtts://localhost:8883")
    link = Link(Address(url=f"mqtt://secret:word@127.0.0.1:{free_port()}"))
    with pytest.raises(StoreError, match="is the broker running") as caught:
        link.__enter__()
    assert "word" not in str(caught.value)
