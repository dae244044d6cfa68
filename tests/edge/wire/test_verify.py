from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loopcast_edge.wire import (
    LATEST,
    Message,
    SecretKey,
    Signed,
    StaleError,
    Trust,
    TrustError,
    WireError,
    co_sign,
    decode,
    encode,
    sign,
)

from .examples import DAY, MANIFEST, NOON, ROLLBACK
from .trusted import (
    CLOCK,
    FIRST,
    FIRST_SIGNED,
    MANIFEST_SIGNED,
    NOW,
    OTHER_CLOCK,
    OTHER_TARGETS,
    ROOTS,
    SECOND,
    SECOND_SIGNED,
    TARGETS,
    TRUST,
    holders,
    news,
    root,
    stamp,
)


def test_a_package_of_those_who_may_sign_is_trusted() -> None:
    assert TRUST.manifest(MANIFEST_SIGNED, NOW) == MANIFEST
    assert TRUST.rollback(sign(ROLLBACK, [TARGETS]), NOW) == ROLLBACK


@pytest.mark.parametrize("key", [OTHER_TARGETS, CLOCK, *ROOTS])
@pytest.mark.parametrize("payload", [MANIFEST, ROLLBACK])
def test_a_package_of_others_is_not(payload: Message, key: SecretKey) -> None:
    check = TRUST.manifest if payload is MANIFEST else TRUST.rollback
    with pytest.raises(TrustError, match="0 genuine signatures"):
        check(sign(payload, [key]), NOW)


def test_a_signature_is_good_for_one_kind_only() -> None:
    payload = encode(MANIFEST)
    signature = TARGETS.sign(payload.replace(b"\xa8manifest", b"\xa8rollback", 1))
    with pytest.raises(TrustError):
        TRUST.manifest(Signed(payload=payload, signatures=(signature,)), NOW)


@given(st.integers(0, 8 * len(encode(MANIFEST_SIGNED)) - 1))
def test_no_bit_of_a_package_can_be_changed(bit: int) -> None:
    envelope = bytearray(encode(MANIFEST_SIGNED))
    envelope[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        TRUST.manifest(decode(bytes(envelope), Signed), NOW)


def test_expired_and_withdrawn_packages_are_refused() -> None:
    with pytest.raises(TrustError, match="manifest: expired"):
        TRUST.manifest(sign(replace(MANIFEST, expires=NOON + 1), [TARGETS]), NOW)
    with pytest.raises(TrustError, match="rollback: expired"):
        TRUST.rollback(sign(replace(ROLLBACK, expires=NOON + 1), [TARGETS]), NOW)
    withdrawn = stamp(6, withdrawn=(MANIFEST_SIGNED.digest,))
    with pytest.raises(TrustError, match="is withdrawn"):
        TRUST.renewed(news(timestamp=withdrawn), NOW).manifest(MANIFEST_SIGNED, NOW)


def test_nothing_is_activated_on_old_news() -> None:
    later = NOON + 2 * DAY
    with pytest.raises(StaleError, match="timestamp: expired"):
        TRUST.manifest(MANIFEST_SIGNED, later)
    with pytest.raises(StaleError):
        TRUST.rollback(sign(replace(ROLLBACK, expires=later + 1), [TARGETS]), later)
    renewed = TRUST.renewed(news(timestamp=stamp(6, expires=later + 1)), later)
    assert renewed.manifest(MANIFEST_SIGNED, later) == MANIFEST
    with pytest.raises(StaleError, match="none has come"):
        Trust.pinned(FIRST_SIGNED, FIRST_SIGNED.digest).manifest(MANIFEST_SIGNED, NOW)


def test_a_clock_that_was_set_back_brings_nothing_back_to_life() -> None:
    later = NOON + 2 * DAY
    fresh = stamp(6, created=later, expires=later + DAY)
    trust = TRUST.renewed(news(timestamp=fresh), later)
    old = sign(replace(MANIFEST, expires=later - 1), [TARGETS])
    assert TRUST.manifest(old, NOW).expires < later
    for now in (0, NOW, later):
        with pytest.raises(
            TrustError, match=f"manifest: expired at {later - 1}, and it is {later}"
        ):
            trust.manifest(old, now)
        with pytest.raises(TrustError, match="rollback: expired"):
            trust.rollback(sign(replace(ROLLBACK, expires=later - 1), [TARGETS]), now)
    stale = stamp(7, created=NOON, expires=later - 1)
    with pytest.raises(StaleError, match="timestamp: expired"):
        trust.renewed(news(timestamp=stale), 0)
    assert trust.manifest(MANIFEST_SIGNED, 0) == MANIFEST


def test_a_time_stamp_is_not_replayed() -> None:
    with pytest.raises(TrustError, match="version 4; 5 is known"):
        TRUST.renewed(news(timestamp=stamp(4)), NOW)
    with pytest.raises(StaleError, match="timestamp: expired"):
        TRUST.renewed(news(timestamp=stamp(6, expires=NOON + 1)), NOW)
    with pytest.raises(TrustError, match="0 genuine"):
        TRUST.renewed(news(timestamp=stamp(6, key=TARGETS)), NOW)


def test_keys_are_rotated_and_revoked_by_a_new_root() -> None:
    trust = TRUST.renewed(news(SECOND_SIGNED, timestamp=stamp(6, of_root=2)), NOW)
    assert trust.root == SECOND
    with pytest.raises(TrustError):
        trust.manifest(MANIFEST_SIGNED, NOW)
    assert trust.manifest(co_sign(MANIFEST_SIGNED, [OTHER_TARGETS]), NOW) == MANIFEST


def test_a_device_that_slept_walks_along_all_roots() -> None:
    new = [SecretKey(bytes([n]) * 32) for n in range(11, 14)]
    third = root(SECOND, root=holders(*new, threshold=3), expires=NOON + DAY)
    fourth = root(third, root=holders(*new, threshold=1))
    third_signed = sign(third, [*ROOTS[:2], *new])
    keys = news(SECOND_SIGNED, third_signed, sign(fourth, new), timestamp=stamp(9, of_root=4))
    assert TRUST.renewed(keys, NOW).root == fourth
    with pytest.raises(TrustError, match="version 3 follows 1"):
        TRUST.renewed(news(third_signed, timestamp=stamp(9, of_root=3)), NOW)


@pytest.mark.parametrize(
    ("signers", "whose"),
    [(ROOTS[:1], "one of two"), ([TARGETS, CLOCK], "others"), ([ROOTS[0], ROOTS[0]], "one twice")],
)
def test_a_root_needs_as_many_of_the_old_keys_as_they_said(
    signers: Sequence[SecretKey], whose: str
) -> None:
    signed = sign(SECOND, signers)
    with pytest.raises(TrustError, match=r"root: \d genuine signatures .* 2 are needed"):
        TRUST.renewed(news(signed, timestamp=stamp(6, of_root=2)), NOW)
    with pytest.raises(TrustError):
        Trust.pinned(signed, signed.digest)


def test_a_new_root_is_signed_by_its_own_keys_too() -> None:
    new = SecretKey(b"n" * 32)
    taken_over = sign(root(FIRST, root=holders(new)), ROOTS)
    with pytest.raises(TrustError, match="0 genuine"):
        TRUST.renewed(news(taken_over, timestamp=stamp(6, of_root=2)), NOW)


def test_a_newer_root_cannot_be_hidden_or_forgotten() -> None:
    with pytest.raises(TrustError, match="of root 2; the newest is 1"):
        TRUST.renewed(news(timestamp=stamp(6, of_root=2)), NOW)
    second = TRUST.renewed(news(SECOND_SIGNED, timestamp=stamp(6, of_root=2)), NOW)
    with pytest.raises(TrustError, match="of root 1; the newest is 2"):
        second.renewed(news(timestamp=stamp(7)), NOW)


def test_an_expired_root_stops_activation_until_a_newer_one_comes() -> None:
    later = NOON + 366 * DAY
    fresh: dict[str, Any] = {"expires": later + DAY}
    with pytest.raises(StaleError, match="root: expired"):
        TRUST.renewed(news(timestamp=stamp(6, **fresh)), later)
    second = sign(root(FIRST, **fresh), ROOTS[:2])
    assert TRUST.renewed(news(second, timestamp=stamp(6, 2, **fresh)), later).root.version == 2


def test_after_new_keys_for_time_stamps_they_are_numbered_anew() -> None:
    """Whoever stole the old key may have signed a version, and a time, that nothing can exceed."""
    end: dict[str, Any] = {"created": LATEST - 1, "expires": LATEST}
    far = TRUST.renewed(news(timestamp=stamp(2**53, **end)), NOW)
    with pytest.raises(TrustError, match="manifest: expired"):
        far.manifest(MANIFEST_SIGNED, NOW)
    second = sign(root(FIRST, timestamp=holders(OTHER_CLOCK)), ROOTS[:2])
    renewed = far.renewed(news(second, timestamp=stamp(1, 2, key=OTHER_CLOCK)), NOW)
    assert renewed.timestamp is not None
    assert renewed.timestamp.version == 1
    assert renewed.manifest(MANIFEST_SIGNED, NOW) == MANIFEST


def test_another_first_root_is_refused() -> None:
    with pytest.raises(TrustError, match="root: digest"):
        Trust.pinned(SECOND_SIGNED, FIRST_SIGNED.digest)


def test_trust_is_kept_on_disk() -> None:
    assert decode(encode(TRUST), Trust) == TRUST
