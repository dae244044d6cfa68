"""Who signs what in the tests, and what a device knows of it."""

from __future__ import annotations

from typing import Any

from loopcast_edge.wire import (
    Holders,
    Keys,
    Root,
    SecretKey,
    Signed,
    Timestamp,
    Trust,
    make_root,
    sign,
)

from .examples import DAY, MANIFEST, NOON

NOW = NOON + 1
ROOTS = [SecretKey(bytes([n]) * 32) for n in range(1, 4)]
TARGETS, OTHER_TARGETS = SecretKey(b"t" * 32), SecretKey(b"u" * 32)
CLOCK, OTHER_CLOCK = SecretKey(b"c" * 32), SecretKey(b"d" * 32)


def holders(*keys: SecretKey, threshold: int = 1) -> Holders:
    return Holders([key.public for key in keys], threshold)


def root(previous: Root | None = None, **changes: Any) -> Root:
    """Two of three people make a root; one machine each signs packages and time stamps."""
    usual: dict[str, Any] = {
        "root": holders(*ROOTS, threshold=2),
        "targets": holders(TARGETS),
        "timestamp": holders(CLOCK),
        "created": NOON,
        "expires": NOON + 365 * DAY,
    }
    return make_root(**(usual | changes), previous=previous)


def stamp(version: int, of_root: int = 1, key: SecretKey = CLOCK, **changes: Any) -> Signed:
    usual: dict[str, Any] = {"created": NOON, "expires": NOON + DAY}
    return sign(Timestamp(version=version, root=of_root, **(usual | changes)), [key])


FIRST = root()
FIRST_SIGNED = sign(FIRST, ROOTS[:2])
TRUST = Trust.pinned(FIRST_SIGNED, FIRST_SIGNED.digest).renewed(
    Keys(roots=(FIRST_SIGNED,), timestamp=stamp(5)), NOW
)
SECOND = root(FIRST, targets=holders(OTHER_TARGETS))
SECOND_SIGNED = sign(SECOND, ROOTS[1:])
MANIFEST_SIGNED = sign(MANIFEST, [TARGETS])


def news(*roots: Signed, timestamp: Signed) -> Keys:
    return Keys(roots=(FIRST_SIGNED, *roots), timestamp=timestamp)
