"""Exponential smoothing in state space form, by statsmodels.

Smoothing parameters maximise the likelihood; the first states are the usual averages (Hyndman,
Koehler, Ord & Snyder 2008, Forecasting with Exponential Smoothing, section 2.6.1). At an origin a
series is smoothed anew over the same length of the past, with the parameters that were fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import DataError
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.univariate.hyperparameters import EtsParameters
from loopcast_forecasting.univariate.method import ITERATIONS, LEAST_WINDOW, maximum_likelihood

if TYPE_CHECKING:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

LEAST_VALUES = 10  # without a season
LEAST_SEASONS = 2


@dataclass(frozen=True, kw_only=True)
class Ets:
    """Exponential smoothing with its hyperparameters; see `Method`."""

    settings: EtsParameters
    per_day: int

    @property
    def window(self) -> int:
        """Return how many last steps of a series are smoothed."""
        return max(self.settings.window_weeks * 7 * self.per_day, LEAST_WINDOW)

    @property
    def season(self) -> int:
        """Return the length of the season in steps; 1 where there is none."""
        if self.settings.seasonal == "none":
            return 1
        return int(self.settings.season.removesuffix("D")) * self.per_day

    def scale(self, values: Floats) -> tuple[float, float]:
        """Return no shift, since signs count, and the mean size."""
        return 0.0, float(np.nanmean(np.abs(values)))

    def fit(self, values: Floats, X: Floats) -> Floats:
        """Return the smoothing parameters of a series; regressors have no part in it."""
        model = self._model(values)
        return maximum_likelihood(
            "exponential smoothing", lambda: model.fit(disp=False, maxiter=ITERATIONS)
        )

    def forecast(self, params: Floats, values: Floats, X: Floats, steps: int) -> Floats:
        """Smooth the values at fitted parameters and continue them."""
        return np.asarray(self._model(values).smooth(params).forecast(steps), dtype=np.float64)

    def _model(self, values: Floats) -> ETSModel:
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        settings, season = self.settings, self.season
        least = max(LEAST_VALUES, LEAST_SEASONS * season)
        if np.isfinite(values).sum() < least:
            raise DataError(
                f"{np.isfinite(values).sum()} of the last {self.window} steps have a value; "
                f"exponential smoothing needs {least}"
            )
        complete = fill_gaps(values, season)
        if "mul" in (settings.error, settings.trend, settings.seasonal) and complete.min() <= 0:
            raise DataError("values are not all positive; multiplicative smoothing needs that")
        return ETSModel(
            complete,
            error=settings.error,
            trend=None if settings.trend == "none" else settings.trend,
            damped_trend=settings.damped and settings.trend != "none",
            seasonal=None if season == 1 else settings.seasonal,
            seasonal_periods=None if season == 1 else season,
            initialization_method="heuristic",
        )


def fill_gaps(values: Floats, season: int) -> Floats:
    """Put the value of a season before where one is missing, else what lies between neighbours.

    Examples
    --------
    >>> fill_gaps(np.array([np.nan, 2.0, 3.0, np.nan, np.nan, 6.0]), 2)
    array([2., 2., 3., 2., 3., 6.])
    """
    filled = values.copy()
    for k in np.flatnonzero(np.isnan(values)):
        filled[k] = filled[k - season] if k >= season else np.nan
    known = np.isfinite(filled)
    rows = np.arange(len(filled))
    return np.where(known, filled, np.interp(rows, rows[known], filled[known]))
