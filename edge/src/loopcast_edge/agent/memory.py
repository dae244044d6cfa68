"""What a device must never unlearn: whom it trusts, and which package it accepted last."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import msgspec

from loopcast_edge.agent import files
from loopcast_edge.wire import (
    Keys,
    Manifest,
    RollbackOrder,
    Signed,
    Trust,
    TrustError,
    decode,
    encode,
)

TRUST = "trust"


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The highest sequence that a place has accepted, and whose it was."""

    sequence: int
    manifest: str


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: trust in keys, accepted sequences by place, and the newest desired state."""

    trust: bytes
    accepted: dict[str, Accepted] = {}
    desired: int = 0


class Memory:
    """The file ``trust`` of a state folder, outside all slots.

    Parameters
    ----------
    folder
        The state folder.
    root
        Envelope of the first root, as it was brought to the device; read where there is no file
        yet. ``None`` trusts nobody: nothing new is accepted.
    """

    def __init__(self, folder: Path, root: Optional[bytes]) -> None:
        self._path = folder / TRUST
        self.damaged = False
        """Whether the file is there and cannot be read; nothing new is accepted then."""
        self._kept, self._noted, self.trust = Kept(b""), False, None
        try:
            self._kept, self.trust = _read(self._path)
        except FileNotFoundError:
            self.trust = None if root is None else _pinned(root)
        except (msgspec.MsgspecError, ValueError):
            self.damaged = True

    @property
    def desired(self) -> int:
        """Sequence of the newest desired state."""
        return self._kept.desired

    def hear(self, keys: Keys, now_ms: int) -> None:
        """Take in news of the keys, and keep them.

        Raises
        ------
        TrustError
            If they are not signed by those who may, or older than what is known.
        """
        trust = self._trusting().renewed(keys, self.now(now_ms))
        if trust != self.trust:
            self.trust = trust
            self._save(self._kept)

    def now(self, now_ms: int) -> int:
        """Return the time; a clock that has forgotten it is at least at the newest time stamp."""
        stamp = None if self.trust is None else self.trust.timestamp
        return now_ms if stamp is None else max(now_ms, stamp.created)

    def shadow(self, place: str, envelope: Signed, now_ms: int) -> Manifest:
        """Return the manifest that an envelope holds, if it may predict silently here.

        An older one may: nobody uses what a shadow says, and a champion that gave way goes on as
        one, to be compared with.

        Raises
        ------
        TrustError
            If it is not signed by those who may, of another place, expired or withdrawn.
        StaleError
            If it cannot be told before newer news of the keys.
        """
        found = self._trusting().manifest(envelope, self.now(now_ms))
        if place_name(found.logical_model, found.segment) != place:
            raise TrustError(f"manifest: of {found.logical_model}, segment {found.segment!r}")
        return found

    def champion(
        self, place: str, envelope: Signed, rollbacks: tuple[Signed, ...], now_ms: int
    ) -> Manifest:
        """Return the manifest that an envelope holds, if this place may activate it now.

        Parameters
        ----------
        place
            Name of the logical model and segment, which the manifest has to be of.
        rollbacks
            Orders that came with the desired state.

        Raises
        ------
        TrustError
            As :meth:`shadow`, and if it is older than one that was accepted, without an order
            that names it.
        StaleError
            If it cannot be told before newer news of the keys.
        """
        found = self.shadow(place, envelope, now_ms)
        highest = self._kept.accepted.get(place)
        if highest is None or found.sequence > highest.sequence:
            return found
        same = (highest.sequence, highest.manifest) == (found.sequence, envelope.digest)
        if same or any(self._allows(each, envelope.digest, place, now_ms) for each in rollbacks):
            return found
        raise TrustError(
            f"manifest: sequence {found.sequence}; {highest.sequence} was accepted before"
        )

    def behind(self, place: str, manifest: Manifest) -> bool:
        """Tell whether a newer package than this one was accepted at its place."""
        highest = self._kept.accepted.get(place)
        return highest is not None and manifest.sequence < highest.sequence

    def _allows(self, order: Signed, digest: str, place: str, now_ms: int) -> bool:
        """Tell whether an order allows going back to a package here."""
        found: RollbackOrder = self._trusting().rollback(order, self.now(now_ms))
        return (
            place_name(found.logical_model, found.segment) == place
            and found.manifest == digest
            and self._kept.accepted[place].sequence <= found.below
        )

    def accept(self, place: str, manifest: Manifest, digest: str) -> None:
        """Keep the sequence of a package, if it is the highest of its place."""
        highest = self._kept.accepted.get(place)
        if highest is None or manifest.sequence > highest.sequence:
            news = {place: Accepted(manifest.sequence, digest)}
            self._save(
                msgspec.structs.replace(self._kept, accepted={**self._kept.accepted, **news})
            )

    def desire(self, sequence: int) -> None:
        """Note the sequence of the newest desired state; :meth:`keep` brings it to the disk."""
        self._kept = msgspec.structs.replace(self._kept, desired=sequence)
        self._noted = True

    def keep(self) -> None:
        """Bring what was noted to the disk, if it is not there."""
        if self._noted:
            self._save(self._kept)

    def _trusting(self) -> Trust:
        if self.trust is None:
            raise TrustError("no root of keys is known here")
        return self.trust

    def _save(self, kept: Kept) -> None:
        trust = b"" if self.trust is None else encode(self.trust)
        self._kept, self._noted = msgspec.structs.replace(kept, trust=trust), True
        if not self.damaged:
            files.write(self._path, msgspec.msgpack.encode(self._kept))
        self._noted = False


def place_name(logical_model: str, segment: str) -> str:
    """Return the name of a place, which is also that of its folder."""
    return f"{logical_model}@{segment}"


def _read(path: Path) -> tuple[Kept, Optional[Trust]]:
    kept = msgspec.msgpack.decode(path.read_bytes(), type=Kept)
    return kept, decode(kept.trust, Trust) if kept.trust else None


def _pinned(root: bytes) -> Trust:
    """Trust a root that somebody has brought to the device."""
    envelope = decode(root, Signed)
    return Trust.pinned(envelope, envelope.digest)
