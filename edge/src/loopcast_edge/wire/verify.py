"""Whom to trust: from one root that is known from the start, along signed roots to the newest keys.

A signature is the only thing that a device trusts. What it has seen it does not unlearn: the newest
root and time stamp are kept, and older ones refused. A clock that is behind the newest time stamp,
as after a power cut without a battery, counts as if it showed the time of this.
Source: The Update Framework, specification 1.0, section 5.3 and 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Optional

from loopcast_edge.wire.codec import Message, Sent, WireError, decode
from loopcast_edge.wire.keys import domain
from loopcast_edge.wire.manifest import Manifest
from loopcast_edge.wire.trust import (
    KeyId,
    Keys,
    RoleKeys,
    RollbackOrder,
    Root,
    Signature,
    Signed,
    Timestamp,
)


class TrustError(WireError):
    """What came is not signed by those who may, is withdrawn, or older than what is known."""


class StaleError(TrustError):
    """What came was signed rightly, but its time is over: wait for something newer."""


def opened(envelope: Signed, kind: type[Sent], keys: Mapping[KeyId, bytes], role: RoleKeys) -> Sent:
    """Return what is in an envelope that enough holders of a role have signed.

    Raises
    ------
    TrustError
        When too few of its signatures are genuine and of the role.
    WireError
        When it holds something else.
    """
    prefixed = domain(str(kind.__struct_config__.tag)) + envelope.payload
    genuine = {
        each.key
        for each in envelope.signatures
        if each.key in role.keys and _genuine(each, keys[each.key], prefixed)
    }
    if len(genuine) < role.threshold:
        raise TrustError(
            f"{kind.__struct_config__.tag}: {len(genuine)} genuine signatures of those who may "
            f"sign it; {role.threshold} are needed"
        )
    return decode(envelope.payload, kind)


def _genuine(signature: Signature, public: bytes, covered: bytes) -> bool:
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    try:
        VerifyKey(public).verify(covered, signature.signature)
    except BadSignatureError:
        return False
    return True


class Trust(Message, frozen=True, tag="trust"):
    """What a device, or the centre, knows of the keys; it is kept on disk, and never sent.

    Attributes
    ----------
    root
        The newest that was accepted.
    timestamp
        The newest that was accepted; ``None`` before the first.
    """

    most_bytes: ClassVar[int] = 65_536

    root: Root
    timestamp: Optional[Timestamp] = None

    @classmethod
    def pinned(cls, envelope: Signed, digest: str) -> Trust:
        """Begin with a root whose digest is known from elsewhere.

        Raises
        ------
        TrustError
            When it is another one, or its own root keys have not signed it.
        """
        if envelope.digest != digest:
            raise TrustError(f"root: digest {envelope.digest[:16]}…; expected {digest[:16]}…")
        root = decode(envelope.payload, Root)
        return cls(root=opened(envelope, Root, root.keys, root.root))

    def renewed(self, keys: Keys, now: int) -> Trust:
        """Return the trust after news of the keys.

        Parameters
        ----------
        now
            Milliseconds since 1970-01-01 in UTC.

        Raises
        ------
        TrustError
            When a root is not signed by the one before, or the time stamp not by the newest, or
            when the time stamp is older than the one that is known. Nothing changes then.
        StaleError
            When the newest root or the time stamp has expired.
        """
        root = self._newest(keys)
        timestamp = opened(keys.timestamp, Timestamp, root.keys, root.timestamp)
        if timestamp.root != root.version:
            raise TrustError(f"timestamp: of root {timestamp.root}; the newest is {root.version}")
        same_keys = root.timestamp == self.root.timestamp  # others begin to count anew
        known = self.timestamp.version if self.timestamp is not None and same_keys else 0
        if timestamp.version < known:
            raise TrustError(f"timestamp: version {timestamp.version}; {known} is known already")
        for what, expires in (("root", root.expires), ("timestamp", timestamp.expires)):
            _require_fresh(what, expires, self._at(now) if same_keys else now)
        return Trust(root=root, timestamp=timestamp)

    def _at(self, now: int) -> int:
        """Return the time, which is no earlier than that of the newest time stamp."""
        return now if self.timestamp is None else max(now, self.timestamp.created)

    def _newest(self, keys: Keys) -> Root:
        root = self.root
        for envelope in keys.roots:
            claimed = decode(envelope.payload, Root)
            if claimed.version <= root.version:
                continue
            if claimed.version != root.version + 1:
                raise TrustError(f"root: version {claimed.version} follows {root.version}")
            opened(envelope, Root, root.keys, root.root)
            root = opened(envelope, Root, claimed.keys, claimed.root)
        return root

    def manifest(self, envelope: Signed, now: int) -> Manifest:
        """Return the manifest that an envelope holds, if it may be activated now.

        Raises
        ------
        TrustError
            When it is not signed by the targets keys, withdrawn, or expired.
        StaleError
            When the time stamp has expired: it may be activated after a newer one came.
        """
        found = opened(envelope, Manifest, self.root.keys, self.root.targets)
        _require_alive("manifest", found.expires, self._at(now))
        if envelope.digest in self._fresh(now).withdrawn:
            raise TrustError(f"manifest: {envelope.digest[:16]}… is withdrawn")
        return found

    def rollback(self, envelope: Signed, now: int) -> RollbackOrder:
        """Return the order that an envelope holds, if it is in force now.

        Raises
        ------
        TrustError
            When it is not signed by the targets keys, or expired.
        StaleError
            When the time stamp has expired.
        """
        found = opened(envelope, RollbackOrder, self.root.keys, self.root.targets)
        _require_alive("rollback", found.expires, self._at(now))
        self._fresh(now)
        return found

    def _fresh(self, now: int) -> Timestamp:
        if self.timestamp is None:
            raise StaleError("timestamp: none has come yet")
        _require_fresh("timestamp", self.timestamp.expires, self._at(now))
        return self.timestamp


def _require_alive(what: str, expires: int, now: int) -> None:
    if expires <= now:
        raise TrustError(f"{what}: expired at {expires}, and it is {now}")


def _require_fresh(what: str, expires: int, now: int) -> None:
    if expires <= now:
        raise StaleError(f"{what}: expired at {expires}, and it is {now}; a newer one is needed")
