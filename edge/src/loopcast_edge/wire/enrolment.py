"""Becoming a device: what is asked and answered before there is a certificate, and when it ends.

An invitation holds a one-time token and the public key of the centre. The device seals its request
to that key, and the answer comes sealed to a key that the device drew for it. So neither the broker
nor anybody on the way learns a token, and nobody but the centre can answer.
Source: crypto_box of NaCl (X25519, XSalsa20, Poly1305): D. J. Bernstein, T. Lange and P. Schwabe,
The security impact of a new cryptographic library, LATINCRYPT 2012, section 2.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Optional

import msgspec

from loopcast_edge.wire.codec import (
    DeviceName,
    Message,
    Sentence,
    WireError,
    encode,
)
from loopcast_edge.wire.keys import Secret
from loopcast_edge.wire.trust import Signed

if TYPE_CHECKING:
    from nacl.public import Box

NONCE = 24
_PUBLIC = 32

PublicKey = Annotated[bytes, msgspec.Meta(min_length=_PUBLIC, max_length=_PUBLIC)]
Pem = Annotated[bytes, msgspec.Meta(min_length=1, max_length=8192)]
Token = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_\-]{22,86}\Z")]


class Sealed(Message, frozen=True, tag="sealed"):
    """A message that only its receiver can read, and only its sender can have written.

    Attributes
    ----------
    sender
        X25519 key of who sealed it, 32 bytes.
    box
        24 bytes that are never used again, and the ciphertext with its tag: crypto_box of NaCl.
    """

    most_bytes: ClassVar[int] = 32_768

    sender: PublicKey
    box: bytes


class Application(Message, frozen=True, tag="application"):
    """What somebody with an invitation asks for; sent sealed.

    Attributes
    ----------
    device
        The name that it was invited under.
    token
        Of the invitation.
    request
        PKCS #10 in PEM, of a key that never leaves the device.
    """

    device: DeviceName
    token: Token
    request: Pem

    def __repr__(self) -> str:
        return f"Application(device={self.device!r})"  # a token is for no log


class Admission(Message, frozen=True, tag="admission"):
    """All that a device needs to connect, and to trust what it is told; sent sealed.

    Attributes
    ----------
    certificate, authority
        Its own certificate and that of the fleet's authority, in PEM.
    root
        The first root of keys.
    """

    most_bytes: ClassVar[int] = 32_512

    certificate: Pem
    authority: Pem
    root: Signed


class Refusal(Message, frozen=True, tag="refusal"):
    """Why there is no certificate, in a sentence; sent sealed where it answers an application."""

    reason: Sentence


class Renewal(Message, frozen=True, tag="renewal"):
    """Asks for a new certificate before the old one ends, by which the broker knows the device.

    Attributes
    ----------
    request
        PKCS #10 in PEM, of the same key or a new one.
    """

    request: Pem


class Renewed(Message, frozen=True, tag="renewed"):
    """A new certificate of a device.

    Attributes
    ----------
    certificate
        In PEM, for the key of the request.
    """

    certificate: Pem


class SealKey(Secret):
    """A secret key to which messages are sealed.

    Examples
    --------
    >>> SealKey(bytes(32))
    SealKey(233ced774423c7a7…)
    """

    @staticmethod
    def _made(seed: bytes) -> Any:
        from nacl.public import PrivateKey

        return PrivateKey(seed)

    @property
    def public(self) -> bytes:
        """The X25519 key, 32 bytes."""
        return bytes(self._key.public_key)

    def shared_with(self, other: bytes) -> Box:
        """Return what both owners of two keys can open and seal."""
        from nacl.public import Box, PublicKey

        return Box(self._key, PublicKey(other))


def seal(message: Message, own: SealKey, to: bytes, nonce: Optional[bytes] = None) -> Sealed:
    """Seal a message to the owner of a public key.

    Parameters
    ----------
    nonce
        24 bytes; drawn at random where it is left out, as it has to be outside of tests.
    """
    box = own.shared_with(to).encrypt(encode(message), nonce or os.urandom(NONCE))
    return Sealed(sender=own.public, box=bytes(box))


def unseal(sealed: Sealed, own: SealKey, sender: bytes) -> bytes:
    """Return the payload that somebody sealed to a key.

    Parameters
    ----------
    sender
        Public key of who has to have sealed it; what the message says of it proves nothing.

    Raises
    ------
    WireError
        When it was sealed to another key or by another one, or is damaged.
    """
    from nacl.exceptions import CryptoError

    try:
        return own.shared_with(sender).decrypt(sealed.box)
    except (CryptoError, ValueError):
        raise WireError("sealed: by another key or to another one, or it is damaged") from None


class Invitation(NamedTuple):
    """What lets a device in, once: a token, and the key of the centre that it may be told to."""

    token: str
    centre: bytes

    def __repr__(self) -> str:
        return "Invitation(…)"  # it is for no log

    def __str__(self) -> str:
        key = base64.urlsafe_b64encode(self.centre).decode().rstrip("=")
        return f"{self.token}.{key}"


def read_invitation(text: str) -> Invitation:
    """Read an invitation as it was handed over.

    Raises
    ------
    WireError
        When it is none; the message does not repeat it.

    Examples
    --------
    >>> invitation = Invitation("a" * 43, bytes(range(32)))
    >>> read_invitation(f" {invitation} ") == invitation
    True
    """
    token, _, key = text.strip().partition(".")
    try:
        centre = base64.b64decode(key + "=", altchars=b"-_", validate=True)
        return Invitation(msgspec.convert(token, Token), msgspec.convert(centre, PublicKey))
    except (binascii.Error, ValueError, msgspec.ValidationError):
        raise WireError(
            "this is no invitation: expected TOKEN.KEY, as 'loopcast fleet enrol invite' prints it"
        ) from None
