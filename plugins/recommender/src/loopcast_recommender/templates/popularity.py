"""Popularity, the baseline of all recommenders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from loopcast.api import (
    Files,
    FitContext,
    Hyperparameters,
    LoopcastError,
    RankData,
    Ranker,
    fit_each,
)


class PopularityParameters(Hyperparameters, frozen=True):
    """Popularity has nothing to set."""


class Popularity:
    """Template: what most entities chose."""

    name = "recommender.popularity"
    task: Literal["rank"] = "rank"
    summary = "what most entities chose, the same for everyone"
    hyperparameters = PopularityParameters

    def fit(
        self,
        family: Mapping[str, RankData],
        hyperparameters: PopularityParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Count in each segment; nothing is drawn at random."""
        from loopcast_recommender.popularity import fit_popularity

        return fit_each(family, fit_popularity)

    def load(self, files: Files) -> Ranker:
        """Rebuild a model from its files."""
        from loopcast_recommender.popularity import load_popularity

        return load_popularity(files)
