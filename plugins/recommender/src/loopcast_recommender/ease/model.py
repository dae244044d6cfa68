"""A fitted EASE: the choices that it learned from, its ridge, and how it remembers.

Its weights follow from these in closed form, so that a bundle holds no matrix of items by items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from loopcast.api import (
    Files,
    Ranking,
    RankQuery,
    json_bytes,
    npz_bytes,
    read_json,
    read_npz,
)
from loopcast_recommender.ease.weights import Weights, solve
from loopcast_recommender.interactions import histories, presence, remembered
from loopcast_recommender.lists import rank
from loopcast_recommender.popularity import popularity

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIE = 1e-6
"""Weight of popularity among scores: it decides between equal ones alone."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuning:
    """What was chosen for a segment.

    Attributes
    ----------
    ridge
        λ; ``None`` where popularity was better than any.
    half_life
        Of earlier choices; ``None`` where they never lose weight.
    """

    ridge: float | None
    half_life: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class EaseModel:
    """A fitted model.

    Attributes
    ----------
    choices : csr_array, shape (entities, items)
        As :func:`loopcast_recommender.interactions.choices` has it.
    weights
        ``None`` where popularity was better.
    """

    choices: sparse.csr_array
    tuning: Tuning
    weights: Weights | None
    share: NDArray[np.float32]

    def predict(self, query: RankQuery) -> Ranking:
        """Rank by what each entity has chosen, and by popularity where it has chosen nothing."""
        history = remembered(histories(query, self.choices), self.tuning.half_life)
        return rank(query, lambda rows: scores(history[rows], self.weights, self.share))

    def save(self) -> Files:
        """Return what the model is made of."""
        kept = self.choices
        arrays = {
            "indptr": kept.indptr.astype(np.int32),
            "items": kept.indices.astype(np.int32),
            "places": kept.data,
            "shape": np.array(kept.shape, dtype=np.int64),
        }
        tuning = {"ridge": self.tuning.ridge, "half_life": self.tuning.half_life}
        return {"choices.npz": npz_bytes(arrays), "tuning.json": json_bytes(tuning)}


def scores(
    history: sparse.csr_array, weights: Weights | None, share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the score of each item for some histories, shape (rows, items)."""
    if weights is None:
        return np.tile(share, (history.shape[0], 1))
    found = weights.score(history) + np.float32(_TIE) * share
    found[np.diff(history.indptr) == 0] = share
    return found


def make_ease(choices: sparse.csr_array, tuning: Tuning) -> EaseModel:
    """Return the model that choices give with what was chosen for them."""
    present = presence(choices)
    return EaseModel(
        choices=choices,
        tuning=tuning,
        weights=None if tuning.ridge is None else solve(present, tuning.ridge),
        share=popularity(present),
    )


def load_ease(files: Files) -> EaseModel:
    """Rebuild a model from its files."""
    arrays = read_npz(files["choices.npz"])
    entries = (arrays["places"], arrays["items"], arrays["indptr"])
    choices = sparse.csr_array(entries, shape=tuple(arrays["shape"].tolist()))
    return make_ease(choices, Tuning(**read_json(files["tuning.json"])))
