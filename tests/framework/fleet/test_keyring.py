"""Keys of a fleet: made once, rotated under signatures, and followed by devices from any root."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopcast.api import ConflictError, IntegrityError, NotFoundError, StoreError
from loopcast.fleet.keyring import Keyring, KeyRole, make_keys, read_keys, rotate
from loopcast_edge.wire import RollbackOrder, Trust, TrustError, decode

from .fake import now


def order() -> RollbackOrder:
    return RollbackOrder(
        logical_model="demand", segment="", manifest="a" * 64, below=2, created=now() - 1000,
        expires=now() + 1_000_000,
    )  # fmt: skip


def trust(ring: Keyring) -> Trust:
    return Trust.pinned(ring.roots[0], ring.pin)


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    ring = make_keys(tmp_path / "keys")
    assert read_keys(tmp_path / "keys") == ring
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "keys").glob("*.key")} == {0o600}
    with pytest.raises(StoreError, match="rotate them instead"):
        make_keys(tmp_path / "keys")


@pytest.mark.parametrize("role", ["root", "targets", "timestamp"])
def test_a_device_follows_a_rotation_and_forgets_the_old_key(tmp_path: Path, role: KeyRole) -> None:
    before = make_keys(tmp_path)
    after = rotate(before, role)
    known = trust(before).renewed(before.news(), now())
    assert known.renewed(after.news(), now()).root == after.root
    assert trust(after).renewed(after.news(), now()).root == after.root
    moved, wanted = known.renewed(after.news(), now()), order()
    assert moved.rollback(after.sign(wanted), now()) == wanted
    if role == "targets":
        with pytest.raises(TrustError, match="0 genuine signatures"):
            moved.rollback(before.sign(order()), now())


def test_old_envelopes_are_signed_anew_under_their_name(tmp_path: Path) -> None:
    before = make_keys(tmp_path)
    envelope = before.sign(order())
    assert before.signed_anew(envelope) is envelope
    after = rotate(before, "targets")
    anew = after.signed_anew(envelope)
    assert anew.digest == envelope.digest
    assert trust(after).renewed(after.news(), now()).rollback(anew, now()) == decode(
        envelope.payload, RollbackOrder
    )


def test_a_time_stamp_names_what_is_withdrawn_and_grows(tmp_path: Path) -> None:
    ring = make_keys(tmp_path)
    one, two = ring.news(now=now()), ring.news({"b" * 64}, now=now() + 5)
    known = trust(ring).renewed(two, now())
    assert known.timestamp is not None
    assert known.timestamp.withdrawn == ("b" * 64,)
    with pytest.raises(TrustError, match="known already"):
        known.renewed(one, now())


def test_two_rotations_at_once_are_noticed(tmp_path: Path) -> None:
    ring = make_keys(tmp_path)
    rotate(ring, "targets")
    with pytest.raises(ConflictError, match="rotated by somebody else"):
        rotate(ring, "timestamp")


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="keys make"):
        read_keys(tmp_path)
    ring = rotate(make_keys(tmp_path), "root")
    next(tmp_path.glob(f"root-{ring.root.root.keys[0][:16]}.key")).unlink()
    with pytest.raises(NotFoundError, match="no secret key of the role root"):
        rotate(ring, "targets")
    file = tmp_path / "root-0002.bin"
    content = bytearray(file.read_bytes())
    content[200] ^= 1
    file.write_bytes(content)
    with pytest.raises(IntegrityError, match="restore the files"):
        read_keys(tmp_path)
