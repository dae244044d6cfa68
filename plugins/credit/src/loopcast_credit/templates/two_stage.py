"""Scorecard in two stages, the second beside what the first says.

Source: P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd edition (1989), 6.2, for an
offset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, ScoreData, Scorer, fit_each
from loopcast_credit.scorecard.hyperparameters import TwoStageParameters


class TwoStage:
    """Template: a scorecard whose first characteristics have their say before the others."""

    name = "credit.two_stage"
    task: Literal["score"] = "score"
    summary = "scorecard in two stages, the first an offset of the second"
    hyperparameters = TwoStageParameters

    def fit(
        self,
        family: Mapping[str, ScoreData],
        hyperparameters: TwoStageParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Scorer | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_credit.scorecard.staged import fit_two_stages

        return fit_each(family, partial(fit_two_stages, p=hyperparameters))

    def load(self, files: Files) -> Scorer:
        """Rebuild a model from its files."""
        from loopcast_credit.additive.scorer import load_scorer

        return load_scorer(files)
