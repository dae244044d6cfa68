"""The device becomes one of the fleet, and stays it: its key, its certificate, and the next one.

The key is on the disk before the token is told, and the certificate, which says that all is done,
comes last. Whatever is cut off in between is done again, with the same key and the same answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from loopcast_edge.agent import files, link, openssl
from loopcast_edge.agent.errors import EdgeError, SettingsError
from loopcast_edge.agent.settings import Broker, Settings
from loopcast_edge.wire import (
    Admission,
    Application,
    Message,
    Refusal,
    Renewal,
    Renewed,
    Sealed,
    SealKey,
    WireError,
    decode,
    encode,
    read_invitation,
    seal,
    topics,
    unseal,
)
from loopcast_edge.wire.codec import kind_of

DAY_S = 86_400.0

Wanted = TypeVar("Wanted", bound=Message)


class _Papers(NamedTuple):
    """The broker, and where everything is that a device shows or trusts."""

    broker: Broker
    key: Path
    certificate: Path
    authority: Path
    root: Path


def enrol(settings: Settings, invitation: str) -> None:
    """Get a certificate for an invitation, and write all that ``run`` needs.

    Parameters
    ----------
    invitation
        As the centre printed it; it is good once.

    Raises
    ------
    SettingsError
        If the configuration does not say where everything goes, or the device has a certificate or
        trusts another fleet.
    EdgeError
        If the invitation is none, the centre refuses it or does not answer, or a file cannot be
        written.
    """
    papers = _papers(settings)
    if papers.certificate.exists():
        raise SettingsError(f"{papers.certificate} is there: the device is enrolled; renew it")
    with _explained():
        admission = _admitted(settings.device, papers, invitation)
        _keep(papers.root, encode(admission.root))
        _keep(papers.authority, admission.authority)
        openssl.check(admission.certificate, papers.key, papers.authority)
        files.write(papers.certificate, admission.certificate, private=True)


def renew(settings: Settings, days: float) -> bool:
    """Get the next certificate where the one that is there ends within so many days.

    Returns
    -------
    bool
        Whether there is a new one; the agent shows it when it connects next.

    Raises
    ------
    SettingsError
        If the configuration names no files, or the broker cannot be asked with those.
    EdgeError
        If the centre refuses or does not answer, or a file cannot be written.
    """
    papers = _papers(settings)
    if openssl.ends(papers.certificate) - time.time() > days * DAY_S:
        return False
    name = settings.device
    question = encode(Renewal(request=openssl.request(papers.key, name)))
    payload = link.ask(
        link.known(papers.broker, f"{name}-renewal"),
        (papers.broker.host, papers.broker.port),
        (topics.device(name, "up/renewal"), question),
        topics.device(name, "certificate"),
    )
    with _explained():
        certificate = _unless_refused(payload, Renewed).certificate
        if certificate == papers.certificate.read_bytes():
            return False
        openssl.check(certificate, papers.key, papers.authority)
        files.write(papers.certificate, certificate, private=True)
    return True


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except WireError as error:
        raise EdgeError(str(error)) from None
    except OSError as error:
        raise EdgeError(f"a file cannot be read or written: {error}") from None


def _papers(settings: Settings) -> _Papers:
    broker, root = settings.broker, settings.root
    if root is None or broker is None or broker.ca is None or broker.certificate is None:
        raise SettingsError(
            "root, and ca, certificate and key of [broker] have to say where all goes"
        )
    assert broker.key is not None  # settings have both or none
    return _Papers(broker, broker.key, broker.certificate, broker.ca, root)


def _admitted(name: str, papers: _Papers, text: str) -> Admission:
    """Ask the centre, sealed, and return what it answers, sealed."""
    invitation = read_invitation(text)
    if not papers.key.exists():
        files.write(papers.key, openssl.new_key(), private=True)
    request = openssl.request(papers.key, name)
    application = Application(device=name, token=invitation.token, request=request)
    own, visitor = SealKey.generate(), secrets.token_hex(16)
    answer = link.ask(
        link.stranger(visitor),
        (papers.broker.host, papers.broker.enrolment_port),
        (topics.enrolment(visitor, "request"), encode(seal(application, own, invitation.centre))),
        topics.enrolment(visitor, "answer"),
    )
    return _unless_refused(unseal(decode(answer, Sealed), own, invitation.centre), Admission)


def _unless_refused(payload: bytes, kind: type[Wanted]) -> Wanted:
    """Return an answer, or raise what the centre says against it."""
    if kind_of(payload) == "refusal":
        raise EdgeError(f"the centre refuses: {decode(payload, Refusal).reason}")
    return decode(payload, kind)


def _keep(path: Path, content: bytes) -> None:
    """Write what the device trusts, unless it trusts something already."""
    if not path.exists():
        files.write(path, content, private=True)
    elif path.read_bytes() != content:
        raise SettingsError(f"{path} is of another fleet; remove it to join that of the invitation")
