"""Features of entities, items and the moment; see :mod:`loopcast_recommender.features.model`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from loopcast.api import Files, FitContext, LoopcastError, RankData, Ranker, fit_each
from loopcast_recommender.features.hyperparameters import FeatureParameters


class Features:
    """Template: candidates by history, looked at again with all that is known besides."""

    name = "recommender.features"
    task: Literal["rank"] = "rank"
    summary = "EASE, whose candidates are looked at again by features; new entities by features"
    hyperparameters = FeatureParameters

    def fit(
        self,
        family: Mapping[str, RankData],
        hyperparameters: FeatureParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Fit candidates and weights of each segment."""
        from loopcast_recommender.features.fit import fit_features

        return fit_each(family, lambda data: fit_features(data, hyperparameters, context.seed))

    def load(self, files: Files) -> Ranker:
        """Rebuild a model from its files."""
        from loopcast_recommender.features.model import load_features

        return load_features(files)
