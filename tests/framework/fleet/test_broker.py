"""The broker's configuration, on a real Mosquitto: who may connect, read and write."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID as Names

from loopcast.api import ConfigurationError
from loopcast.fleet.authority import (
    CENTRE,
    Authority,
    Identity,
    make_identity,
    make_lone_identity,
    open_authority,
)
from loopcast.fleet.broker import Listener, write_broker
from loopcast_edge.wire import topics

from .brokers import Broker, Peer, enrolling, secured

OWN = make_lone_identity(CENTRE)
"""Of the centre."""

MANIFEST = topics.manifest("ab" * 32)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("authority"), create=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Broker]:
    with secured(tmp_path_factory.mktemp("broker"), authority, OWN.certificate) as found:
        yield found


@pytest.fixture
def connect(tmp_path: Path, broker: Broker, authority: Authority) -> Iterator[Any]:
    peers: list[Peer] = []

    def connected(name: str, client: str = "", own: Identity | None = None) -> Peer:
        """Connect as a device or as the centre, each at its port."""
        port = broker.centre if name == CENTRE else broker.port
        own = own or (OWN if name == CENTRE else make_identity(authority, name))
        folder = tmp_path / str(len(peers))
        peers.append(Peer(folder, broker, authority, own, client, port=port))
        assert peers[-1].connected
        return peers[-1]

    yield connected
    for peer in peers:
        peer.stop()


def settle() -> None:
    time.sleep(0.3)


def is_admitted(
    folder: Path, broker: Broker, authority: Authority, own: Identity | None, port: int = 0
) -> bool:
    """Whether the broker lets a client in; it may refuse in the handshake or after it."""
    try:
        peer = Peer(folder, broker, authority, own, port=port)
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


class TestIdentifiers:
    """Whose connection ends when a client says that it is another."""

    @pytest.mark.parametrize("said", ["meter-1", "", "centre-1", CENTRE, "meter-1/#"])
    def test_a_device_ends_no_connection_but_its_own(self, connect: Any, said: str) -> None:
        victim, centre = connect("meter-1", "meter-1"), connect(CENTRE, "centre-1")
        victim.subscribe(topics.device("meter-1", "desired"))
        thief = connect("meter-2", said)
        thief.subscribe(topics.device("meter-1", "desired"), topics.device("meter-2", "desired"))
        centre.publish(topics.device("meter-1", "desired"), b"for one")
        centre.publish(topics.device("meter-2", "desired"), b"for two")
        settle()
        assert (victim.lost, centre.lost, thief.lost) == (0, 0, 0)
        assert victim.got == [(topics.device("meter-1", "desired"), b"for one")]
        assert thief.got == [(topics.device("meter-2", "desired"), b"for two")]

    def test_the_second_connection_of_a_certificate_ends_its_first(self, connect: Any) -> None:
        first = connect("meter-1", "meter-1")
        connect("meter-1", "meter-1-renewal")
        settle()
        assert first.lost

    def test_the_port_of_the_centre_is_for_its_certificate_alone(
        self, tmp_path: Path, broker: Broker, authority: Authority, connect: Any
    ) -> None:
        centre = connect(CENTRE, "centre-1")
        others = (
            None,
            make_identity(authority, "meter-1"),
            make_identity(authority, CENTRE),
            make_lone_identity(CENTRE),
        )
        for own in others:
            assert not is_admitted(tmp_path, broker, authority, own, broker.centre)
        assert not is_admitted(tmp_path, broker, authority, OWN)
        assert not centre.lost

    def test_what_waits_for_a_device_is_handed_to_no_other(
        self, tmp_path: Path, broker: Broker, authority: Authority, connect: Any
    ) -> None:
        topic = topics.device("meter-1", "desired")
        own, other = make_identity(authority, "meter-1"), make_identity(authority, "meter-2")

        def resumed(identity: Identity, *wanted: str) -> tuple[bool, list[tuple[str, bytes]]]:
            """Connect as the first device says that it is, for a moment."""
            peer = Peer(tmp_path, broker, authority, identity, "meter-1", session=60)
            peer.subscribe(*(wanted or (topics.KEYS,)))
            settle()
            peer.stop()
            return peer.resumed, peer.got

        assert resumed(own, topic) == (False, [])
        connect(CENTRE).publish(topic, b"for one")
        assert resumed(other) == (False, [])
        assert resumed(own) == (True, [(topic, b"for one")])

    def test_ports_have_to_differ(self) -> None:
        with pytest.raises(ConfigurationError, match="need four ports"):
            Listener(port=8886)
        with pytest.raises(ConfigurationError, match="need four ports"):
            Listener(enrolment=8885)


def test_a_revoked_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    own, other = make_identity(authority, "meter-3"), make_identity(authority, "meter-4")
    with secured(tmp_path / "broker", authority, OWN.certificate) as broker:
        assert is_admitted(tmp_path / "before", broker, authority, own)
        assert broker.listener is not None
        write_broker(
            tmp_path / "broker", authority, OWN.certificate, broker.listener, [own.certificate]
        )
        broker.kill()
        broker.start()
        assert not is_admitted(tmp_path / "after", broker, authority, own)
        assert is_admitted(tmp_path / "other", broker, authority, other)


def test_the_broker_s_certificate_is_made_anew_for_its_present_names(
    tmp_path: Path, authority: Authority
) -> None:
    found = []
    for hosts in (("localhost",), ("mqtt.example", "10.0.0.7")):
        write_broker(tmp_path, authority, OWN.certificate, Listener(hosts=hosts))
        file = tmp_path / "broker.pem"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        [names] = [
            e.value for e in certificate.extensions if e.oid == Names.SUBJECT_ALTERNATIVE_NAME
        ]
        found.append([str(each.value) for each in names])
    assert found == [["localhost"], ["mqtt.example", "10.0.0.7"]]


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[Broker, Broker]]:
    with enrolling(tmp_path_factory.mktemp("both"), authority, OWN.certificate) as found:
        yield found


class TestEnrolment:
    """What strangers, devices and the centre may do at the broker of enrolment."""

    ONE, TWO = "1" * 32, "2" * 32
    REQUEST, ANSWER = topics.enrolment(ONE, "request"), topics.enrolment(ONE, "answer")
    EVERYTHING = ("#", f"{topics.ROOT}/#", topics.enrolment("+", "request"), ANSWER, "$SYS/#",
                  f"$share/centre/{topics.ENROL}/#")  # fmt: skip

    @pytest.fixture
    def peer(
        self, tmp_path: Path, both: tuple[Broker, Broker], authority: Authority
    ) -> Iterator[Any]:
        peers: list[Peer] = []

        def connected(client: str, own: Identity | None = None) -> Peer:
            port = both[1].centre if own else both[1].port
            peers.append(Peer(tmp_path / client, both[1], authority, own, client, port=port))
            assert peers[-1].connected
            return peers[-1]

        yield connected
        for each in peers:
            each.stop()

    def test_strangers_ask_and_hear_as_themselves_only(self, peer: Any) -> None:
        one, two, centre = peer(self.ONE), peer(self.TWO), peer("centre-1", OWN)
        one.subscribe(self.ANSWER)
        two.subscribe(*self.EVERYTHING)
        centre.subscribe(topics.enrolment("+", "request"))
        one.publish(self.REQUEST, b"mine")
        for topic in (self.REQUEST, self.ANSWER, topics.KEYS, topics.device("meter-1", "presence")):
            two.publish(topic, b"forged")
        centre.publish(self.ANSWER, b"yours")
        settle()
        assert centre.got == [(self.REQUEST, b"mine")]
        assert one.got == [(self.ANSWER, b"yours")]
        assert two.got == []

    @pytest.mark.parametrize("name", ["+", "#", "1" * 32 + "/#"])
    def test_an_identifier_that_is_a_wildcard_opens_nothing(self, peer: Any, name: str) -> None:
        two, centre = peer(name), peer("centre-1", OWN)
        two.subscribe(*self.EVERYTHING, topics.enrolment("+", "answer"))
        centre.subscribe(topics.enrolment("+", "request"))
        two.publish(self.REQUEST, b"forged")
        centre.publish(self.ANSWER, b"not yours")
        settle()
        assert two.got == []
        assert centre.got == []

    def test_a_user_name_that_nobody_checks_opens_nothing(
        self, tmp_path: Path, both: tuple[Broker, Broker], authority: Authority, peer: Any
    ) -> None:
        one, centre = peer(self.ONE), peer("centre-1", OWN)
        one.subscribe(self.ANSWER)
        centre.subscribe(topics.enrolment("+", "request"))
        two = Peer(tmp_path, both[1], authority, None, self.TWO, user=CENTRE)
        two.subscribe(*self.EVERYTHING)
        two.publish(self.ANSWER, b"forged")
        one.publish(self.REQUEST, b"mine")
        settle()
        two.stop()
        assert (two.got, one.got, centre.got) == ([], [], [(self.REQUEST, b"mine")])

    def test_nothing_is_kept_for_strangers_and_nothing_large_taken(self, peer: Any) -> None:
        centre = peer("centre-1", OWN)
        centre.subscribe(topics.enrolment("+", "request"))
        for client, payload, retain in (
            (self.ONE, b"kept", True),
            (self.TWO, b"x" * 40_000, False),
        ):
            stranger = peer(client)
            stranger.client.publish(topics.enrolment(client, "request"), payload, 1, retain)
        settle()
        assert centre.got == []

    def test_who_takes_a_device_s_identifier_ends_no_connection_of_the_fleet(
        self, tmp_path: Path, both: tuple[Broker, Broker], authority: Authority, peer: Any
    ) -> None:
        own = make_identity(authority, "meter-1")
        device = Peer(tmp_path / "device", both[0], authority, own, "meter-1")
        peer("meter-1")
        settle()
        assert not device.lost
        assert device.client.is_connected()
        device.stop()

    def test_the_port_of_the_centre_is_for_its_certificate_alone(
        self, tmp_path: Path, both: tuple[Broker, Broker], authority: Authority
    ) -> None:
        for own in (None, make_identity(authority, "meter-1"), make_lone_identity(CENTRE)):
            assert not is_admitted(tmp_path, both[1], authority, own, both[1].centre)
