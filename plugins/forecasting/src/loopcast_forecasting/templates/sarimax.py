"""Regression on calendar and covariates with SARIMA errors, for each series.

Source: G. E. P. Box, G. M. Jenkins, G. C. Reinsel and G. M. Ljung, Time Series Analysis, 5th
edition (2015). Fitted by statsmodels; see `loopcast_forecasting.univariate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, ForecastData, Forecaster, LoopcastError, fit_each
from loopcast_forecasting.univariate.hyperparameters import SarimaxParameters


class Sarimax:
    """Template: regression on calendar and covariates with SARIMA errors, for each series."""

    name = "forecasting.sarimax"
    task: Literal["forecast"] = "forecast"
    summary = "regression on calendar and covariates with SARIMA errors, for each series"
    hyperparameters = SarimaxParameters

    def fit(
        self,
        family: Mapping[str, ForecastData],
        hyperparameters: SarimaxParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_forecasting.univariate.model import fit_model

        return fit_each(family, partial(fit_model, settings=hyperparameters, engine=context.engine))

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its files."""
        from loopcast_forecasting.univariate.model import load_model

        return load_model(files, self.hyperparameters, self.name)
