"""Additive model, additive models by time of day and boosted trees, weighted, and a direct ridge.

The additive model stays the core: its components are what a report shows, and its trend is that
of all. Sources: those of `loopcast_forecasting.templates.gam_ridge`; of the members and their
weights, those named in `loopcast_forecasting.boosted`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, ForecastData, Forecaster, LoopcastError, fit_each
from loopcast_forecasting.additive.hyperparameters import GamBoostedParameters


class GamBoosted:
    """Template: the additive model and what boosted trees see beyond it; needs LightGBM."""

    name = "forecasting.gam_boosted"
    task: Literal["forecast"] = "forecast"
    summary = "additive model combined with boosted trees, with a direct ridge on recent errors"
    hyperparameters = GamBoostedParameters

    def fit(
        self,
        family: Mapping[str, ForecastData],
        hyperparameters: GamBoostedParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        """Fit each segment; what trees draw at random is the same in every fit."""
        from loopcast_forecasting.additive.panel import fit_model
        from loopcast_forecasting.boosted.step import BoostedStep

        engine = context.engine
        fit_one = partial(
            fit_model, hyperparameters=hyperparameters, engine=engine, step=BoostedStep
        )
        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its files."""
        from loopcast_forecasting.additive.model import load_model
        from loopcast_forecasting.boosted.step import BoostedStep

        return load_model(files, BoostedStep, self.name)
