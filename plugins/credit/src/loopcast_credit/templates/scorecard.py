"""Scorecard: points for the bin of each characteristic.

Sources: N. Siddiqi, Intelligent Credit Scoring, 2nd edition (2017), for bins, weights of evidence
and points; S. N. Wood, Generalized Additive Models, 2nd edition (2017), for weights that are held
to their neighbours', in `loopcast_credit.smooth`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, ScoreData, Scorer, fit_each
from loopcast_credit.scorecard.hyperparameters import ScorecardParameters


class Scorecard:
    """Template: points for the bin of each characteristic."""

    name = "credit.scorecard"
    task: Literal["score"] = "score"
    summary = "points for the bin of each characteristic, fitted together"
    hyperparameters = ScorecardParameters

    def fit(
        self,
        family: Mapping[str, ScoreData],
        hyperparameters: ScorecardParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Scorer | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_credit.scorecard.fit import fit_scorecard

        return fit_each(family, partial(fit_scorecard, p=hyperparameters))

    def load(self, files: Files) -> Scorer:
        """Rebuild a model from its files."""
        from loopcast_credit.additive.scorer import load_scorer

        return load_scorer(files)
