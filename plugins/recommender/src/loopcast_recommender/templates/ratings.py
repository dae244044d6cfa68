"""Ratings by biases and Bayesian factors; see :mod:`loopcast_recommender.ratings.gibbs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, RankData, Ranker, fit_each
from loopcast_recommender.ratings.hyperparameters import RatingParameters


class Ratings:
    """Template: what an entity would say of an item, by which items are ranked."""

    name = "recommender.ratings"
    task: Literal["rank"] = "rank"
    summary = "expected ratings by biases and Bayesian factors, judged by their RMSE"
    hyperparameters = RatingParameters

    def fit(
        self,
        family: Mapping[str, RankData],
        hyperparameters: RatingParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Draw from the posterior of each segment, each with the seed of the run."""
        from loopcast_recommender.ratings.model import fit_ratings

        return fit_each(family, lambda data: fit_ratings(data, hyperparameters, context.seed))

    def load(self, files: Files) -> Ranker:
        """Rebuild a model from its files."""
        from loopcast_recommender.ratings.model import load_ratings

        return load_ratings(files)
