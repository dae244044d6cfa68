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
from loopcast.develop.columns import written_out
from loopcast.develop.forecast.gaps import fill_gaps
from loopcast.develop.forecast.long_table import LongTable, read_long_table
from loopcast.develop.forecast.panel import Numbers, row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.settings import ForecastTable

COLUMNS_AT_ONCE = 128


@dataclass(frozen=True, eq=False, kw_only=True)
class Prepared:
    """A panel that satisfies its schema, and what is to be said about it.

    Attributes
    ----------
    data
        Actuals, and covariates through the end of the table.
    filled : DataFrame, shape (time, series), bool
        Which actuals were not measured but filled in; ``None`` where none was.
    """

    data: ForecastData
    filled: pd.DataFrame | None


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
    sites = _site_of(long, schema)
    laid = check.target(long, schema, sites)
    covariates = {
        name: check.covariate(long, name, schema.covariates[name], sites)
        for name in schema.covariates
    }
    target, filled = _complete_target(laid, list(sites), long, schema, names)
    data = ForecastData(
        target=target,
        covariates=covariates,
        sites=schema.sites,
        site_of=sites,
        step=schema.step,
        timezone=schema.timezone,
        horizon=schema.horizon,
        unit=schema.unit,
    )
    return Prepared(data=data, filled=filled)


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

    def long_table(self, table: pd.DataFrame, schema: ForecastSchema) -> LongTable:
        """Find the time and the series of each row, and that none is there twice."""
        long = read_long_table(
            self.source,
            table,
            self.names,
            step=schema.step,
            timezone=schema.timezone,
            horizon=schema.horizon,
            alone="" if self.names.series else self._one(schema),
        )
        long.check_repeats()
        return long

    def _one(self, schema: ForecastSchema) -> str:
        names = list(schema.series) or ["series"]
        if len(names) > 1:
            raise DataError(
                f"{self.source}: the schema has {len(names)} series; "
                "data.table.series must name the column that tells them apart"
            )
        return names[0]

    def target(self, long: LongTable, schema: ForecastSchema, sites: dict[str, str]) -> Numbers:
        """Shape the target to (time, series) and check its values."""
        column = self.names.target
        values = self._numbers(long, column)
        if self.names.scale != 1.0:
            values = values * self.names.scale
        bad = values < 0
        if not schema.negative and bad.any():
            first = int(np.argmax(bad))
            raise DataError(
                f"{self.source}: column {column!r}: negative values ({int(bad.sum())}), the first "
                f"{values[first]:g} at {long.described(first)}; expected {schema.unit} of at "
                "least 0, or logical_model.schema.negative=true"
            )
        self._on_grid(long, values, schema)
        position = {name: k for k, name in enumerate(sites)}
        laid = long.wide(values, [position[name] for name in long.names], len(sites))
        if self.names.gaps != "tolerate":
            self._no_series_absent(long, laid, list(sites))
        return laid

    def _on_grid(self, long: LongTable, values: Numbers, schema: ForecastSchema) -> None:
        """Steps follow each other, and a local day begins with one."""
        begins = f"the {schema.step} grid that begins at {long.grid[0]}"
        off = long.off_grid(values)
        if len(off):
            raise DataError(
                f"{self.source}: time stamps off {begins} ({len(off)}), the first {off[0]}"
            )
        local = long.grid.tz_convert(schema.timezone)
        midnights = local.normalize().unique()[1:]
        missed = midnights.difference(local)
        if len(missed):
            raise DataError(
                f"{self.source}: {len(missed)} local midnights are off {begins}, the first "
                f"{missed[0]}; expected a step at the beginning of each day in {schema.timezone}"
            )

    def _no_series_absent(self, long: LongTable, laid: Numbers, names: list[str]) -> None:
        absent = [names[k] for k in np.flatnonzero(np.isnan(np.fmin.reduce(laid, axis=0)))]
        if absent:
            raise DataError(
                f"{self.source}: no data for series {', '.join(absent)}; "
                f"found {', '.join(sorted(long.names))}"
            )

    def covariate(
        self, long: LongTable, name: str, covariate: Covariate, sites: dict[str, str]
    ) -> pd.DataFrame:
        """Shape a covariate to (time, site) and check its values.

        A site's values are those of its first series; where that has none, of any other.
        """
        column = self.names.covariates[name]
        values = self._numbers(long, column)
        self._in_bounds(long, column, values, covariate)
        used = list(dict.fromkeys(sites.values()))
        leading = {site: series for series, site in reversed(sites.items())}
        of_site = [used.index(sites[series]) for series in long.names]
        first = [
            place if leading[used[place]] == series else -1
            for place, series in zip(of_site, long.names, strict=True)
        ]
        laid = long.wide(values, first, len(used))
        if len(long.names) > len(used) and np.isnan(laid).any():
            laid = np.where(np.isnan(laid), long.wide(values, of_site, len(used)), laid)
        return pd.DataFrame(
            laid.astype(np.float64), index=long.grid.rename("time"), columns=used, copy=False
        ).tz_convert("UTC")

    def _numbers(self, long: LongTable, column: str) -> Numbers:
        raw = written_out(long.table[column])
        values: Numbers
        if raw.dtype in (np.float32, np.float64):
            values = raw.to_numpy()
            bad = np.isinf(values)
        elif raw.dtype in (np.bool_, np.int8, np.int16):
            return raw.to_numpy(np.float32)
        else:
            values = pd.to_numeric(raw, errors="coerce").to_numpy(np.float64, na_value=np.nan)
            bad = (np.isnan(values) & raw.notna().to_numpy()) | np.isinf(values)
        if bad.any():
            first = int(np.argmax(bad))
            raise DataError(
                f"{self.source}: column {column!r} is not numeric: {raw.iloc[first]!r} in row "
                f"{long.row[first]} (rows like it: {int(bad.sum())}); expected finite numbers"
            )
        return values

    def _in_bounds(
        self, long: LongTable, column: str, values: Numbers, covariate: Covariate
    ) -> None:
        low, high = covariate.minimum, covariate.maximum
        if covariate.kind == "flag":
            bad = ~np.isnan(values) & (values != 0.0) & (values != 1.0)
            expected = "0 or 1"
        else:
            bad = (values < (-np.inf if low is None else low)) | (
                values > (np.inf if high is None else high)
            )
            bounds = " and ".join(f"{bound:g}" for bound in (low, high) if bound is not None)
            between = "between" if None not in (low, high) else "within"
            expected = f"{covariate.unit} {between} {bounds}".strip()
        if bad.any():
            first = int(np.argmax(bad))
            raise DataError(
                f"{self.source}: column {column!r}: values out of bounds ({int(bad.sum())}), the "
                f"first {values[first]:g} at {long.described(first)}; expected {expected}"
            )


def _site_of(long: LongTable, schema: ForecastSchema) -> dict[str, str]:
    """Return the site of each series, all of the data's where the schema lists none."""
    if not schema.series:
        return dict.fromkeys(long.names, next(iter(schema.sites)))
    unknown = [name for name in long.names if name not in schema.series]
    if unknown:
        raise DataError(
            f"{long.source}: unknown series {unknown[0]!r}; the schema has "
            f"{', '.join(schema.series)}"
        )
    return dict(schema.series)


def _complete_target(
    laid: Numbers,
    series: list[str],
    long: LongTable,
    schema: ForecastSchema,
    names: ForecastTable,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Cut the actuals after the last of them, and fill gaps where configuration says so."""
    missing = np.isnan(laid)
    observed = np.flatnonzero(~missing.all(axis=1))
    if not len(observed):
        raise DataError(f"{long.source}: column {names.target!r} has no actual at all")
    end = observed[-1] + 1
    laid, missing = laid[:end], missing[:end]
    times = long.grid[:end].tz_convert(schema.timezone).rename("time")
    if missing.any() and names.gaps == "refuse":
        row, column = np.argwhere(missing)[0]
        raise DataError(
            f"{long.source}: column {names.target!r}: missing values ({int(missing.sum())}), the "
            f"first at {times[row]} for series {series[column]}; expected a value "
            f"for each {schema.step} step, or data.table.gaps=impute to fill them in"
        )
    for gappy in _few(np.flatnonzero(missing.any(axis=0))):
        part = pd.DataFrame(laid[:, gappy], times, [series[k] for k in gappy])
        whole = fill_gaps(part, schema, long.source, tolerate=names.gaps == "tolerate").to_numpy()
        missing[:, gappy] &= ~np.isnan(whole)
        laid[:, gappy] = whole
    target, filled = (
        pd.DataFrame(each, index=times, columns=series, copy=False) for each in (laid, missing)
    )
    return target, filled if missing.any() else None


def _few(columns: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Cut columns into parts that need little memory at once."""
    return [columns[k : k + COLUMNS_AT_ONCE] for k in range(0, len(columns), COLUMNS_AT_ONCE)]


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
                f"{source}: column {names.covariates[name]!r}: no value of {name} "
                f"{where} ({int(missing.sum())} missing), the first at {grid[row]} for site "
                f"{filled.columns[column]}; a forecast needs one for each step until {end}"
            )
        complete[name] = filled
    return replace(data, covariates=complete)


def dataset_record(
    name: str, data: ForecastData, origin_text: str, filled: pd.DataFrame | None = None
) -> Dataset:
    """Describe a panel, with a fingerprint of its content.

    The fingerprint covers the actuals, which of them were filled in, the covariates over the same
    time, names, step, zone and unit; it does not depend on the file format.

    Parameters
    ----------
    filled : DataFrame, shape (time, series), bool
        Which actuals were not measured; ``None`` where all were.
    """
    digest = hashlib.sha256()
    header = [data.step, data.timezone, data.unit, *data.series, *data.site_of.values()]
    digest.update("\x1f".join(header).encode())
    stamps = data.times.tz_convert("UTC").as_unit("ns").asi8
    digest.update(stamps.tobytes())
    values = data.target.to_numpy()
    for rows in row_blocks(values):
        digest.update(np.ascontiguousarray(values[rows], dtype=np.float64).data)
    for covariate, frame in sorted(data.covariates.items()):
        past = frame.loc[: data.times[-1]]
        digest.update("\x1f".join([covariate, *map(str, past.columns)]).encode())
        digest.update(np.ascontiguousarray(past.to_numpy(np.float64)).tobytes())
    if filled is not None:
        digest.update(np.packbits(filled.to_numpy(), axis=1).tobytes())
    return Dataset(
        name=name,
        fingerprint=digest.hexdigest(),
        origin=origin_text,
        rows=int(data.target.size),
        start=data.times[0].to_pydatetime(),
        end=data.times[-1].to_pydatetime(),
        imputed=0 if filled is None else int(np.count_nonzero(filled)),
    )
