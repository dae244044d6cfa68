"""Secret keys, and what they sign: Ed25519 over the kind of what is signed and its bytes.

The kind is part of what is signed, so that no signature of one kind can pass for that of another.
Source: S. Josefsson and I. Liusvaara, Edwards-Curve Digital Signature Algorithm (EdDSA), RFC 8032,
section 5.1; roles as in The Update Framework, specification 1.0, section 2.1.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, TypeVar

from loopcast_edge.wire.codec import Message, WireError, digest_of, encode, kind_of
from loopcast_edge.wire.trust import KeyId, RoleKeys, Root, Signature, Signed

_SEED = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

AnySecret = TypeVar("AnySecret", bound="Secret")


class Secret(ABC):
    """A secret key in a file of its owner's, which shows itself by its id only.

    Parameters
    ----------
    seed
        32 random bytes.
    """

    def __init__(self, seed: bytes) -> None:
        if len(seed) != _SEED:
            raise WireError(f"a secret key has {_SEED} bytes; these are {len(seed)}")
        self._key = self._made(seed)

    @staticmethod
    @abstractmethod
    def _made(seed: bytes) -> Any:
        """Return the key of a seed, as the library has it; as bytes, it is the seed again."""

    @classmethod
    def generate(cls: type[AnySecret]) -> AnySecret:
        """Draw a new key from the system's randomness."""
        return cls(os.urandom(_SEED))

    @classmethod
    def read(cls: type[AnySecret], path: Path) -> AnySecret:
        """Read a key that :meth:`write` wrote.

        Raises
        ------
        WireError
            When there is none, or anybody but its owner may read it.
        """
        try:
            with path.open() as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(2 * _SEED + 2)
            if mode & _OTHERS:
                raise WireError(f"{path}: others may read it; expected mode 0600")
            return cls(bytes.fromhex(text))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it holds no hexadecimal key"
            raise WireError(f"{path}: no secret key: {reason}") from None

    def write(self, path: Path) -> None:
        """Write the key into a new file that its owner alone may read.

        Raises
        ------
        WireError
            When there is such a file already: a key is never overwritten.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise WireError(f"{path}: no key is written: {error.strerror}") from None
        with os.fdopen(descriptor, "w") as file:
            file.write(bytes(self._key).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    @abstractmethod
    def public(self) -> bytes:
        """The public key, 32 bytes."""

    @property
    def id(self) -> KeyId:
        """SHA-256 of the public key."""
        return digest_of(self.public)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id[:16]}…)"


class SecretKey(Secret):
    """A secret key that signs.

    Examples
    --------
    >>> SecretKey(bytes(32))
    SecretKey(139e3940e64b5491…)
    """

    @staticmethod
    def _made(seed: bytes) -> Any:
        from nacl.signing import SigningKey

        return SigningKey(seed)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return bytes(self._key.verify_key)

    def sign(self, payload: bytes) -> Signature:
        """Sign a message that is encoded already."""
        covered = domain(kind_of(payload)) + payload
        return Signature(key=self.id, signature=self._key.sign(covered).signature)


def domain(kind: str) -> bytes:
    """Return what stands before a payload of that kind when it is signed.

    Examples
    --------
    >>> domain("root").hex()
    '6c6f6f70636173742f312f726f6f7400'
    """
    return f"loopcast/1/{kind}\0".encode()


def sign(message: Message, keys: Sequence[SecretKey]) -> Signed:
    """Put a message into an envelope, signed by all of the keys."""
    payload = encode(message)
    return Signed(payload=payload, signatures=tuple(key.sign(payload) for key in keys))


def co_sign(envelope: Signed, keys: Sequence[SecretKey]) -> Signed:
    """Add signatures, where those who sign do not sit together; what is signed stays the same."""
    own = {key.id for key in keys}
    others = tuple(each for each in envelope.signatures if each.key not in own)
    added = tuple(key.sign(envelope.payload) for key in keys)
    return Signed(payload=envelope.payload, signatures=(*others, *added))


class Holders(NamedTuple):
    """Who holds a role: public keys, and how many of them have to sign."""

    keys: Sequence[bytes]
    threshold: int = 1


def make_root(
    *,
    root: Holders,
    targets: Holders,
    timestamp: Holders,
    created: int,
    expires: int,
    previous: Optional[Root] = None,
) -> Root:
    """Say who may sign what, from now on.

    Parameters
    ----------
    created, expires
        Milliseconds since 1970-01-01 in UTC.
    previous
        The root that it comes after; its root keys have to sign the new one too.
    """
    roles = (root, targets, timestamp)
    return Root(
        version=1 if previous is None else previous.version + 1,
        created=created,
        expires=expires,
        keys={digest_of(public): public for role in roles for public in role.keys},
        root=_role(root),
        targets=_role(targets),
        timestamp=_role(timestamp),
    )


def _role(holders: Holders) -> RoleKeys:
    return RoleKeys(keys=tuple(map(digest_of, holders.keys)), threshold=holders.threshold)
