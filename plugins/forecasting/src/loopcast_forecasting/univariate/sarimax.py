"""Regression with seasonal ARIMA errors, by statsmodels (Box, Jenkins, Reinsel & Ljung 2015).

Seasons are best given as regressors, sines and cosines of the day and the week (Hyndman &
Athanasopoulos 2021, Forecasting: Principles and Practice, section 10.5): as part of the state, a
season of s steps makes each filter step cost s³.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import DataError
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.univariate.hyperparameters import SarimaxParameters
from loopcast_forecasting.univariate.method import ITERATIONS, LEAST_WINDOW, maximum_likelihood

if TYPE_CHECKING:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

LEAST_VALUES = 10  # per parameter


@dataclass(frozen=True, kw_only=True)
class Sarimax:
    """A regression with SARIMA errors and its hyperparameters; see `Method`."""

    settings: SarimaxParameters
    per_day: int

    @property
    def window(self) -> int:
        """Return how many last steps of a series are filtered."""
        return max(self.settings.window_weeks * 7 * self.per_day, LEAST_WINDOW)

    def scale(self, values: Floats) -> tuple[float, float]:
        """Return mean and standard deviation."""
        return float(np.nanmean(values)), float(np.nanstd(values))

    def fit(self, values: Floats, X: Floats) -> Floats:
        """Return the parameters of a series, as statsmodels orders them."""
        model = self._model(values, X)
        least = LEAST_VALUES * len(model.param_names)
        if np.isfinite(values).sum() < least:
            raise DataError(
                f"{np.isfinite(values).sum()} of the last {self.window} steps have a value; "
                f"{len(model.param_names)} parameters need {least}"
            )
        return maximum_likelihood(
            "SARIMAX",
            lambda: model.fit(disp=False, maxiter=ITERATIONS, low_memory=True, cov_type="none"),
        )

    def forecast(self, params: Floats, values: Floats, X: Floats, steps: int) -> Floats:
        """Filter the values at fitted parameters and continue them."""
        past, ahead = X[: len(values)], X[len(values) :]
        filtered = self._model(values, past).filter(params, cov_type="none", low_memory=True)
        exog = ahead if ahead.shape[1] else None
        return np.asarray(filtered.forecast(steps, exog=exog), dtype=np.float64)

    def _model(self, values: Floats, X: Floats) -> SARIMAX:
        from statsmodels.tsa.statespace.sarimax import SARIMAX

        settings = self.settings
        days = int(settings.season.removesuffix("D"))
        season = days * self.per_day if any(settings.seasonal_order) else 0
        differenced = settings.order[1] + settings.seasonal_order[1]
        return SARIMAX(
            values,
            exog=X if X.shape[1] else None,
            order=settings.order,
            seasonal_order=(*settings.seasonal_order, season),
            trend="n" if differenced else "c",
        )
