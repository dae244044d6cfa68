"""Keys of the events of forecasts: ``series|step|start of the interval``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import DataError

EARLIEST = pd.Timestamp("1900-01-01", tz="UTC")
"""No interval that somebody forecasts begins earlier: such a start is no moment."""

_MOMENT = r"^\d{4}"
"""What a moment begins with; pandas would take "now" and "today" for moments too."""


def forecast_keys(keys: pa.ChunkedArray) -> pd.DataFrame:
    """Split the keys of forecasts into series, step and the start of the interval in UTC.

    A key of another form, or whose start is no moment in ISO 8601, is missing in all columns:
    anybody may have logged its event, and it is about no interval.

    Examples
    --------
    >>> keys = pa.chunked_array([["a|b|1h|2026-01-01T01:00:00+01:00", "order 7"]])
    >>> found = forecast_keys(keys)
    >>> found.iloc[0].tolist()
    ['a|b', '1h', Timestamp('2026-01-01 00:00:00+0000', tz='UTC')]
    >>> found.iloc[1].isna().all()
    np.True_
    """
    parts = pc.split_pattern(keys.combine_chunks(), "|", max_splits=2, reverse=True)
    whole = pc.equal(pc.list_value_length(parts), 3).fill_null(False)
    three = pc.if_else(whole, parts, pa.scalar([None] * 3, parts.type))
    series, step, text = (pc.list_element(three, place).dictionary_encode() for place in range(3))
    start = _moments(text)
    known = start.notna()
    return pd.DataFrame(
        {"series": _names(series, known), "step": _names(step, known), "start": start}
    )


def interval_keys(
    series: pd.Series[Any], step: pd.Series[Any] | str, start: pd.Series[Any]
) -> pd.Series[Any]:
    """Return the key of each interval of a forecast, which :func:`forecast_keys` splits.

    Parameters
    ----------
    start
        With a time zone.

    Examples
    --------
    >>> start = pd.Series([pd.Timestamp("2026-01-01T01:00:00+01:00")])
    >>> interval_keys(pd.Series(["a|b"]), "1h", start).tolist()
    ['a|b|1h|2026-01-01T00:00:00Z']
    """
    stamps = start.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    keys: pd.Series[Any] = series + "|" + step + "|" + stamps
    return keys


def unreadable(keys: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Tell which keys no forecast has, shape (keys,)."""
    return forecast_keys(keys)["start"].isna().to_numpy()


def require_forecast_keys(keys: pa.ChunkedArray) -> None:
    """Refuse keys that no forecast has.

    Raises
    ------
    DataError
        With the first of them.
    """
    wrong = np.flatnonzero(unreadable(keys))
    if len(wrong):
        raise DataError(
            f"key {str(keys[int(wrong[0])])[:80]!r}: expected series|step|start of the interval, "
            "the start in ISO 8601"
        )


def _moments(texts: pa.DictionaryArray) -> pd.Series[pd.Timestamp]:
    """Read texts as moments in UTC, each different one once."""
    different = texts.dictionary
    digits = pc.match_substring_regex(different, _MOMENT)
    likely = pc.if_else(digits, different, pa.scalar(None, different.type)).to_pandas()
    moments = pd.to_datetime(likely, format="ISO8601", utc=True, errors="coerce")
    place = texts.indices.fill_null(-1).to_numpy()
    found: pd.Series[pd.Timestamp] = moments.where(moments >= EARLIEST).reindex(place)
    return found.reset_index(drop=True)


def _names(texts: pa.DictionaryArray, known: pd.Series[bool]) -> pd.Series[Any]:
    """Return texts as categories in their order, without those of keys that cannot be read."""
    found: pd.Series[Any] = texts.to_pandas().where(known).cat.remove_unused_categories()
    return found.cat.reorder_categories(sorted(found.cat.categories))
