"""Keys of the events of forecasts: ``series|step|start of the interval``."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from loopcast.api import DataError


def forecast_keys(keys: pa.ChunkedArray) -> pd.DataFrame:
    """Split the keys of forecasts into series, step and the start of the interval in UTC.

    Raises
    ------
    DataError
        When one is of another form, or its start is no moment.

    Examples
    --------
    >>> found = forecast_keys(pa.chunked_array([["a|b|1h|2026-01-01T01:00:00+01:00"]]))
    >>> found.iloc[0].tolist()
    ['a|b', '1h', Timestamp('2026-01-01 00:00:00+0000', tz='UTC')]
    """
    parts = pc.split_pattern(keys.combine_chunks(), "|", max_splits=2, reverse=True)
    lengths = pc.list_value_length(parts)
    if pc.min(lengths).as_py() not in (3, None):
        wrong = keys[pc.index(pc.equal(lengths, 3), False).as_py()].as_py()
        raise DataError(f"key {wrong[:80]!r}: expected series|step|start of the interval")
    flat = parts.flatten().to_numpy(zero_copy_only=False).reshape(-1, 3)
    try:
        start = pd.to_datetime(flat[:, 2], format="ISO8601", utc=True)
    except ValueError as error:
        raise DataError(f"the start of an interval in a key is no moment: {error}") from None
    return pd.DataFrame(
        {"series": pd.Categorical(flat[:, 0]), "step": pd.Categorical(flat[:, 1]), "start": start}
    )
