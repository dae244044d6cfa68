"""Alternating least squares; see :mod:`loopcast_recommender.als.method`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, RankData, Ranker, fit_each
from loopcast_recommender.als.hyperparameters import AlsParameters


class Als:
    """Template: matrix factorisation of implicit feedback."""

    name = "recommender.als"
    task: Literal["rank"] = "rank"
    summary = "factors of entities and items by alternating least squares, tuned for each segment"
    hyperparameters = AlsParameters

    def fit(
        self,
        family: Mapping[str, RankData],
        hyperparameters: AlsParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Choose factors and penalty of each segment, and fit it."""
        from loopcast_recommender.als.method import ALS, Factors
        from loopcast_recommender.history.fit import fit_tuned

        p = hyperparameters
        options = [
            Factors(
                factors=count, penalty=penalty, confidence=p.confidence, iterations=p.iterations
            )
            for count, penalty in product(p.factors, p.penalties)
        ]
        return fit_each(family, lambda data: fit_tuned(data, ALS, options, p, context.seed))

    def load(self, files: Files) -> Ranker:
        """Rebuild a model from its files."""
        from loopcast_recommender.als.method import ALS
        from loopcast_recommender.history.model import load_model

        return load_model(files, ALS)
