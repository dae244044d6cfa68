"""Additive model of calendar and weather, and ARIMA of its residuals.

Sources: S. N. Wood, Generalized Additive Models, 2nd edition (2017), for the additive model;
G. E. P. Box, G. M. Jenkins, G. C. Reinsel and G. M. Ljung, Time Series Analysis, 5th edition
(2015), for the residuals. The formula of a forecast is in `loopcast_forecasting.additive.model`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, ForecastData, Forecaster, LoopcastError, fit_each
from loopcast_forecasting.additive.hyperparameters import GamArimaParameters


class GamArima:
    """Template: what calendar and weather explain, corrected by recent residuals."""

    name = "forecasting.gam_arima"
    task: Literal["forecast"] = "forecast"
    summary = "additive model of calendar and weather, with ARIMA on its recent errors"
    hyperparameters = GamArimaParameters

    def fit(
        self,
        family: Mapping[str, ForecastData],
        hyperparameters: GamArimaParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_forecasting.additive.panel import fit_model
        from loopcast_forecasting.residual.arima_step import ArimaStep

        engine = context.engine
        fit_one = partial(fit_model, hyperparameters=hyperparameters, engine=engine, step=ArimaStep)
        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its files."""
        from loopcast_forecasting.additive.model import load_model
        from loopcast_forecasting.residual.arima_step import ArimaStep

        return load_model(files, ArimaStep, self.name)
