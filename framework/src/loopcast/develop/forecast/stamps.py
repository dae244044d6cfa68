"""Time stamps of a table as moments: with a zone, or on a local clock that configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import DataError
from loopcast.develop.columns import written_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.settings import ForecastTable

    Stamps = pd.Series[Any]

ZONED = r"\d\d(?::?\d\d)?.*(?:[zZ]|[+-]\d\d(?::?\d\d)?)$"
"""A text that ends with an offset after a time of day, and not with the day of a date."""


def first_row(flags: Stamps) -> int:
    """Return the number of the first row with a flag, counted from 1."""
    return int(np.argmax(flags.to_numpy())) + 1


def moments(source: str, table: pd.DataFrame, names: ForecastTable) -> Stamps:
    """Return the moment of each row, in UTC, of a table with a column of time stamps.

    Parameters
    ----------
    source
        Where the table came from, for messages.

    Raises
    ------
    DataError
        Where one is missing or is none, has no zone and configuration names none, or is not on
        the local clock once and in order.
    """
    where = f"{source}: column {names.time!r}"
    raw = written_out(table[names.time])
    missing = raw.isna()
    if missing.any():
        raise DataError(
            f"{where}: missing time stamps ({int(missing.sum())}), the first in row "
            f"{first_row(missing)}"
        )
    times = _parsed(where, raw, names.time_format)
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        if names.timezone is None:
            raise DataError(_no_zone(where, raw.iloc[0], 1))
        series = pd.Series("", table.index) if names.series is None else table[names.series]
        times = _on_clock(where, times, names.timezone, series)
    return times.dt.tz_convert("UTC")


def _parsed(where: str, raw: Stamps, time_format: str | None) -> Stamps:
    """Return time stamps as they are meant, with a zone where they have one."""
    if pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return raw
    text = raw.dtype == object or isinstance(raw.dtype, pd.StringDtype)
    given = time_format or ("ISO8601" if text else None)
    try:
        return pd.to_datetime(raw, format=given)
    except (ValueError, TypeError, OverflowError):
        return _of_several_offsets(where, raw.astype(str), time_format)


def _of_several_offsets(where: str, raw: Stamps, time_format: str | None) -> Stamps:
    """Return time stamps whose offsets differ, as those of summer and winter do."""
    times = pd.to_datetime(raw, errors="coerce", format=time_format or "ISO8601", utc=True)
    none = times.isna()
    if none.any():
        row = first_row(none)
        expected = (
            f"data.table.time_format={time_format!r}"
            if time_format
            else "ISO 8601 with a zone, such as 2014-12-31T13:00:00Z, or its form in "
            "data.table.time_format, as '%d.%m.%Y %H:%M'"
        )
        raise DataError(
            f"{where}: {raw.iloc[row - 1]!r} in row {row} is not a time stamp; expected {expected}"
        )
    bare = ~raw.str.contains(ZONED)
    if bare.any():
        row = first_row(bare)
        raise DataError(_no_zone(where, raw.iloc[row - 1], row))
    return times


def _no_zone(where: str, stamp: object, row: int) -> str:
    return (
        f"{where}: time stamps have no zone (the first in row {row}: {stamp}); expected UTC or an "
        "offset, such as 2014-12-31T13:00:00Z, or the zone of their clock in data.table.timezone"
    )


def _on_clock(where: str, local: Stamps, zone: str, series: Stamps) -> Stamps:
    """Return the moments that a local clock shows; of an hour that comes twice, in the row order.

    The first row of a series that shows a repeated time is before the change, the second after.
    """
    every = np.ones(len(local), dtype=np.bool_)
    before, after = (
        local.dt.tz_localize(zone, ambiguous=summer, nonexistent="NaT")
        for summer in (every, ~every)
    )
    skipped = before.isna()
    if skipped.any():
        row = first_row(skipped)
        raise DataError(
            f"{where}: {local.iloc[row - 1]} in row {row} does not exist in {zone}, whose clocks "
            "go forward then; expected the zone of the clock in data.table.timezone"
        )
    twice = np.flatnonzero((before != after).to_numpy())
    shown = pd.DataFrame({"series": series.iloc[twice], "local": local.iloc[twice]})
    again = twice[shown.duplicated().to_numpy()]
    if not len(again):
        return before
    times = before.copy()
    times.iloc[again] = after.iloc[again]
    _require_order(where, times, local, series, again)
    return times


def _require_order(
    where: str, times: Stamps, local: Stamps, series: Stamps, again: NDArray[np.intp]
) -> None:
    """Refuse rows whose order cannot tell which of two equal local times was the first."""
    concerned = np.flatnonzero(series.isin(series.iloc[again].unique()))
    names = series.iloc[concerned].astype("str")
    steps = times.iloc[concerned].groupby(names).diff()
    back = concerned[(steps < pd.Timedelta(0)).to_numpy()]
    if len(back):
        raise DataError(
            f"{where}: {local.iloc[again[0]]} comes twice, for clocks go back then, and rows are "
            f"not in the order of time (row {back[0] + 1}), which would tell which was the first; "
            "sort them, or give an offset with each"
        )
