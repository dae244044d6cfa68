"""Nearest items; see :mod:`loopcast_recommender.neighbours.method`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, RankData, Ranker, fit_each
from loopcast_recommender.neighbours.hyperparameters import NeighbourParameters


class ItemKnn:
    """Template: items that the same entities chose."""

    name = "recommender.item_knn"
    task: Literal["rank"] = "rank"
    summary = "items that were chosen by the same entities, by a shrunken cosine"
    hyperparameters = NeighbourParameters

    def fit(
        self,
        family: Mapping[str, RankData],
        hyperparameters: NeighbourParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Choose neighbours and shrinkage of each segment, and fit it."""
        from loopcast_recommender.history.fit import fit_tuned
        from loopcast_recommender.neighbours.method import NEIGHBOURS, Nearest

        p = hyperparameters
        options = [Nearest(*option) for option in product(p.neighbours, p.shrinkages)]
        return fit_each(family, lambda data: fit_tuned(data, NEIGHBOURS, options, p, context.seed))

    def load(self, files: Files) -> Ranker:
        """Rebuild a model from its files."""
        from loopcast_recommender.history.model import load_model
        from loopcast_recommender.neighbours.method import NEIGHBOURS

        return load_model(files, NEIGHBOURS)
