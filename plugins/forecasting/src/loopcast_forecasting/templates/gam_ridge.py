"""Additive model of calendar and weather, and a direct ridge on its out-of-sample residuals.

Sources: S. N. Wood, Generalized Additive Models, 2nd edition (2017), for the additive model;
A. E. Hoerl and R. W. Kennard, Ridge regression, Technometrics 12 (1970), and S. Ben Taieb,
G. Bontempi, A. F. Atiya and A. Sorjamaa, A review and comparison of strategies for multi-step
ahead time series forecasting, Expert Systems with Applications 39 (2012), for the residuals. The
formula of a forecast is in `loopcast_forecasting.additive.model`, that of its residual step in
`loopcast_forecasting.direct.step`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, ForecastData, Forecaster, LoopcastError, fit_each
from loopcast_forecasting.additive.hyperparameters import GamRidgeParameters


class GamRidge:
    """Template: what calendar and weather explain, corrected by the residuals of recent days."""

    name = "forecasting.gam_ridge"
    task: Literal["forecast"] = "forecast"
    summary = "additive model of calendar and weather, with a direct ridge on its recent errors"
    hyperparameters = GamRidgeParameters

    def fit(
        self,
        family: Mapping[str, ForecastData],
        hyperparameters: GamRidgeParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_forecasting.additive.panel import fit_model
        from loopcast_forecasting.direct.step import DirectStep

        engine = context.engine
        fit_one = partial(
            fit_model, hyperparameters=hyperparameters, engine=engine, step=DirectStep
        )
        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its files."""
        from loopcast_forecasting.additive.model import load_model
        from loopcast_forecasting.direct.step import DirectStep

        return load_model(files, DirectStep, self.name)
