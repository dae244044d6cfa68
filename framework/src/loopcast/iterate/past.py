"""What the catalog says of the segments of a logical model before a training, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopcast.api import Attempt, Name, Segment, Version
    from loopcast.store.catalog import Catalog


@dataclass(frozen=True, eq=False, kw_only=True)
class Past:
    """What came of each segment until now.

    Attributes
    ----------
    newest
        The newest version of each segment that has one.
    champions
        Of each segment that has one.
    attempts
        What was tried last and made no version.
    """

    newest: Mapping[Segment, Version]
    champions: Mapping[Segment, Version]
    attempts: Mapping[Segment, Attempt]


def past_of(catalog: Catalog, logical_model: Name) -> Past:
    """Read what the catalog says of all segments of a logical model."""
    champions = catalog.champions(logical_model)  # first: each is registered by the next question
    return Past(
        newest=catalog.newest(logical_model),
        champions=champions,
        attempts=catalog.attempts(logical_model),
    )
