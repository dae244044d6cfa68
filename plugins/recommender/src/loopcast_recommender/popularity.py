"""Popularity: what most entities chose, the same for everyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Files, RankData, Ranking, RankQuery, npz_bytes, read_npz
from loopcast_recommender.interactions import choices
from loopcast_recommender.lists import rank_alike

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PopularityModel:
    """A fitted model.

    Attributes
    ----------
    share : ndarray, shape (items,), float32
        Share of the entities that chose each item.
    """

    share: NDArray[np.float32]

    def predict(self, query: RankQuery) -> Ranking:
        """Rank by popularity."""
        return rank_alike(query, self.share)

    def save(self) -> Files:
        """Return the shares."""
        return {"share.npz": npz_bytes({"share": self.share})}


def fit_popularity(data: RankData) -> PopularityModel:
    """Count who chose what; raises ``DataError`` where nobody chose anything."""
    known = choices(data)
    return PopularityModel(share=popularity(known.indices, known.shape))


def popularity(item: NDArray[np.integer[Any]], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the share of the entities that chose each item.

    Parameters
    ----------
    item
        Of each pair of an entity and an item that it chose.
    shape
        How many entities and items there are.
    """
    return (np.bincount(item, minlength=shape[1]) / max(shape[0], 1)).astype(np.float32)


def load_popularity(files: Files) -> PopularityModel:
    """Rebuild a model from its files."""
    return PopularityModel(**read_npz(files["share.npz"]))
