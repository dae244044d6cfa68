"""Rows beyond the domain of a version: which, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a row is beyond the domain.

    Attributes
    ----------
    outside, novel
        Whether a value by itself is, and whether the combination of values is.
    """

    text: str
    outside: bool = False
    novel: bool = False

    def __and__(self, other: Reason) -> Reason:
        """Return both reasons as one."""
        return Reason(
            text=f"{self.text}; {other.text}",
            outside=self.outside or other.outside,
            novel=self.novel or other.novel,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Beyond:
    """Which rows are beyond the domain.

    Attributes
    ----------
    reasons
        The distinct ones.
    code : ndarray, int
        Place of each row's reason; −1 where the row is inside. Of any shape.
    """

    reasons: tuple[Reason, ...]
    code: NDArray[np.intp]

    @classmethod
    def nowhere(cls, rows: int) -> Beyond:
        """Return that every row is inside."""
        return cls(reasons=(), code=np.full(rows, -1, dtype=np.intp))

    def rows(self) -> list[Reason | None]:
        """Return the reason of each row, for callers that have a few."""
        return [self.reasons[code] if code >= 0 else None for code in self.code.ravel().tolist()]

    def counts(self) -> list[int]:
        """Return how many rows each reason applies to."""
        found = np.bincount(self.code[self.code >= 0], minlength=len(self.reasons))
        return [int(count) for count in found]

    def take(self, values: Any) -> Any:
        """Return for each row the value of its reason; the last value where it is inside."""
        return values[self.code.ravel()]


def beyond_of(found: Sequence[tuple[Reason, Flags]], rows: int) -> Beyond:
    """Give each row one reason: all that apply to it, joined.

    Parameters
    ----------
    found
        Reasons, and the rows that each applies to, shape (rows,).
    """
    apply = [(reason, flags) for reason, flags in found if flags.any()]
    if not apply:
        return Beyond.nowhere(rows)
    code = np.full(rows, -1, dtype=np.intp)
    where = np.flatnonzero(np.logical_or.reduce([flags for _, flags in apply]))
    bits = np.packbits(np.column_stack([flags[where] for _, flags in apply]), axis=1)
    keys = bits.view(f"V{bits.shape[1]}").ravel()  # each row as one value, in the order of its bits
    _, first, code[where] = np.unique(keys, return_index=True, return_inverse=True)
    reasons = []
    for row in where[first]:
        own = [reason for reason, flags in apply if flags[row]]
        joined = own[0]
        for reason in own[1:]:
            joined &= reason
        reasons.append(joined)
    return Beyond(reasons=tuple(reasons), code=code)
