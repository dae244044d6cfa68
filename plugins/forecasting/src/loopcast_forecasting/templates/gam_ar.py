"""Additive model of calendar and weather, and a sparse autoregression of its residuals.

Sources: S. N. Wood, Generalized Additive Models, 2nd edition (2017), for the additive model;
J. Makhoul, Linear prediction, Proceedings of the IEEE 63 (1975), for the residuals. The formula of
a forecast is in `loopcast_forecasting.additive.model`, that of its residual step in
`loopcast_forecasting.residual.ar`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, ForecastData, Forecaster, LoopcastError, fit_each
from loopcast_forecasting.additive.hyperparameters import GamArParameters


class GamAr:
    """Template: what calendar and weather explain, corrected by recent residuals."""

    name = "forecasting.gam_ar"
    task: Literal["forecast"] = "forecast"
    summary = "additive model of calendar and weather, with autoregression of its recent errors"
    hyperparameters = GamArParameters

    def fit(
        self,
        family: Mapping[str, ForecastData],
        hyperparameters: GamArParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_forecasting.additive.panel import fit_model
        from loopcast_forecasting.residual.ar_step import ArStep

        engine = context.engine
        fit_one = partial(fit_model, hyperparameters=hyperparameters, engine=engine, step=ArStep)
        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its files."""
        from loopcast_forecasting.additive.model import load_model
        from loopcast_forecasting.residual.ar_step import ArStep

        return load_model(files, ArStep, self.name)
