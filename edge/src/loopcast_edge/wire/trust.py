"""What keys sign, and the envelope that it is signed in."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from loopcast_edge.wire.codec import (
    Digest,
    Message,
    Name,
    Ordinal,
    Part,
    Segment,
    Sentence,
    Time,
    digest_of,
)

KeyId = Digest
"""SHA-256 of the 32 bytes of a public key."""

PublicKey = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Signature(Part, frozen=True):
    """A signature of the payload of an envelope.

    Attributes
    ----------
    key
        Whose it is.
    signature
        Ed25519 over the domain and the payload; see :mod:`loopcast_edge.wire.keys`.
    """

    key: KeyId
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class Signed(Message, frozen=True, tag="signed"):
    """An envelope: bytes, exactly as they were signed, and signatures over them.

    Attributes
    ----------
    payload
        A ``Manifest``, :class:`RollbackOrder`, :class:`Root` or :class:`Timestamp`.
    """

    most_bytes: ClassVar[int] = 270_336

    payload: bytes
    signatures: Annotated[tuple[Signature, ...], msgspec.Meta(min_length=1, max_length=16)]

    @property
    def digest(self) -> str:
        """SHA-256 of the payload, by which it is named: to sign it anew leaves the name."""
        return digest_of(self.payload)


class RollbackOrder(Message, frozen=True, tag="rollback"):
    """Permission to go back to one package, for devices that have accepted a newer one.

    Attributes
    ----------
    manifest
        The package that may be activated although its sequence is lower.
    below
        It holds on devices whose highest accepted sequence is at most this one, so that an old
        order does not undo what came after it.
    """

    logical_model: Name
    segment: Segment
    manifest: Digest
    below: Ordinal
    created: Time
    expires: Time
    reason: Sentence = ""


class RoleKeys(Part, frozen=True):
    """Who may sign for a role, and how many of them have to."""

    keys: Annotated[tuple[KeyId, ...], msgspec.Meta(min_length=1, max_length=16)]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1

    def __post_init__(self) -> None:
        if len(set(self.keys)) < max(len(self.keys), self.threshold):
            raise ValueError(f"{self.threshold} of {len(set(self.keys))} different keys")


class Root(Message, frozen=True, tag="root"):
    """Which keys sign what: signed by its own root keys, and by those of the version before.

    A key that is in no role any more is revoked.

    Attributes
    ----------
    version
        Each new one is one higher.
    keys
        Public keys, 32 bytes each, by the SHA-256 of these.
    root, targets, timestamp
        Who signs roots, manifests and orders, and time stamps.
    """

    version: Ordinal
    created: Time
    expires: Time
    keys: Annotated[
        dict[KeyId, PublicKey],
        msgspec.Meta(max_length=48),
    ]
    root: RoleKeys
    targets: RoleKeys
    timestamp: RoleKeys

    def __post_init__(self) -> None:
        if any(digest_of(public) != key for key, public in self.keys.items()):
            raise ValueError("a key is not under its own digest")
        named = {*self.root.keys, *self.targets.keys, *self.timestamp.keys}
        if named != set(self.keys):
            raise ValueError("roles and keys do not name the same keys")


class Timestamp(Message, frozen=True, tag="timestamp"):
    """Says that the fleet is alive: renewed often, so that nobody can hold old news for new.

    Attributes
    ----------
    version
        Grows with each; a lower one than was seen before is refused.
    expires
        After it, no new package is activated until a newer one comes.
    root
        Version of the newest root.
    withdrawn
        Manifests that must not be activated any more.
    """

    most_bytes: ClassVar[int] = 32_768

    version: Ordinal
    created: Time
    expires: Time
    root: Ordinal
    withdrawn: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=256)] = ()


class Keys(Message, frozen=True, tag="keys"):
    """All roots since the first, and the newest time stamp: all that a device needs to trust.

    Attributes
    ----------
    roots
        Envelopes of :class:`Root`, in the order of their versions.
    timestamp
        Envelope of a :class:`Timestamp`.
    """

    most_bytes: ClassVar[int] = 270_336

    roots: Annotated[tuple[Signed, ...], msgspec.Meta(min_length=1, max_length=64)]
    timestamp: Signed
