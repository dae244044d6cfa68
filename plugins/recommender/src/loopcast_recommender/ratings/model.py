"""A fitted model of ratings: draws from its posterior, whose mean is the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Files, RankData, Ranking, RankQuery, npz_bytes, read_npz
from loopcast_recommender.interactions import refuse_nothing
from loopcast_recommender.lists import rank
from loopcast_recommender.ratings.gibbs import posterior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast_recommender.ratings.hyperparameters import RatingParameters

    Floats32 = NDArray[np.float32]

_FILE = "ratings.npz"


@dataclass(frozen=True, eq=False, kw_only=True)
class RatingModel:
    """A fitted model.

    Attributes
    ----------
    entities : ndarray, shape (draws, n + 1, factors + 1), float32
        Of each draw, with the bias as the last column. The last entity is the mean of all: what
        is known of one that was never seen.
    items : ndarray, shape (draws, m, factors + 1), float32
    mean, low, high
        Of the ratings of the training.
    """

    entities: Floats32
    items: Floats32
    mean: float
    low: float
    high: float

    def predict(self, query: RankQuery) -> Ranking:
        """Rank by expected rating."""
        return rank(query, lambda asked: self._all(self._codes(asked)))

    def rate(
        self, query: RankQuery, row: NDArray[np.int32], item: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return the expected ratings of pairs, within those of the training."""
        code = self._codes(query)[row]
        total = np.zeros(len(item))
        for entities, items in zip(self.entities, self.items, strict=True):
            left, right = entities[code], items[item]
            total += np.einsum("ij,ij->i", left[:, :-1], right[:, :-1])
            total += left[:, -1] + right[:, -1]
        return self._clipped(total / len(self.items))

    def _all(self, code: NDArray[Any]) -> Floats32:
        """Return the expected rating of every item, shape (rows, items)."""
        total = np.zeros((len(code), self.items.shape[1]), dtype=np.float32)
        for entities, items in zip(self.entities, self.items, strict=True):
            left = entities[code]
            total += left[:, :-1] @ items[:, :-1].T + left[:, -1:] + items[:, -1]
        return self._clipped(total / len(self.items))

    def _codes(self, query: RankQuery) -> NDArray[Any]:
        return np.where(query.entities < 0, self.entities.shape[1] - 1, query.entities)

    def _clipped(self, centred: NDArray[Any]) -> Floats32:
        return np.clip(centred + self.mean, self.low, self.high).astype(np.float32)

    def save(self) -> Files:
        """Return the draws."""
        scale = np.array([self.mean, self.low, self.high])
        return {_FILE: npz_bytes({"entities": self.entities, "items": self.items, "scale": scale})}


def fit_ratings(data: RankData, p: RatingParameters, seed: int) -> RatingModel:
    """Fit one segment.

    Raises
    ------
    DataError
        Where there is no rating.
    """
    refuse_nothing(data)
    value = data.value.astype(np.float64)
    mean = float(value.mean())
    draws = posterior(
        data.entity,
        data.item,
        value - mean,
        (len(data.entities), len(data.items)),
        p=p,
        rng=np.random.default_rng(seed),
    )
    entities, items = (np.stack(side).astype(np.float32) for side in zip(*draws, strict=True))
    everyone = entities.mean(axis=1, keepdims=True)
    return RatingModel(
        entities=np.concatenate([entities, everyone], axis=1),
        items=items,
        mean=mean,
        low=float(value.min()),
        high=float(value.max()),
    )


def load_ratings(files: Files) -> RatingModel:
    """Rebuild a model from its files."""
    arrays = read_npz(files[_FILE])
    mean, low, high = arrays["scale"].tolist()
    return RatingModel(
        entities=arrays["entities"], items=arrays["items"], mean=mean, low=low, high=high
    )
