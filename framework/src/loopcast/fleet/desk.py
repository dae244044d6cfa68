"""Where those ask who are not devices yet, and where devices ask for their next certificate.

Strangers ask at a broker of their own, so that nothing they do reaches the fleet's. What they say
is sealed; what cannot be opened is dropped, and so is what comes faster than it can be looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loopcast.api import ConfigurationError, ConflictError, DeviceName, NotFoundError
from loopcast.fleet.authority import Authority
from loopcast.fleet.enrolment import redeem, renew
from loopcast.fleet.founding import authority_of, broker_of, enrolment_key, keys_folder
from loopcast.fleet.keyring import read_keys
from loopcast.fleet.link import Incoming, Link, Outgoing
from loopcast_edge.wire import (
    Admission,
    Application,
    Message,
    Refusal,
    Renewed,
    Sealed,
    SealKey,
    Signed,
    WireError,
    decode,
    encode,
    seal,
    topics,
    unseal,
)

if TYPE_CHECKING:
    from loopcast.store.home import Home

LOGGER = logging.getLogger("loopcast.fleet")

REQUESTS = topics.enrolment("+", "request")

MOST = 20
"""Applications that a look answers; others are dropped, and come again from who means it."""

MINUTE, HOUR = 60, 3_600

_REFUSALS = (ConfigurationError, ConflictError, NotFoundError)
"""What the one who asks is told; other errors are the centre's own, and the answer waits."""


@dataclass
class Desk:
    """Answers applications; several may answer the same one, which changes nothing.

    Attributes
    ----------
    place
        The stores.
    authority
        Signs certificates.
    key
        The key that invitations name.
    root
        The first root of the fleet's keys.
    link
        An open connection to the broker of enrolment.
    refused
        How many applications were refused.
    """

    place: Home
    authority: Authority
    key: SealKey
    root: Signed
    link: Link
    refused: int = 0

    def turn(self) -> None:
        """Answer what has come since the last time.

        Raises
        ------
        StoreError
            When the catalog or the broker is away; who was not answered asks again.
        """
        came = self.link.received(0.0)
        if len(came) > MOST:
            LOGGER.warning("%d applications at once: %d are dropped", len(came), len(came) - MOST)
        answers = [found for each in came[:MOST] if (found := self._answer(each)) is not None]
        if answers:
            self.link.send(answers)

    def _answer(self, message: Incoming) -> Outgoing | None:
        try:
            visitor = topics.visitor(message.topic)
            sealed = decode(message.payload, Sealed)
            application = decode(unseal(sealed, self.key, sealed.sender), Application)
        except WireError as error:
            LOGGER.info("an application is dropped: %s", error)
            return None
        answer = seal(self.decided(application), self.key, sealed.sender)
        return _once(topics.enrolment(visitor, "answer"), answer, MINUTE)

    def decided(self, asked: Application) -> Admission | Refusal:
        """Return the answer to an application, which is sealed then."""
        try:
            device, certificate = redeem(
                self.place, self.authority, asked.token, asked.request, name=asked.device
            )
        except _REFUSALS as error:
            self.refused += 1
            LOGGER.warning("%s is not enrolled, refusal %d: %s", asked.device, self.refused, error)
            return _refusal(error)
        LOGGER.info("device %s is enrolled: its certificate is sent", device.name)
        return Admission(certificate=certificate, authority=self.authority.pem, root=self.root)


@contextmanager
def open_desk(place: Home, url: str) -> Iterator[Desk]:
    """Connect to the broker of enrolment, and yield a desk there.

    Raises
    ------
    NotFoundError
        When the fleet was not founded.
    StoreError
        When the broker cannot be reached.
    """
    authority, key = authority_of(place), enrolment_key(place)
    root = read_keys(keys_folder(place)).roots[0]
    with Link(broker_of(place, url), listen=(REQUESTS,)) as link:
        yield Desk(place=place, authority=authority, key=key, root=root, link=link)


def renewals(place: Home, asked: Iterable[tuple[DeviceName, bytes]]) -> Iterator[Outgoing]:
    """Yield the answers to devices that want their next certificate.

    Parameters
    ----------
    asked
        Devices and their requests, PKCS #10 in PEM.

    Raises
    ------
    StoreError
        When the catalog is away; who was not answered asks again.
    """
    for device, request in asked:
        try:
            certificate = renew(place, authority_of(place), device, request)
            answer: Renewed | Refusal = Renewed(certificate=certificate)
            LOGGER.info("device %s asked for a new certificate: it is sent", device)
        except _REFUSALS as error:
            LOGGER.warning("device %s gets no new certificate: %s", device, error)
            answer = _refusal(error)
        yield _once(topics.device(device, "certificate"), answer, HOUR)


def _refusal(error: Exception) -> Refusal:
    return Refusal(reason=str(error)[:400])


def _once(topic: str, message: Message, life: int) -> Outgoing:
    return Outgoing(topic=topic, payload=encode(message), retain=False, expires=life)
