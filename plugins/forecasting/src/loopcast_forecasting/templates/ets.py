"""Exponential smoothing of each series.

Source: R. J. Hyndman, A. B. Koehler, J. K. Ord and R. D. Snyder, Forecasting with Exponential
Smoothing (2008). Fitted by statsmodels; see `loopcast_forecasting.univariate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, ForecastData, Forecaster, LoopcastError, fit_each
from loopcast_forecasting.univariate.hyperparameters import EtsParameters


class Ets:
    """Template: exponential smoothing of each series."""

    name = "forecasting.ets"
    task: Literal["forecast"] = "forecast"
    summary = "exponential smoothing of each series"
    hyperparameters = EtsParameters

    def fit(
        self,
        family: Mapping[str, ForecastData],
        hyperparameters: EtsParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_forecasting.univariate.model import fit_model

        return fit_each(family, partial(fit_model, settings=hyperparameters, engine=context.engine))

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its files."""
        from loopcast_forecasting.univariate.model import load_model

        return load_model(files, self.hyperparameters, self.name)
