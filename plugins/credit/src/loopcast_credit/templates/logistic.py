"""Logistic regression.

Source: T. Hastie, R. Tibshirani and J. Friedman, The Elements of Statistical Learning, 2nd edition
(2009), 4.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, ScoreData, Scorer, fit_each
from loopcast_credit.linear.hyperparameters import LogisticParameters


class Logistic:
    """Template: log-odds linear in numbers, and a constant for each category."""

    name = "credit.logistic"
    task: Literal["score"] = "score"
    summary = "logistic regression of numbers and categories"
    hyperparameters = LogisticParameters

    def fit(
        self,
        family: Mapping[str, ScoreData],
        hyperparameters: LogisticParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Scorer | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_credit.linear.fit import fit_logistic

        return fit_each(family, partial(fit_logistic, p=hyperparameters))

    def load(self, files: Files) -> Scorer:
        """Rebuild a model from its files."""
        from loopcast_credit.additive.scorer import load_scorer

        return load_scorer(files)
