"""What a fleet is founded with: its keys, its authority, and the centre's own identity."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from loopcast.api import IntegrityError, NotFoundError
from loopcast.fleet.authority import (
    CENTRE,
    Authority,
    certificate_in,
    make_lone_identity,
    open_authority,
)
from loopcast.fleet.keyring import Keyring, make_keys
from loopcast.fleet.link import Broker
from loopcast.store.files import create_atomically
from loopcast_edge.wire import SealKey, WireError

if TYPE_CHECKING:
    from loopcast.store.home import Home

_CENTRE = "centre-own.pem"


def keys_folder(place: Home) -> Path:
    """Return where the secret keys and the roots are."""
    return place.folder / "fleet" / "keys"


def found(place: Home) -> Keyring:
    """Make all that a fleet begins with.

    Raises
    ------
    StoreError
        When the fleet has keys already.
    """
    ring = make_keys(keys_folder(place))
    authority = open_authority(_certificates(place), create=True)
    create_atomically(_certificates(place) / "authority.crt", authority.pem)
    centre_certificate(place)
    return ring


def authority_of(place: Home) -> Authority:
    """Return the authority of a fleet.

    Raises
    ------
    NotFoundError
        When the fleet was not founded.
    """
    return open_authority(_certificates(place))


def centre_certificate(place: Home) -> bytes:
    """Return the certificate, in PEM, that brokers let the centre in by, made where it is absent.

    It vouches for itself, so that a broker which trusts it lets in no device beside.

    Raises
    ------
    IntegrityError
        When its file is damaged.
    """
    file = _certificates(place) / _CENTRE
    if not file.exists():
        own = make_lone_identity(CENTRE)
        create_atomically(file, own.key + own.certificate, mode=0o600)
    return certificate_in(file)


def enrolment_key(place: Home) -> SealKey:
    """Return the key that devices seal their tokens to, made where it is absent.

    Raises
    ------
    IntegrityError
        When its file is damaged.
    """
    file = _certificates(place) / "enrolment.key"
    create_atomically(file, f"{secrets.token_hex(32)}\n".encode(), mode=0o600)
    try:
        return SealKey.read(file)
    except WireError as error:
        raise IntegrityError(f"{error}; restore it, or remove it and invite anew") from None


def broker_of(place: Home, url: str) -> Broker:
    """Return a broker as the centre connects to it.

    Raises
    ------
    NotFoundError
        When it wants certificates and the centre has none.
    """
    if not url.startswith("mqtts://"):
        return Broker(url=url)
    folder = _certificates(place)
    if not (folder / _CENTRE).exists():
        raise NotFoundError(
            f"the centre has no {folder / _CENTRE}; 'loopcast fleet keys make' makes it, and of a "
            "fleet that an older loopcast founded 'loopcast fleet broker' does"
        )
    return Broker(url=url, authority=folder / "authority.crt", identity=folder / _CENTRE)


def _certificates(place: Home) -> Path:
    return place.folder / "fleet" / "certificates"
