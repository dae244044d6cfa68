"""Predictions that should be there and are not.

Of a forecast, every series has a value for every interval since its first one. Of scores and
rankings, whatever had an outcome had a prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import ForecastSchema, Segment
from loopcast.monitor.kpi import by_segment
from loopcast.store.event_keys import forecast_keys
from loopcast.store.truth import joined_keys

EXAMPLES = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Missing:
    """Expected predictions by day, and those that are not there.

    Attributes
    ----------
    days
        In UTC: of the intervals that are forecast, or of the outcomes.
    expected, missing : ndarray, shape (days,), int64
    examples
        Series and how many intervals of theirs are missing, or keys.
    """

    days: pd.DatetimeIndex
    expected: np.ndarray
    missing: np.ndarray
    examples: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of the last day's predictions that are missing; 0 where none is expected."""
        if not len(self.days) or not self.expected[-1]:
            return 0.0
        return float(self.missing[-1] / self.expected[-1])


def missing_forecasts(served: pa.Table, schema: ForecastSchema, until: pd.Timestamp) -> Missing:
    """Return the intervals before a moment that no event is about.

    What cannot be read is about none of them.

    Parameters
    ----------
    until
        In UTC, a midnight: intervals that begin later may still be forecast.
    """
    keys = forecast_keys(served["key"])
    keys = keys[(keys["step"] == schema.step) & (keys["start"] < until)]
    series = keys["series"].cat.remove_unused_categories()
    if not len(keys):
        return nothing_missing()
    first = keys["start"].min().tz_convert(schema.timezone)
    last = until.tz_convert(schema.timezone)
    slots = pd.date_range(first, last, freq=schema.step, inclusive="left").tz_convert("UTC")
    place = slots.get_indexer(pd.DatetimeIndex(keys["start"]))
    known = place >= 0
    there = np.zeros((len(series.cat.categories), len(slots)), dtype=bool)
    there[series.cat.codes.to_numpy()[known], place[known]] = True
    expected = np.logical_or.accumulate(there, axis=1)
    gone = expected & ~there
    days, day = np.unique(slots.normalize(), return_inverse=True)
    found = {str(n): int(c) for n, c in zip(series.cat.categories, gone.sum(axis=1), strict=True)}
    worst = sorted((item for item in found.items() if item[1]), key=lambda item: -item[1])
    return Missing(
        days=pd.DatetimeIndex(days),
        expected=np.bincount(day, expected.sum(axis=0)).astype(np.int64),
        missing=np.bincount(day, gone.sum(axis=0)).astype(np.int64),
        examples=dict(worst[:EXAMPLES]),
    )


def missing_answers(served: pa.Table, outcomes: pa.Table) -> dict[Segment, Missing]:
    """Return the outcomes of each segment that no event is about.

    Parameters
    ----------
    served
        All events of the segments, with the columns ``segment`` and ``key``.
    outcomes
        Those that were observed in the span, one for each key.
    """
    ours = joined_keys(served["segment"], served["key"], named=True)
    theirs = joined_keys(outcomes["segment"], outcomes["key"], named=True)
    gone = pc.invert(pc.is_in(theirs, value_set=ours)).to_numpy(zero_copy_only=False)
    days, day = _days_of(outcomes["observed"])
    keys = outcomes["key"].combine_chunks()
    return {
        segment: _missing_of(keys, days, day, rows, rows[gone[rows]])
        for segment, rows in by_segment(outcomes["segment"].to_numpy())
    }


def _days_of(moments: pa.ChunkedArray) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Return the days in UTC that moments are of, sorted, and the place of each among them."""
    numbers = pc.cast(pc.floor_temporal(moments, unit="day"), pa.int64()).to_numpy()
    days, day = np.unique(numbers, return_inverse=True)
    return pd.DatetimeIndex(pa.array(days).cast(moments.type).to_pandas()), day


def _missing_of(
    keys: pa.Array, days: pd.DatetimeIndex, day: np.ndarray, rows: np.ndarray, gone: np.ndarray
) -> Missing:
    """Return what is missing of one segment, of which rows and those without an event are given."""
    expected, missing = (np.bincount(day[each], minlength=len(days)) for each in (rows, gone))
    there = expected > 0
    return Missing(
        days=days[there],
        expected=expected[there],
        missing=missing[there],
        examples=dict.fromkeys(keys.take(pa.array(gone[:EXAMPLES])).to_pylist(), 1),
    )


def nothing_missing() -> Missing:
    """Return that no prediction was expected."""
    nothing = np.zeros(0, dtype=np.int64)
    return Missing(days=pd.DatetimeIndex([], tz="UTC"), expected=nothing, missing=nothing)
