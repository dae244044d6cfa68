"""Assignment: which arm serves an entity, the same wherever it is asked.

An entity has a place between 0 and 1 that follows from its name and a salt alone, and the arms
cut that range into parts as long as their shares. Batches, servers and devices compute it with
nothing but the standard library and NumPy:

- key: BLAKE2b of the salt in UTF-8, 64 bytes;
- place: BLAKE2b of the entity's name in UTF-8 with that key, 8 bytes, read as an unsigned number
  with the lowest byte first, without its last 11 bits, divided by 2⁵³;
- arm: how many of the cumulated shares, the last one left out, are not above the place.

Test vectors are in ``docs/experiments.md``. BLAKE2: RFC 7693.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def place(entity: str, salt: str) -> float:
    """Return the place of one entity, from 0 up to but not including 1.

    Examples
    --------
    >>> place("customer 1", "credit//spring")
    0.0562212819351362
    """
    digest = blake2b(entity.encode(), digest_size=8, key=_key(salt)).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


def places(entities: Iterable[str], salt: str) -> NDArray[np.float64]:
    """Return the place of each of ``n`` entities, shape ``(n,)``."""
    import numpy as np

    keyed = blake2b(digest_size=8, key=_key(salt))

    def digest(entity: str) -> bytes:
        own = keyed.copy()
        own.update(entity.encode())
        return own.digest()

    numbers = np.frombuffer(b"".join(map(digest, entities)), dtype="<u8")
    return np.asarray((numbers >> np.uint64(11)) * 2.0**-53)


def arm(entity: str, salt: str, shares: Sequence[float]) -> int:
    """Return the number of the arm that serves one entity.

    Parameters
    ----------
    shares
        Of each arm; they add up to 1.

    Examples
    --------
    >>> [arm(f"customer {n}", "credit//spring", (0.5, 0.5)) for n in range(6)]
    [0, 0, 1, 0, 0, 1]
    """
    here = place(entity, salt)
    return sum(here >= bound for bound in accumulate(shares[:-1]))


def arms(entities: Iterable[str], salt: str, shares: Sequence[float]) -> NDArray[np.intp]:
    """Return the number of the arm that serves each of ``n`` entities, shape ``(n,)``."""
    import numpy as np

    return np.searchsorted(np.cumsum(shares[:-1]), places(entities, salt), side="right")


def _key(salt: str) -> bytes:
    return blake2b(salt.encode()).digest()
