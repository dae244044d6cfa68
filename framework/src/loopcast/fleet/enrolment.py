"""Taking devices into the fleet: a one-time token, a request, a certificate."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from loopcast.api import Device, DeviceName, Digest
from loopcast.fleet.authority import Authority, certify
from loopcast.store.devices import Invitation

if TYPE_CHECKING:
    from loopcast.store.home import Home

LIFE = timedelta(days=7)


def invite(
    place: Home,
    device: DeviceName,
    labels: Mapping[str, str],
    *,
    by: str,
    life: timedelta = LIFE,
) -> str:
    """Return a token with which a device of this name can enrol once.

    The catalog keeps only the token's digest.

    Raises
    ------
    StoreError
        When a device of this name is enrolled already.
    """
    token = secrets.token_urlsafe(32)
    expires = datetime.now(UTC) + life
    item = Invitation(digest=_digest(token), device=device, expires=expires, labels=labels)
    place.catalog.invite(item, by=by)
    return token


def redeem(place: Home, authority: Authority, token: str, request: bytes) -> tuple[Device, bytes]:
    """Enrol the device that a token was made for, and return it with its certificate.

    Parameters
    ----------
    request
        PKCS #10 in PEM, of the key that the device has made for itself.

    Raises
    ------
    StoreError
        When the token is unknown, was used, or has expired.
    ConfigurationError
        When the request is damaged; the token stays good then.
    """
    now = datetime.now(UTC)
    certificates: list[bytes] = []

    def admit(item: Invitation) -> Device:
        certificate = certify(authority, request, item.device)
        certificates.append(certificate)
        kept = place.artifacts.put(certificate)
        return Device(name=item.device, labels=dict(item.labels), enrolled=now, certificate=kept)

    device = place.catalog.redeem(_digest(token), admit, at=now)
    return device, certificates[0]


def revoked_certificates(place: Home) -> list[bytes]:
    """Return the certificates of devices that were taken out of the fleet."""
    devices = (each.device for each in place.catalog.devices().values())
    gone = (device.certificate for device in devices if device.revoked is not None)
    return [place.artifacts.get(digest) for digest in gone if digest is not None]


def _digest(token: str) -> Digest:
    return sha256(token.strip().encode()).hexdigest()
