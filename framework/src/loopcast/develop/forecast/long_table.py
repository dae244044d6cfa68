"""A long table as arrays: for each row its place on the time grid, and its series.

Millions of rows are checked and shaped by array operations, a block of rows at a time, so that
what is needed beside the table is the panel and a few bytes a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import DataError, step_minutes
from loopcast.develop.forecast.panel import Numbers
from loopcast.develop.forecast.stamps import first_row, moments

if TYPE_CHECKING:
    from loopcast.settings import ForecastTable

ROWS_AT_ONCE = 2**22
OFF_GRID = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class LongTable:
    """The rows of a table within the span of time that is used.

    Attributes
    ----------
    source
        Where the table came from, for messages.
    table : DataFrame
        Its columns.
    row : sequence of int, length n
        Number of each row in the whole table, from 1.
    stamps : Series of datetime64 in UTC, length n
    grid : DatetimeIndex, shape (times,)
        From the first time stamp to the last, step by step: local days by the calendar, which
        have 23 to 25 hours, and shorter steps by the clock of UTC.
    place : ndarray, shape (n,), int32
        Of each row in the grid; -1 where it is off the grid.
    names
        Of the series that were found.
    code : ndarray, shape (n,)
        Position of each row's series among the names.
    """

    source: str
    table: pd.DataFrame
    row: Sequence[int]
    stamps: pd.Series[Any]
    grid: pd.DatetimeIndex
    place: NDArray[np.int32]
    names: tuple[str, ...]
    code: NDArray[np.integer[Any]]

    def described(self, position: int) -> str:
        """Say where a row is, for messages."""
        return f"{self.stamps.iloc[position]} (row {self.row[position]})"

    def wide(self, values: Numbers, column: Sequence[int], width: int) -> Numbers:
        """Lay values out by time and column, NaN where there is no row.

        Parameters
        ----------
        values : ndarray, shape (n,)
        column
            Of each series, by its position among the names; -1 leaves it out.
        width
            Number of columns.
        """
        laid = np.full((len(self.grid), width), np.nan, dtype=values.dtype)
        column_of = np.array(column, dtype=np.intp)
        for block in self._blocks():
            columns, places = column_of[self.code[block]], self.place[block]
            given = (columns >= 0) & (places >= 0) & ~np.isnan(values[block])
            if given.all():
                laid[places, columns] = values[block]
            else:
                laid[places[given], columns[given]] = values[block][given]
        return laid

    def _blocks(self) -> Iterator[slice]:
        for start in range(0, len(self.place), ROWS_AT_ONCE):
            yield slice(start, start + ROWS_AT_ONCE)

    def check_repeats(self) -> None:
        """Refuse two rows for the same time and series."""
        cells = np.zeros((len(self.grid), len(self.names)), dtype=np.bool_)
        on_grid = 0
        for block in self._blocks():
            places = self.place[block]
            given = places >= 0
            cells[places[given], self.code[block][given]] = True
            on_grid += int(np.count_nonzero(given))
        if np.count_nonzero(cells) < on_grid:
            self._refuse_repeats()

    def _refuse_repeats(self) -> None:
        keys = pd.DataFrame({"place": self.place, "code": self.code})
        repeated = (keys.duplicated() & (keys["place"] >= 0)).to_numpy()
        first = int(np.argmax(repeated))
        raise DataError(
            f"{self.source}: duplicate time stamps ({int(repeated.sum())}), the first at "
            f"{self.stamps.iloc[first]} for series {self.names[self.code[first]]} "
            f"(row {self.row[first]}); expected one row for each time and series"
        )

    def off_grid(self, values: Numbers) -> pd.DatetimeIndex:
        """Return the time stamps off the grid until the last value, each once and in order."""
        stamps = self.stamps[self.place == OFF_GRID]
        last = self.stamps[~np.isnan(values)].max()
        return pd.DatetimeIndex(stamps[stamps <= last].unique()).sort_values()


def read_long_table(
    source: str,
    table: pd.DataFrame,
    names: ForecastTable,
    *,
    step: str,
    timezone: str,
    horizon: str,
    alone: str,
) -> LongTable:
    """Find the time and the series of each row.

    Parameters
    ----------
    source
        Where the table came from, for messages.
    step, timezone, horizon
        As in the schema.
    alone
        Name of the series where no column tells series apart.

    Raises
    ------
    DataError
        Where a time stamp or the name of a series is missing or is none, nothing is left, or a
        local day has no midnight.
    """
    stamps = _moments(source, table, names, step, timezone)
    kept = _span(source, stamps, names, timezone)
    row: Sequence[int] = range(1, len(table) + 1)
    if not kept.all():
        row = (np.flatnonzero(kept) + 1).tolist()
        table, stamps = table[kept], stamps[kept]
    code, found = _series(source, table, names, alone)
    _require_midnights(source, stamps, horizon, timezone)
    grid, place = _on_grid(stamps, step, timezone)
    return LongTable(
        source=source,
        table=table,
        row=row,
        stamps=stamps,
        grid=grid,
        place=place,
        names=found,
        code=code,
    )


def _require_midnights(source: str, stamps: pd.Series[Any], horizon: str, timezone: str) -> None:
    """Refuse days that begin later, from the first time stamp through a horizon after the last."""
    first, last = (
        stamp.tz_convert(timezone).tz_localize(None).normalize()
        for stamp in (stamps.min(), stamps.max())
    )
    ahead = pd.Timedelta(days=1, minutes=step_minutes(horizon))
    days = pd.date_range(first, last + ahead, freq="D")
    summer = np.ones(len(days), dtype=np.bool_)
    skipped = days[days.tz_localize(timezone, ambiguous=summer, nonexistent="NaT").isna()]
    if len(skipped):
        raise DataError(
            f"{source}: the clocks of {timezone} skip midnight on {skipped[0]:%Y-%m-%d}, where a "
            "day would have to begin; expected a logical_model.schema.timezone without such a "
            "change, such as Etc/GMT+4, which is four hours behind UTC all year"
        )


def _on_grid(
    stamps: pd.Series[Any], step: str, timezone: str
) -> tuple[pd.DatetimeIndex, NDArray[np.int32]]:
    """Return the grid from the first time stamp to the last, and the place of each on it.

    Days are counted on the local calendar from midnight, shorter steps in UTC.
    """
    length = pd.Timedelta(minutes=step_minutes(step))
    if step.endswith("D"):
        stamps = stamps.dt.tz_convert(timezone)
    first, last = stamps.min(), stamps.max()
    if step.endswith("D"):
        first = first.normalize()
    instants = stamps.dt.tz_localize(None).to_numpy()
    start = first.tz_localize(None).to_datetime64().astype(instants.dtype)
    grid = pd.date_range(first, last, freq=step if step.endswith("D") else length)
    return grid, _places(instants, start, length)


def _places(
    instants: NDArray[np.datetime64], first: np.datetime64, length: pd.Timedelta
) -> NDArray[np.int32]:
    """Count steps from the first time stamp; -1 between steps."""
    step = length.to_timedelta64().astype(instants.dtype.str.replace("M", "m"))
    place = np.empty(len(instants), dtype=np.int32)
    for start in range(0, len(instants), ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        steps, rest = np.divmod(instants[block] - first, step)
        place[block] = np.where(rest.astype(np.int64) == 0, steps, OFF_GRID)
    return place


def _moments(
    source: str, table: pd.DataFrame, names: ForecastTable, step: str, timezone: str
) -> pd.Series[Any]:
    if names.time is not None:
        return moments(source, table, names)
    try:
        start = pd.Timestamp(str(names.start)).tz_convert(timezone)
    except (ValueError, TypeError):
        raise DataError(
            f"data.table.start={names.start!r} is no moment; expected ISO 8601 with a zone, such "
            "as 2014-12-31T13:00:00Z"
        ) from None
    stamps = pd.date_range(start, periods=len(table), freq=step).tz_convert("UTC")
    return pd.Series(stamps, index=table.index)


def _span(
    source: str, stamps: pd.Series[Any], names: ForecastTable, timezone: str
) -> NDArray[np.bool_]:
    """Tell which rows lie between the local dates that configuration names."""
    kept = np.ones(len(stamps), dtype=np.bool_)
    if names.since is not None:
        kept &= (stamps >= pd.Timestamp(names.since, tz=timezone)).to_numpy()
    if names.until is not None:
        kept &= (stamps < pd.Timestamp(names.until, tz=timezone)).to_numpy()
    if not kept.any():
        raise DataError(f"{source}: no rows between {names.since} and {names.until}")
    return kept


def _series(
    source: str, table: pd.DataFrame, names: ForecastTable, alone: str
) -> tuple[NDArray[np.integer[Any]], tuple[str, ...]]:
    """Number the series in the order in which they are met."""
    if names.series is None:
        return np.zeros(len(table), dtype=np.int32), (alone,)
    raw = table[names.series]
    missing = raw.isna()
    if missing.any():
        raise DataError(
            f"{source}: column {names.series!r}: no series is named ({int(missing.sum())}), "
            f"the first time in row {first_row(missing)}"
        )
    if not isinstance(raw.dtype, pd.CategoricalDtype):
        numbered, found = pd.factorize(raw.astype(str))
        return numbered.astype(np.int32), tuple(map(str, found))
    code = raw.cat.codes.to_numpy()
    met = pd.unique(code)
    if not np.array_equal(met, np.arange(len(met))):
        position = np.zeros(len(raw.cat.categories), dtype=code.dtype)
        position[met] = np.arange(len(met))
        code = position[code]
    return code, tuple(str(raw.cat.categories[k]) for k in met.tolist())
