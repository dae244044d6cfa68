"""Predictions of devices that ran out of space: how many there were, for only sums of them came."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

from loopcast.api import Segment, VersionId
from loopcast.store.uplinks import CONDENSED
from loopcast_edge.wire import Condensed, EventBatch, decode

if TYPE_CHECKING:
    from loopcast.store.catalog import Catalog

Counts = Mapping[tuple[Segment, VersionId], int]
"""Predictions by segment and version."""

DAY_MS = 86_400_000
LONGEST = 400
"""Days that a sum is spread over at most: a clock that began in 1970 makes no more of them."""


def condensed_days(catalog: Catalog, logical_model: str) -> dict[date, Counts]:
    """Return how many predictions of champions came as sums alone, by day in UTC.

    A device sums by the hour, then by the day. Where even the sums of days are too many it sums up
    several days; over these, predictions are spread evenly.
    """
    found: defaultdict[date, Counter[tuple[Segment, VersionId]]] = defaultdict(Counter)
    for uplink in catalog.kept_uplinks(CONDENSED):
        batch = decode(uplink.payload, EventBatch)
        for each in batch.condensed:
            source = batch.sources[each.source]
            if (source.logical_model, source.role) == (logical_model, "champion"):
                for day, count in _spread(each):
                    found[day][source.segment, source.version] += count
    return dict(found)


def _spread(sums: Condensed) -> Iterator[tuple[date, int]]:
    """Yield the days of a sum and how many predictions each has, all of them together."""
    start = max(sums.start, sums.end - LONGEST * DAY_MS)
    length, before = sums.end + 1 - start, 0
    for day in range(start // DAY_MS, sums.end // DAY_MS + 1):
        passed = min((day + 1) * DAY_MS, sums.end + 1) - start
        until = sums.count * passed // length
        if until > before:
            yield date(1970, 1, 1) + timedelta(days=day), until - before
        before = until
