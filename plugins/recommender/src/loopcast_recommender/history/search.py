"""Looking for the best of some candidates: all of them, or uphill where they have an order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def highest(candidates: Sequence[T], value: Callable[[T], float]) -> T:
    """Return the candidate of the highest value, the first of equal ones."""
    return max(candidates, key=value)


def uphill(candidates: Sequence[T], value: Callable[[T], float], start: int) -> T:
    """Go from a candidate to a better neighbour, and on in that direction while it gets better.

    Where values have a single top, it is found. Values are asked for again, so that a costly one
    should remember.

    Parameters
    ----------
    candidates
        In the order of what distinguishes them.
    start
        Place of the first one.

    Examples
    --------
    >>> uphill([1, 2, 3, 4, 5], lambda candidate: -abs(candidate - 4), start=2)
    4
    >>> uphill([1, 2, 3, 4, 5], lambda candidate: 0.0, start=2)
    3
    """
    best = start
    for step in (-1, 1):
        while 0 <= best + step < len(candidates) and (
            value(candidates[best + step]) > value(candidates[best])
        ):
            best += step
    return candidates[best]
