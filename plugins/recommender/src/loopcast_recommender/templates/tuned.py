"""What templates share whose models score items by histories and tune themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from loopcast.api import Files, FitContext, LoopcastError, RankData, Ranker, fit_each

if TYPE_CHECKING:
    import numpy as np

    from loopcast_recommender.history.method import Method


class Tuned(ABC):
    """Base: subclasses name themselves, their method, and the options that it chooses from."""

    task: Literal["rank"] = "rank"
    gives_way_to = "recommender.popularity"

    @abstractmethod
    def method(self) -> Method[Any]:
        """Return how the template learns."""

    @abstractmethod
    def options(self, p: Any) -> Sequence[Any]:
        """Return what is tried on the inner validation, by hyperparameters."""

    def fit(
        self, family: Mapping[str, RankData], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Choose option and memory of each segment, and fit it."""
        return self.fit_after({}, family, hyperparameters, context)

    def fit_after(
        self,
        models: Mapping[str, Any],
        family: Mapping[str, RankData],
        hyperparameters: Any,
        context: FitContext,
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Choose option and memory of each segment, beginning at those of the model of its name."""
        from loopcast_recommender.history.fit import fit_tuned

        p, method, options = hyperparameters, self.method(), self.options(hyperparameters)

        def fit(known: tuple[Any, np.datetime64 | None, RankData]) -> Ranker:
            champion, tried, data = known
            return fit_tuned(data, method, options, p, context.seed, champion=champion, tried=tried)

        return fit_each(
            {s: (models.get(s), context.tried.get(s), data) for s, data in family.items()}, fit
        )

    def refit(
        self,
        models: Mapping[str, Any],
        family: Mapping[str, RankData],
        hyperparameters: Any,
        context: FitContext,
    ) -> Iterator[tuple[str, Ranker | LoopcastError]]:
        """Fit each segment with the option and memory of the model of its name."""
        from loopcast_recommender.history.fit import refit

        method = self.method()
        pairs = {segment: (models[segment], data) for segment, data in family.items()}
        return fit_each(pairs, lambda pair: refit(*pair, method))

    def give_way(self, model: Any) -> Ranker:
        """Return what is popular for everyone, with the same choices."""
        from loopcast_recommender.history.fit import popular

        return popular(model)

    def load(self, files: Files) -> Ranker:
        """Rebuild a model from its files."""
        from loopcast_recommender.history.model import load_model

        return load_model(files, self.method())
