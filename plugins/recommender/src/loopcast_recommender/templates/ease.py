"""EASE: a linear model from items to items, in closed form.

Source: H. Steck (2019), Embarrassingly shallow autoencoders for sparse data, WWW '19.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, RankData, Ranker, fit_each
from loopcast_recommender.ease.hyperparameters import EaseParameters


class Ease:
    """Template: each item is foretold by the others that the entity chose."""

    name = "recommender.ease"
    task: Literal["rank"] = "rank"
    summary = "a linear model from items to items in closed form, tuned for each segment"
    hyperparameters = EaseParameters

    def fit(
        self,
        family: Mapping[str, RankData],
        hyperparameters: EaseParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Choose the ridge and the memory of each segment, and fit it."""
        from loopcast_recommender.ease.method import EASE, Ridge
        from loopcast_recommender.history.fit import fit_tuned

        p = hyperparameters
        options = [Ridge(ridge) for ridge in p.ridges]
        return fit_each(family, lambda data: fit_tuned(data, EASE, options, p, context.seed))

    def load(self, files: Files) -> Ranker:
        """Rebuild a model from its files."""
        from loopcast_recommender.ease.method import EASE
        from loopcast_recommender.history.model import load_model

        return load_model(files, EASE)
