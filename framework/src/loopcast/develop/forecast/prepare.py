"""From a table to a validated panel: every check that input data must pass.

Each failure is one :class:`DataError` that names the source, the column, the first bad row or
time, how many there are, and what would be right.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import Covariate, DataError, Dataset, ForecastData, ForecastSchema
from loopcast.develop.forecast.gaps import fill_gaps

if TYPE_CHECKING:
    from loopcast.settings import ForecastTable


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A panel that satisfies its schema, and what is to be said about it.

    Attributes
    ----------
    data
        Actuals, and covariates through the end of the table.
    origin_text
        Where the data came from, for messages.
    imputed
        Number of actuals that were filled in.
    """

    data: ForecastData
    origin_text: str
    imputed: int


def prepare_forecast(
    table: pd.DataFrame, names: ForecastTable, schema: ForecastSchema, origin_text: str
) -> Prepared:
    """Check a table against a forecast schema and shape it into a panel.

    Parameters
    ----------
    table
        One row for each time and series.
    names
        Which column is what.
    schema
        What the logical model expects.
    origin_text
        Where the table came from.

    Raises
    ------
    DataError
        Where the table does not satisfy the schema.
    """
    check = _Checker(origin_text, names)
    check.columns(table, schema)
    long = check.long_table(table, schema)
    series = _series_of(long, schema, origin_text)
    target = check.target(long, schema, series)
    covariates = {
        name: check.covariate(long, name, schema.covariates[name], series)
        for name in schema.covariates
    }
    target, imputed = _complete_target(target, schema, names, origin_text)
    data = ForecastData(
        target=target,
        covariates=covariates,
        sites=schema.sites,
        site_of=series,
        step=schema.step,
        timezone=schema.timezone,
        horizon=schema.horizon,
        unit=schema.unit,
    )
    return Prepared(data=data, origin_text=origin_text, imputed=imputed)


class _Checker:
    """Checks of one table, with its name and columns at hand for the messages."""

    def __init__(self, source: str, names: ForecastTable) -> None:
        self.source = source
        self.names = names

    def columns(self, table: pd.DataFrame, schema: ForecastSchema) -> None:
        """Every column that configuration names is there, and there is a row."""
        absent = [name for name in schema.covariates if name not in self.names.covariates]
        if absent:
            raise DataError(
                f"{self.source}: the schema has covariate {absent[0]!r}, but "
                "data.table.covariates names no column for it"
            )
        wanted = [self.names.target, *(self.names.covariates[n] for n in schema.covariates)]
        wanted += [name for name in (self.names.time, self.names.series) if name]
        for column in wanted:
            if column not in table.columns:
                near = difflib.get_close_matches(column, map(str, table.columns), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise DataError(
                    f"{self.source}: no column {column!r}{hint} "
                    f"(columns: {', '.join(map(str, table.columns))})"
                )
        if table.empty:
            raise DataError(f"{self.source}: no rows; expected one for each {schema.step} step")

    def long_table(self, table: pd.DataFrame, schema: ForecastSchema) -> pd.DataFrame:
        """Give the table canonical columns: time (UTC), series, row, and the rest as it is."""
        series = table[self.names.series].astype(str) if self.names.series else self._one(schema)
        long = table.assign(
            _time=self._times(table, schema), _series=series, _row=np.arange(1, len(table) + 1)
        )
        long = self._span(long, schema.timezone)
        repeated = long.duplicated(["_time", "_series"], keep="first")
        if repeated.any():
            first = long[repeated].iloc[0]
            raise DataError(
                f"{self.source}: {int(repeated.sum())} duplicate time stamps, the first at "
                f"{first['_time']} for series {first['_series']} (row {first['_row']}); "
                "expected one row for each time and series"
            )
        return long

    def _one(self, schema: ForecastSchema) -> str:
        names = list(schema.series) or ["series"]
        if len(names) > 1:
            raise DataError(
                f"{self.source}: the schema has {len(names)} series; "
                "data.table.series must name the column that tells them apart"
            )
        return names[0]

    def _times(self, table: pd.DataFrame, schema: ForecastSchema) -> pd.Series:
        if self.names.time is None:
            start = pd.Timestamp(str(self.names.start))
            stamps = pd.date_range(start, periods=len(table), freq=schema.step).tz_convert("UTC")
            return pd.Series(stamps, index=table.index)
        raw = table[self.names.time]
        missing = raw.isna()
        if missing.any():
            raise DataError(
                f"{self.source}: column {self.names.time!r}: {int(missing.sum())} missing time "
                f"stamps, the first in row {_first_row(missing)}"
            )
        try:
            times = pd.to_datetime(raw, errors="raise", format=_time_format(raw))
        except (ValueError, TypeError, OverflowError):
            bad = pd.to_datetime(raw.astype(str), errors="coerce", format="ISO8601", utc=True)
            row = _first_row(bad.isna()) if bad.isna().any() else 1
            raise DataError(
                f"{self.source}: column {self.names.time!r}: {raw.iloc[row - 1]!r} in row {row} "
                "is not a time stamp; expected ISO 8601 with a zone, such as "
                "2014-12-31T13:00:00Z"
            ) from None
        if not isinstance(times.dtype, pd.DatetimeTZDtype):
            raise DataError(
                f"{self.source}: column {self.names.time!r}: time stamps have no zone (first: "
                f"{raw.iloc[0]}); expected UTC or an offset, such as 2014-12-31T13:00:00Z"
            )
        return times.dt.tz_convert("UTC")

    def _span(self, long: pd.DataFrame, timezone: str) -> pd.DataFrame:
        if self.names.since is not None:
            long = long[long["_time"] >= pd.Timestamp(self.names.since, tz=timezone)]
        if self.names.until is not None:
            long = long[long["_time"] < pd.Timestamp(self.names.until, tz=timezone)]
        if long.empty:
            raise DataError(
                f"{self.source}: no rows between {self.names.since} and {self.names.until}"
            )
        return long

    def target(
        self, long: pd.DataFrame, schema: ForecastSchema, series: dict[str, str]
    ) -> pd.DataFrame:
        """Shape the target to (time, series) and check its values."""
        column = self.names.target
        values = self._numbers(long, column) * self.names.scale
        bad = values < 0
        if not schema.negative and bad.any():
            raise DataError(
                f"{self.source}: column {column!r}: {int(bad.sum())} negative values, the first "
                f"{values[bad].iloc[0]:g} at {long['_time'][bad].iloc[0]} "
                f"(row {long['_row'][bad].iloc[0]}); expected {schema.unit} of at least 0"
            )
        wide = _wide(long, values)
        absent = [name for name in series if name not in wide or wide[name].notna().sum() == 0]
        if absent:
            raise DataError(
                f"{self.source}: no data for series {', '.join(absent)}; "
                f"found {', '.join(map(str, wide.columns))}"
            )
        return wide[list(series)]

    def covariate(
        self, long: pd.DataFrame, name: str, covariate: Covariate, series: dict[str, str]
    ) -> pd.DataFrame:
        """Shape a covariate to (time, site) and check its values."""
        column = self.names.covariates[name]
        values = self._numbers(long, column)
        self._in_bounds(long, column, values, covariate)
        wide = _wide(long, values)
        site_series = {site: member for member, site in reversed(series.items())}
        return wide[[site_series[site] for site in site_series]].set_axis(
            list(site_series), axis="columns"
        )

    def _numbers(self, long: pd.DataFrame, column: str) -> pd.Series:
        raw = long[column]
        numbers = pd.to_numeric(raw, errors="coerce").astype(np.float64)
        bad = (numbers.isna() & raw.notna()) | np.isinf(numbers)
        if bad.any():
            raise DataError(
                f"{self.source}: column {column!r} is not numeric: {raw[bad].iloc[0]!r} in row "
                f"{long['_row'][bad].iloc[0]} ({int(bad.sum())} such rows); "
                "expected finite numbers"
            )
        return numbers

    def _in_bounds(
        self, long: pd.DataFrame, column: str, values: pd.Series, covariate: Covariate
    ) -> None:
        low, high = covariate.minimum, covariate.maximum
        if covariate.kind == "flag":
            bad = values.notna() & ~values.isin([0.0, 1.0])
            expected = "0 or 1"
        else:
            bad = (values < (-np.inf if low is None else low)) | (
                values > (np.inf if high is None else high)
            )
            bounds = " and ".join(f"{bound:g}" for bound in (low, high) if bound is not None)
            between = "between" if None not in (low, high) else "within"
            expected = f"{covariate.unit} {between} {bounds}".strip()
        if bad.any():
            raise DataError(
                f"{self.source}: column {column!r}: {int(bad.sum())} values out of bounds, the "
                f"first {values[bad].iloc[0]:g} at {long['_time'][bad].iloc[0]} "
                f"(row {long['_row'][bad].iloc[0]}); expected {expected}"
            )


def _time_format(raw: pd.Series) -> str | None:
    return "ISO8601" if raw.dtype == object or isinstance(raw.dtype, pd.StringDtype) else None


def _first_row(flags: pd.Series) -> int:
    return int(np.argmax(flags.to_numpy())) + 1


def _wide(long: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    wide = long.assign(_value=values).pivot(index="_time", columns="_series", values="_value")
    return wide.sort_index().rename_axis(index="time", columns=None)


def _series_of(long: pd.DataFrame, schema: ForecastSchema, source: str) -> dict[str, str]:
    """Return the site of each series, all of the data's where the schema lists none."""
    found = list(dict.fromkeys(long["_series"]))
    if not schema.series:
        return dict.fromkeys(found, next(iter(schema.sites)))
    unknown = [name for name in found if name not in schema.series]
    if unknown:
        raise DataError(
            f"{source}: unknown series {unknown[0]!r}; the schema has {', '.join(schema.series)}"
        )
    return dict(schema.series)


def _complete_target(
    target: pd.DataFrame, schema: ForecastSchema, names: ForecastTable, source: str
) -> tuple[pd.DataFrame, int]:
    """Put the actuals on a regular grid that ends with the last of them."""
    last = target.dropna(how="all").index[-1]
    grid = pd.date_range(target.index[0], last, freq=schema.step)
    off_grid = target.index[~target.index.isin(grid) & (target.index <= last)]
    if len(off_grid):
        raise DataError(
            f"{source}: {len(off_grid)} time stamps off the {schema.step} grid that begins at "
            f"{grid[0]}, the first {off_grid[0]}"
        )
    target = target.reindex(grid).tz_convert(schema.timezone).rename_axis("time")
    missing = target.isna().to_numpy()
    if not missing.any():
        return target, 0
    row, column = np.argwhere(missing)[0]
    if names.gaps == "refuse":
        raise DataError(
            f"{source}: column {names.target!r}: {int(missing.sum())} missing values, the first "
            f"at {target.index[row]} for series {target.columns[column]}; expected a value for "
            f"each {schema.step} step, or data.table.gaps=impute to fill them in"
        )
    return fill_gaps(target, schema, source), int(missing.sum())


def covariates_through(
    data: ForecastData, end: pd.Timestamp, source: str, names: ForecastTable
) -> ForecastData:
    """Check that covariates are complete from the first actual to ``end`` and cut them there.

    Parameters
    ----------
    data
        A panel whose covariates may have gaps.
    end
        The first time stamp after the horizon.

    Raises
    ------
    DataError
        Naming the covariate, the first missing time, and whether it is in the horizon.
    """
    start = data.times[0]
    grid = pd.date_range(start, end, freq=data.step, inclusive="left")
    complete: dict[str, pd.DataFrame] = {}
    for name, frame in data.covariates.items():
        filled = frame.reindex(grid.tz_convert("UTC")).set_axis(grid, axis="index")
        missing = filled.isna().to_numpy()
        if missing.any():
            row, column = np.argwhere(missing)[0]
            where = "over the horizon" if grid[row] > data.times[-1] else "in the past"
            raise DataError(
                f"{source}: column {names.covariates[name]!r}: {int(missing.sum())} values of "
                f"{name} missing {where}, the first at {grid[row]} for site "
                f"{filled.columns[column]}; a forecast needs one for each step until {end}"
            )
        complete[name] = filled
    return replace(data, covariates=complete)


def dataset_record(name: str, data: ForecastData, origin_text: str, imputed: int = 0) -> Dataset:
    """Describe a panel, with a fingerprint of its content.

    The fingerprint covers the actuals, the covariates over the same time, names, step, zone
    and unit; it does not depend on the file format.
    """
    digest = hashlib.sha256()
    header = [data.step, data.timezone, data.unit, *data.series, *data.site_of.values()]
    digest.update("\x1f".join(header).encode())
    stamps = data.times.tz_convert("UTC").as_unit("ns").asi8
    digest.update(stamps.tobytes())
    digest.update(np.ascontiguousarray(data.target.to_numpy(np.float64)).tobytes())
    for covariate, frame in sorted(data.covariates.items()):
        past = frame.loc[: data.times[-1]]
        digest.update("\x1f".join([covariate, *map(str, past.columns)]).encode())
        digest.update(np.ascontiguousarray(past.to_numpy(np.float64)).tobytes())
    return Dataset(
        name=name,
        fingerprint=digest.hexdigest(),
        origin=origin_text,
        rows=int(data.target.size),
        start=data.times[0].to_pydatetime(),
        end=data.times[-1].to_pydatetime(),
        imputed=imputed,
    )
