"""What rules take out of lists that were made before: items by their names, from one moment on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from loopcast.api import Segment
    from loopcast.serve.rules import RuleBook
    from loopcast.serve.suggestion import Suggestion

Place = tuple[str | None, str | None]
"""A segment and an entity, ``None`` for all of them."""


@dataclass(frozen=True, eq=False)
class Withdrawn:
    """Items that may be in no list any more.

    Attributes
    ----------
    items
        By segment and entity.
    """

    items: Mapping[Place, frozenset[str]] = field(default_factory=dict)

    def without(self, found: Suggestion) -> Suggestion:
        """Return a list without what is withdrawn; the others move up."""
        gone = self._of(found.segment, found.entity)
        if gone.isdisjoint(found.items):
            return found
        pairs = zip(found.items, found.scores, strict=True)
        kept = [(item, score) for item, score in pairs if item not in gone]
        return msgspec.structs.replace(
            found,
            items=tuple(item for item, _ in kept),
            scores=tuple(score for _, score in kept),
        )

    def _of(self, segment: Segment, entity: str) -> frozenset[str]:
        places = ((s, e) for s in (None, segment) for e in (None, entity))
        return frozenset().union(*(self.items.get(place, ()) for place in places))


def withdrawn(book: RuleBook) -> Withdrawn:
    """Return what rules hide by the name of an item, from an entity or from all.

    A list that was made does not know the features of its items and of its entity: rules about
    these take effect when lists are made again.
    """
    hides = book.that("hide")
    named = hides[hides["item"].notna() & hides["feature"].isna() & hides["entity_feature"].isna()]
    columns = (named[name].astype(object).where(named[name].notna(), None) for name in _COLUMNS)
    found: defaultdict[Place, set[str]] = defaultdict(set)
    for segment, entity, item in zip(*columns, strict=True):
        found[segment, entity].add(item)
    return Withdrawn({place: frozenset(items) for place, items in found.items()})


_COLUMNS = ("segment", "entity", "item")
