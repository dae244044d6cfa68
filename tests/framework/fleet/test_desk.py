"""Strangers at the real broker of enrolment: who is invited, who is not, and who listens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from loopcast.api import StoreError
from loopcast.fleet import desk as desks
from loopcast.fleet.desk import Desk, open_desk, renewals
from loopcast.fleet.enrolment import invite
from loopcast.fleet.founding import authority_of, centre_certificate, found
from loopcast.fleet.link import Incoming, Outgoing
from loopcast.store.home import Home
from loopcast_edge.wire import (
    Admission,
    Application,
    Presence,
    Refusal,
    Renewed,
    Sealed,
    SealKey,
    decode,
    encode,
    seal,
    topics,
    unseal,
)
from loopcast_edge.wire.codec import kind_of

from ...edge.brokers import until
from .brokers import Broker, Peer, enrolling
from .test_enrolment import new_request

ONE, TWO = "1" * 32, "2" * 32
OWN = SealKey(bytes(range(32)))


@pytest.fixture
def aside(place: Home, tmp_path: Path) -> Iterator[Broker]:
    found(place)
    own = centre_certificate(place)
    with enrolling(tmp_path / "broker", authority_of(place), own) as (_, aside):
        yield aside


@pytest.fixture
def desk(place: Home, aside: Broker) -> Iterator[Desk]:
    with open_desk(place, f"mqtts://localhost:{aside.centre}") as desk:
        yield desk


@pytest.fixture
def stranger(place: Home, aside: Broker, tmp_path: Path) -> Iterator[Callable[..., Peer]]:
    """Connects clients without a certificate, which hear what they may of some topics."""
    with ExitStack() as stack:

        def connected(visitor: str, *names: str) -> Peer:
            peer = Peer(tmp_path, aside, authority_of(place), None, visitor)
            stack.callback(peer.stop)
            peer.subscribe(*(names or (topics.enrolment(visitor, "answer"),)))
            return peer

        yield connected


def application(desk: Desk, token: str, **fields: str) -> bytes:
    plain = {"device": "meter-7", "token": token}
    asked = Application(**plain | fields, request=new_request())  # type: ignore[arg-type]
    return encode(seal(asked, OWN, desk.key.public))


def said(desk: Desk, peer: Peer) -> Admission | Refusal:
    """What a stranger is answered."""

    def turn() -> bool:
        desk.turn()
        return bool(peer.got)

    until(turn, "the desk answers", 5.0)
    payload = unseal(decode(peer.got.pop()[1], Sealed), OWN, desk.key.public)
    if kind_of(payload) == "refusal":
        return decode(payload, Refusal)
    return decode(payload, Admission)


def test_who_is_invited_is_let_in_and_nobody_else_hears_of_it(
    place: Home, desk: Desk, stranger: Callable[..., Peer]
) -> None:
    curious = (f"{topics.ROOT}/#", *(topics.enrolment(each, "answer") for each in ("+", ONE)))
    one, two = stranger(ONE), stranger(TWO, *curious)
    token = invite(place, "meter-7", {}, by="ann")
    one.publish(topics.enrolment(ONE, "request"), application(desk, token))
    admission = said(desk, one)
    assert isinstance(admission, Admission)
    certificate = x509.load_pem_x509_certificate(admission.certificate)
    authority = x509.load_pem_x509_certificate(admission.authority)
    certificate.verify_directly_issued_by(authority)
    assert certificate.subject.rfc4514_string() == "CN=meter-7"
    assert admission.root == desk.root
    assert two.got == []


def test_two_desks_answer_with_the_same_certificate(
    place: Home, aside: Broker, desk: Desk, stranger: Callable[..., Peer]
) -> None:
    one = stranger(ONE)
    with open_desk(place, f"mqtts://localhost:{aside.centre}") as other:
        token = invite(place, "meter-7", {}, by="ann")
        one.publish(topics.enrolment(ONE, "request"), application(desk, token))
        first = said(desk, one)
        assert isinstance(first, Admission)
        assert said(other, one) == first
    assert [each.act for each in place.catalog.audit_log()].count("enrol") == 1


def test_what_is_refused_is_said_and_counted_and_costs_no_token(
    place: Home, desk: Desk, stranger: Callable[..., Peer], caplog: pytest.LogCaptureFixture
) -> None:
    one = stranger(ONE)
    good = invite(place, "meter-7", {}, by="ann")
    expired = invite(place, "meter-8", {}, by="ann", life=timedelta(seconds=-1))
    cases = {
        application(desk, "t" * 43): "unknown, was used before or has expired",
        application(desk, expired, device="meter-8"): "unknown, was used before or has expired",
        application(desk, good, device="meter-9"): "for meter-7, and not for meter-9",
    }
    for payload, reason in cases.items():
        one.publish(topics.enrolment(ONE, "request"), payload)
        refusal = said(desk, one)
        assert isinstance(refusal, Refusal)
        assert reason in refusal.reason
    assert desk.refused == 3
    assert "refusal 3" in caplog.text
    assert good not in caplog.text
    one.publish(topics.enrolment(ONE, "request"), application(desk, good))
    assert isinstance(said(desk, one), Admission)
    one.publish(topics.enrolment(ONE, "request"), application(desk, good))  # by another key
    assert isinstance(said(desk, one), Refusal)
    assert list(place.catalog.devices()) == ["meter-7"]


def test_what_cannot_be_opened_is_dropped(
    place: Home, desk: Desk, stranger: Callable[..., Peer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "loopcast.fleet")
    one = stranger(ONE)
    token = invite(place, "meter-7", {}, by="ann")
    asked = Application(device="meter-7", token=token, request=new_request())
    for payload in (
        b"\xff" * 100,
        encode(asked),
        encode(seal(asked, OWN, OWN.public)),
        encode(seal(Presence(online=True, since=1), OWN, desk.key.public)),
    ):
        one.publish(topics.enrolment(ONE, "request"), payload)
    one.publish(topics.enrolment(ONE, "request"), application(desk, token))
    assert isinstance(said(desk, one), Admission)
    assert caplog.text.count("an application is dropped") == 4
    assert one.got == []


class Heard:
    """A link that has heard something, and keeps what is sent."""

    def __init__(self) -> None:
        self.came: list[Incoming] = []
        self.sent: list[Outgoing] = []

    def hear(self, *payloads: bytes) -> None:
        topic = topics.enrolment(ONE, "request")
        self.came += [Incoming(topic=topic, payload=payload) for payload in payloads]

    def received(self, seconds: float) -> list[Incoming]:
        came, self.came = self.came, []
        return came

    def send(self, messages: list[Outgoing]) -> int:
        self.sent += messages
        return len(messages)


@pytest.fixture
def heard(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Heard:
    link = Heard()
    monkeypatch.setattr(desk, "link", link)
    return link


def test_a_flood_is_cut_and_who_means_it_asks_again(
    place: Home, desk: Desk, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    token = invite(place, "meter-7", {}, by="ann")
    genuine = application(desk, token)
    heard.hear(*[application(desk, "t" * 43)] * desks.MOST, genuine)
    desk.turn()
    assert len(heard.sent) == desk.refused == desks.MOST
    assert "21 applications at once: 1 are dropped" in caplog.text
    heard.hear(genuine)
    desk.turn()
    assert list(place.catalog.devices()) == ["meter-7"]


def test_a_catalog_that_is_away_is_no_refusal(
    place: Home, desk: Desk, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **_names: object) -> None:
        raise StoreError("catalog postgresql://inside: away")

    payload = application(desk, invite(place, "meter-7", {}, by="ann"))
    with monkeypatch.context() as patch:
        patch.setattr(desks, "redeem", away)
        heard.hear(payload)
        with pytest.raises(StoreError, match="away"):
            desk.turn()
    assert heard.sent == []
    heard.hear(payload)  # it asks again
    desk.turn()
    assert list(place.catalog.devices()) == ["meter-7"]
    assert len(heard.sent) == 1


def test_a_renewal_is_answered_on_the_device_s_own_topic(place: Home, desk: Desk) -> None:
    request = new_request()
    token = invite(place, "meter-7", {}, by="ann")
    asked = Application(device="meter-7", token=token, request=request)
    admission = desk.decided(asked)
    assert isinstance(admission, Admission)
    mine, other = renewals(place, [("meter-7", request), ("meter-8", request)])
    assert mine.topic == topics.device("meter-7", "certificate")
    assert decode(mine.payload, Renewed).certificate == admission.certificate
    assert other.topic == topics.device("meter-8", "certificate")
    assert "not enrolled" in decode(other.payload, Refusal).reason
    assert {mine.retain, other.retain} == {False}
