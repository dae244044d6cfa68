"""Taking devices into the fleet, and keeping them: a one-time token, a request, certificates."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from loopcast.api import (
    ConfigurationError,
    ConflictError,
    Device,
    DeviceName,
    Digest,
    NotFoundError,
)
from loopcast.fleet.authority import Authority, certify, is_of_same_key
from loopcast.store.devices import Certified, Invitation

if TYPE_CHECKING:
    from loopcast.store.home import Home

LIFE = timedelta(days=7)

RENEWAL_PAUSE = timedelta(days=1)
"""So long after a certificate, the same key gets the same one, and another key none."""


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


def redeem(
    place: Home,
    authority: Authority,
    token: str,
    request: bytes,
    *,
    name: DeviceName | None = None,
    at: datetime | None = None,
) -> tuple[Device, bytes]:
    """Enrol the device that a token was made for, and return it with its certificate.

    Whoever asks again with the same key, as after a lost answer, gets the same certificate.

    Parameters
    ----------
    request
        PKCS #10 in PEM, of the key that the device has made for itself.
    name
        What the device calls itself, where it says so.
    at
        When; now where it is left out.

    Raises
    ------
    NotFoundError
        When the token is unknown, was used by another key, or has expired.
    ConfigurationError
        When the request is damaged, or the token is for another name; the token stays good then.
    """
    now = at or datetime.now(UTC)
    certificates: list[bytes] = []

    def admit(item: Invitation) -> Device:
        if name not in {None, item.device}:
            raise ConfigurationError(f"the invitation is for {item.device}, and not for {name}")
        certificate = certify(authority, request, item.device)
        certificates.append(certificate)
        kept = place.artifacts.put(certificate)
        return Device(name=item.device, labels=dict(item.labels), enrolled=now, certificate=kept)

    try:
        device = place.catalog.redeem(_digest(token), admit, at=now)
    except NotFoundError:
        before = place.catalog.redeemed(_digest(token), at=now)
        if before is None or before.certificate is None or before.revoked is not None:
            raise
        certificate = place.artifacts.get(before.certificate)
        if not is_of_same_key(certificate, request):
            raise
        return before, certificate
    return device, certificates[0]


def renew(
    place: Home,
    authority: Authority,
    name: DeviceName,
    request: bytes,
    *,
    at: datetime | None = None,
) -> bytes:
    """Return a new certificate for a device, which the broker knows by the one that it has.

    Parameters
    ----------
    at
        When; now where it is left out.

    Raises
    ------
    NotFoundError
        When the device is not enrolled.
    ConflictError
        When it was revoked, has certificates of another authority, or had one of another key just
        now.
    ConfigurationError
        When the request is damaged.
    """
    now = at or datetime.now(UTC)
    certificates: list[bytes] = []

    def issue(device: Device, newest: Certified | None) -> Digest | None:
        if device.revoked is not None:
            raise ConflictError(f"device {name} was revoked, and gets no certificate")
        if newest is None:
            raise ConflictError(f"the certificates of {name} are signed by somebody else")
        if now - newest.at < RENEWAL_PAUSE:
            certificates.append(_same(place.artifacts.get(newest.certificate), request))
            return None
        certificates.append(certify(authority, request, name))
        return place.artifacts.put(certificates[0])

    place.catalog.renew(name, issue, at=now)
    return certificates[0]


def _same(certificate: bytes, request: bytes) -> bytes:
    """Return a certificate that was made just now, if it is for the key of a request."""
    if not is_of_same_key(certificate, request):
        hours = RENEWAL_PAUSE // timedelta(hours=1)
        raise ConflictError(f"a certificate for another key is not {hours} hours old; wait")
    return certificate


def revoked_certificates(place: Home) -> list[bytes]:
    """Return all certificates of devices that were taken out of the fleet."""
    devices = (each.device for each in place.catalog.devices().values())
    gone = [device.name for device in devices if device.revoked is not None]
    theirs = place.catalog.certificates(gone).values()
    return [place.artifacts.get(each.certificate) for own in theirs for each in own]


def _digest(token: str) -> Digest:
    """Return what the catalog knows a token by, whether the centre's key comes with it or not."""
    return sha256(token.strip().partition(".")[0].encode()).hexdigest()
