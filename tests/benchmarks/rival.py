"""LightGBM with the information that a template has, as a user would set it up.

It sees the inputs of the trees in `forecasting.gam_boosted`; for the day ahead also the demand of
the days before, at the same time and as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import Forecast, ForecastData
from loopcast_forecasting.additive.model import HISTORY_DAYS
from loopcast_forecasting.boosted.inputs import member_inputs
from loopcast_forecasting.boosted.trees import OPTIONS, REPEATED
from loopcast_forecasting.direct.curves import daily_table, day_grid
from loopcast_forecasting.features import FeatureSpec, feature_matrix, feature_spec

Floats = NDArray[np.float64]
TREES = 600
DEMAND_DAYS = (1, 2, 3, 7)
SMOOTHED_HOURS = (6.0, 24.0, 50.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Rival:
    """Fitted trees of the logarithm of one series."""

    spec: FeatureSpec
    booster: Any
    lagged: bool

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        """Forecast as a template's model does."""
        times = pd.DatetimeIndex(known.times[-HISTORY_DAYS * 48 :].append(horizon))
        X = _inputs(known, self.spec, times, self.lagged)[-len(horizon) :]
        return Forecast(mean=np.exp(self.booster.predict(X, num_threads=1))[:, None])


def fit_rival(data: ForecastData, *, lagged: bool) -> Rival:
    """Fit to all actuals, with demand of the days before or without."""
    spec = feature_spec(data, SMOOTHED_HOURS)
    X = _inputs(data, spec, data.times, lagged)
    rows = lightgbm.Dataset(X, np.log(data.target.to_numpy()[:, 0]))
    booster = lightgbm.train(dict(OPTIONS), rows, num_boost_round=TREES)
    return Rival(spec=spec, booster=booster, lagged=lagged)


def _inputs(data: ForecastData, spec: FeatureSpec, times: pd.DatetimeIndex, lagged: bool) -> Floats:
    (site,) = data.sites
    features = feature_matrix(data, site, spec, times)
    X = np.column_stack(list(features.values()))
    grid = day_grid(times, data.step, times[0])
    inputs = member_inputs(X, tuple(features), grid.day, grid.per_day)
    columns = [values for name, values in inputs.items() if name not in REPEATED]
    return np.column_stack([*columns, *(_demand_before(data, times) if lagged else [])])


def _demand_before(data: ForecastData, times: pd.DatetimeIndex) -> list[Floats]:
    """Return the logarithm of demand of earlier days, NaN where it is before the data."""
    demand = np.log(data.target.to_numpy()[:, 0])[data.times >= times[0], None]
    grid = day_grid(times, data.step, times[0])
    past = day_grid(times[: len(demand)], data.step, times[0])
    days = int(grid.day[-1]) + 1
    table, known = daily_table(np.asfortranarray(demand), past, days)
    curves = np.where(known[0][:, None], table[0], np.nan)
    earlier = {k: np.vstack([np.full((k, curves.shape[1]), np.nan), curves]) for k in DEMAND_DAYS}
    yesterday = earlier[1]
    return [
        *(earlier[k][grid.day, grid.slot] for k in DEMAND_DAYS),
        *(earlier[k].mean(axis=1)[grid.day] for k in DEMAND_DAYS),
        *(yesterday[:, -steps:].mean(axis=1)[grid.day] for steps in (1, 6)),
    ]
