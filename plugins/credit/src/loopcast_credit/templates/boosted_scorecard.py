"""Boosted stumps, printed as a scorecard.

Source: J. H. Friedman, Greedy function approximation: a gradient boosting machine, The Annals of
Statistics 29 (2001), section 7 for stumps; by
LightGBM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, ScoreData, Scorer, fit_each
from loopcast_credit.boost.hyperparameters import BoostedScorecardParameters


class BoostedScorecard:
    """Template: boosted stumps, which are points for the bin of each characteristic."""

    name = "credit.boosted_scorecard"
    task: Literal["score"] = "score"
    summary = "boosted stumps, which print as a scorecard"
    hyperparameters = BoostedScorecardParameters

    def fit(
        self,
        family: Mapping[str, ScoreData],
        hyperparameters: BoostedScorecardParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Scorer | LoopcastError]]:
        """Fit each segment; every segment draws rows and features by the same seed."""
        from loopcast_credit.boost.card import fit_boosted_scorecard

        return fit_each(
            family, partial(fit_boosted_scorecard, p=hyperparameters, seed=context.seed)
        )

    def load(self, files: Files) -> Scorer:
        """Rebuild a model from its files."""
        from loopcast_credit.additive.scorer import load_scorer

        return load_scorer(files)
