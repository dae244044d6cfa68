"""Gradient boosting of small trees, monotone where the user says so.

Source: J. H. Friedman, Greedy function approximation: a gradient boosting machine, The Annals of
Statistics 29 (2001); by LightGBM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, ScoreData, Scorer, fit_each
from loopcast_credit.boost.hyperparameters import BoostingParameters


class Boosting:
    """Template: boosted trees."""

    name = "credit.boosting"
    task: Literal["score"] = "score"
    summary = "boosted trees, monotone where asked"
    hyperparameters = BoostingParameters

    def fit(
        self,
        family: Mapping[str, ScoreData],
        hyperparameters: BoostingParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Scorer | LoopcastError]]:
        """Fit each segment; every segment draws rows and features by the same seed."""
        from loopcast_credit.boost.model import fit_boosting

        return fit_each(family, partial(fit_boosting, p=hyperparameters, seed=context.seed))

    def load(self, files: Files) -> Scorer:
        """Rebuild a model from its files."""
        from loopcast_credit.boost.model import load_boosted

        return load_boosted(files)
