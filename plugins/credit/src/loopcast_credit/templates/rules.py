"""Expert rules: what a person would say, as a champion to beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, ScoreData, Scorer, fit_each
from loopcast_credit.rules.hyperparameters import RulesParameters


class Rules:
    """Template: rules that multiply the odds, with a level from the data."""

    name = "credit.rules"
    task: Literal["score"] = "score"
    summary = "expert rules, each of which multiplies the odds"
    hyperparameters = RulesParameters

    def fit(
        self,
        family: Mapping[str, ScoreData],
        hyperparameters: RulesParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Scorer | LoopcastError]]:
        """Fit each segment; nothing is drawn at random."""
        from loopcast_credit.rules.model import fit_rules

        return fit_each(family, partial(fit_rules, p=hyperparameters))

    def load(self, files: Files) -> Scorer:
        """Rebuild a model from its files."""
        from loopcast_credit.rules.model import load_rules

        return load_rules(files)
