"""Test scenarios of a forecast: a few weeks of each level's panel, and what the model answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from loopcast.api import Forecast, ForecastData, ForecastQuery, Record, Scenario, Site
from loopcast.api.formats import json_bytes, npz_bytes, read_npz
from loopcast.develop.forecast.horizon import horizon_end, horizon_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCENARIO_DAYS = 35
"""Days of actuals that a test scenario carries before its origin."""


class _Panel(Record, frozen=True):
    """What a panel is beside its numbers."""

    series: tuple[str, ...]
    sites: dict[str, Site]
    site_of: dict[str, str]
    columns: tuple[str, ...]
    step: str
    timezone: str
    horizon: str
    unit: str


def scenario_data(level: ForecastData) -> tuple[ForecastData, pd.Timestamp]:
    """Cut the last weeks out of a panel; the origin is one horizon before the last midnight."""
    end = level.times[-1].normalize()
    start = end - pd.DateOffset(days=SCENARIO_DAYS)
    cut = replace(
        level,
        target=level.target.loc[start:],
        covariates={name: frame.loc[start:] for name, frame in level.covariates.items()},
    )
    return cut, end - pd.DateOffset(days=int(level.horizon.removesuffix("D")))


def scenario_bytes(data: ForecastData, origin: pd.Timestamp, answer: NDArray[np.float64]) -> bytes:
    """Encode a scenario: what was known at its origin, and the answer to it."""
    known = data.until(origin, horizon_end(origin, data.horizon))
    columns = next((tuple(map(str, f.columns)) for f in known.covariates.values()), ())
    panel = _Panel(
        series=known.series,
        sites=dict(known.sites),
        site_of={name: known.site_of[name] for name in known.series},
        columns=columns,
        step=known.step,
        timezone=known.timezone,
        horizon=known.horizon,
        unit=known.unit,
    )
    longest = max((f.index for f in known.covariates.values()), key=len, default=known.times)
    arrays: dict[str, Any] = {
        "panel": np.array(json_bytes(msgspec.to_builtins(panel)).decode()),
        "origin": np.array(origin.isoformat()),
        "times": pd.DatetimeIndex(longest).tz_convert("UTC").as_unit("s").asi8,
        "target": known.target.to_numpy(),
        "expected": answer,
    }
    for name, frame in known.covariates.items():
        arrays[f"covariate_{name}"] = frame.loc[:, list(columns)].to_numpy(np.float64)
    return npz_bytes(arrays)


def read_scenario(name: str, content: bytes) -> Scenario:
    """Decode a scenario.

    Raises
    ------
    ModelError
        When the bytes are no archive of arrays.
    """
    arrays = read_npz(content)
    panel = msgspec.json.decode(str(arrays["panel"]), type=_Panel)
    utc = pd.DatetimeIndex(pd.to_datetime(arrays["times"], unit="s", utc=True))
    times = utc.tz_convert(panel.timezone)
    values = {
        key.removeprefix("covariate_"): array
        for key, array in arrays.items()
        if key.startswith("covariate_")
    }
    target = arrays["target"]
    known = ForecastData(
        target=pd.DataFrame(target, index=times[: len(target)], columns=list(panel.series)),
        covariates={
            key: pd.DataFrame(array, index=times[: len(array)], columns=list(panel.columns))
            for key, array in values.items()
        },
        sites=panel.sites,
        site_of=panel.site_of,
        step=panel.step,
        timezone=panel.timezone,
        horizon=panel.horizon,
        unit=panel.unit,
    )
    origin = pd.Timestamp(str(arrays["origin"])).tz_convert(panel.timezone)
    query = ForecastQuery(known=known, horizon=horizon_index(origin, panel.horizon, panel.step))
    return Scenario(name=name, inputs=query, answer=Forecast(mean=arrays["expected"]))
