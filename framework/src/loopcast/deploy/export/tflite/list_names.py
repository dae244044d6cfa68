"""What the columns of a list are called: its items, the best first, and then their scores."""

from __future__ import annotations

from collections.abc import Iterable

ITEM, SCORE = "item", "score"
BEST = f"{SCORE} 1"
"""The score of the first item, which is the ``score`` of a ranking's events."""


def list_names(length: int) -> tuple[str, ...]:
    """Return the names of the columns of a list.

    Examples
    --------
    >>> list_names(2)
    ('item 1', 'item 2', 'score 1', 'score 2')
    """
    return tuple(f"{kind} {place + 1}" for kind in (ITEM, SCORE) for place in range(length))


def items_among(names: Iterable[str]) -> list[str]:
    """Return the columns that are items, the best first.

    Examples
    --------
    >>> items_among(["item 2", "score 1", "item 10", "item 1"])
    ['item 1', 'item 2', 'item 10']
    """
    places = ((name.removeprefix(f"{ITEM} "), name) for name in names)
    found = ((int(place), name) for place, name in places if place.isdecimal())
    return [name for _, name in sorted(found)]
