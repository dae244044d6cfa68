"""The keys that devices trust: made, renewed and revoked by signed roots.

A root says which keys sign what. It is signed by its own root keys and by those of the root before,
so that a device that knows any root finds its way to the newest. Secret keys are files that only
their owner reads; the root key is needed for rotation alone, and can be kept elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args

from loopcast.api import ConflictError, Digest, IntegrityError, NotFoundError, StoreError
from loopcast.store.files import create_atomically, make_folder
from loopcast_edge.wire import (
    Holders,
    Keys,
    Message,
    Root,
    SecretKey,
    Signed,
    Timestamp,
    WireError,
    co_sign,
    decode,
    encode,
    make_root,
    opened,
    sign,
)

KeyRole = Literal["root", "targets", "timestamp"]
ROLES: tuple[KeyRole, ...] = get_args(KeyRole)

ROOT_LIFE = timedelta(days=10 * 365)
TIMESTAMP_LIFE = timedelta(days=30)
"""How long devices activate new packages without news from the centre."""


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """The keys of a fleet.

    Attributes
    ----------
    folder
        Where the secret keys are.
    roots
        All roots since the first, in their envelopes.
    root
        The newest.
    """

    folder: Path
    roots: tuple[Signed, ...]
    root: Root

    @property
    def pin(self) -> Digest:
        """Digest of the first root: what a device must know from the start."""
        return self.roots[0].digest

    def sign(self, message: Message, role: KeyRole = "targets") -> Signed:
        """Put a message into an envelope that a role signs.

        Raises
        ------
        NotFoundError
            When the secret key of the role is not here.
        """
        return sign(message, self.secrets(role))

    def signed_anew(self, envelope: Signed) -> Signed:
        """Return an envelope of a manifest with signatures that devices trust today.

        Its digest, by which it is named, stays; a rotation of keys thus changes no package.
        """
        known = {each.key for each in envelope.signatures} & set(self.root.targets.keys)
        if len(known) >= self.root.targets.threshold:
            return envelope
        return co_sign(envelope, self.secrets("targets"))

    def secrets(self, role: KeyRole) -> list[SecretKey]:
        """Return the secret keys of a role that are here.

        Raises
        ------
        NotFoundError
            When none is.
        """
        files = [self.folder / _file(role, key) for key in getattr(self.root, role).keys]
        found = [SecretKey.read(file) for file in files if file.exists()]
        if not found:
            raise NotFoundError(
                f"no secret key of the role {role} is in {self.folder}; bring it back to sign"
            )
        return found

    def is_here(self, role: KeyRole) -> bool:
        """Whether a secret key of a role is here."""
        keys = getattr(self.root, role).keys
        return any((self.folder / _file(role, key)).exists() for key in keys)

    def news(self, withdrawn: Iterable[Digest] = (), now: int | None = None) -> Keys:
        """Return all roots with a new time stamp.

        Parameters
        ----------
        withdrawn
            Manifests that must not be activated any more.
        now
            Milliseconds since 1970-01-01 in UTC. It numbers time stamps too, so that several
            centres need no agreement on a number.
        """
        moment = _now() if now is None else now
        stamp = Timestamp(
            version=moment,
            created=moment,
            expires=moment + _milliseconds(TIMESTAMP_LIFE),
            root=self.root.version,
            withdrawn=tuple(sorted(set(withdrawn))),
        )
        return Keys(roots=self.roots, timestamp=self.sign(stamp, "timestamp"))


def make_keys(folder: Path) -> Keyring:
    """Make the first keys of a fleet.

    Raises
    ------
    StoreError
        When there are keys already.
    """
    if _roots(folder):
        raise StoreError(f"{folder} holds the keys of a fleet already; rotate them instead")
    return _follow(folder, (), None, {role: _new_secret(folder, role) for role in ROLES})


def read_keys(folder: Path) -> Keyring:
    """Read the keys of a fleet.

    Raises
    ------
    NotFoundError
        When there are none.
    IntegrityError
        When a root is damaged, or not signed by the one before it.
    """
    files = _roots(folder)
    if not files:
        raise NotFoundError(f"there are no keys in {folder}; 'loopcast fleet keys make' makes them")
    try:
        roots = tuple(decode(file.read_bytes(), Signed) for file in files)
        newest = decode(roots[0].payload, Root)
        for envelope in roots:
            claimed = decode(envelope.payload, Root)
            opened(envelope, Root, newest.keys, newest.root)
            newest = opened(envelope, Root, claimed.keys, claimed.root)
    except WireError as error:
        raise IntegrityError(f"keys in {folder}: {error}; restore the files") from None
    return Keyring(folder=folder, roots=roots, root=newest)


def newest_root(folder: Path) -> int:
    """Return the version of the newest root by the name of its file, unread; 0 for none."""
    files = _roots(folder)
    return int(files[-1].stem.removeprefix("root-")) if files else 0


def rotate(ring: Keyring, role: KeyRole) -> Keyring:
    """Give a role a new key; the old one is revoked for every device that hears of it.

    Raises
    ------
    NotFoundError
        When the secret root key is not here.
    ConflictError
        When keys were rotated meanwhile.
    """
    signers = ring.secrets("root")
    holders = {name: ring.secrets(name)[0] for name in ROLES}
    holders[role] = _new_secret(ring.folder, role)
    return _follow(ring.folder, ring.roots, ring.root, holders, signers)


def _follow(
    folder: Path,
    roots: tuple[Signed, ...],
    previous: Root | None,
    holders: Mapping[KeyRole, SecretKey],
    signers: Iterable[SecretKey] = (),
) -> Keyring:
    """Write the root that names these keys, signed by those before and by its own."""
    now = _now()
    root = make_root(
        root=Holders([holders["root"].public]),
        targets=Holders([holders["targets"].public]),
        timestamp=Holders([holders["timestamp"].public]),
        created=now,
        expires=now + _milliseconds(ROOT_LIFE),
        previous=previous,
    )
    by_id = {key.id: key for key in (*signers, holders["root"])}
    envelope = sign(root, list(by_id.values()))
    if not create_atomically(folder / f"root-{root.version:04d}.bin", encode(envelope)):
        raise ConflictError(f"keys in {folder} were rotated by somebody else; look again")
    return Keyring(folder=folder, roots=(*roots, envelope), root=root)


def _new_secret(folder: Path, role: KeyRole) -> SecretKey:
    make_folder(folder)
    secret = SecretKey.generate()
    secret.write(folder / _file(role, secret.id))
    return secret


def _file(role: KeyRole, key: Digest) -> str:
    return f"{role}-{key[:16]}.key"


def _roots(folder: Path) -> list[Path]:
    return sorted(folder.glob("root-*.bin"))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _milliseconds(life: timedelta) -> int:
    return life // timedelta(milliseconds=1)
