"""A fitted model that scores items by histories: what was chosen, and how it was tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from scipy import sparse

from loopcast.api import (
    DeviceCall,
    Files,
    Portable,
    Ranking,
    RankQuery,
    json_bytes,
    npz_bytes,
    read_json,
    read_npz,
)
from loopcast_recommender.history.method import Method, Scorer
from loopcast_recommender.interactions import histories, pairs, presence, remembered
from loopcast_recommender.lists import rank, rank_alike
from loopcast_recommender.popularity import popularity

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIE = 1e-6
"""Weight of popularity among scores: it decides between equal ones alone."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What was chosen for a segment.

    Attributes
    ----------
    option
        Of the method; ``None`` where popularity was not worse than any.
    half_life
        Of earlier choices; ``None`` where they never lose weight.
    """

    option: Any
    half_life: float | None


POPULARITY = Tuning(option=None, half_life=None)
"""Popularity for everyone."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HistoryModel:
    """A fitted model.

    Attributes
    ----------
    choices : csr_array, shape (entities, items)
        As :func:`loopcast_recommender.interactions.choices` has it.
    scorer
        ``None`` where popularity was not worse.
    share : ndarray, shape (items,), float32
        Popularity.
    """

    choices: sparse.csr_array
    tuning: Tuning
    scorer: Scorer | None
    share: NDArray[np.float32]

    def predict(self, query: RankQuery) -> Ranking:
        """Rank by what each entity has chosen, and by popularity where it has chosen nothing."""
        if self.scorer is None:
            return rank_alike(query, self.share)
        return rank(query, self._scores)

    def _scores(self, query: RankQuery) -> NDArray[np.float32]:
        history = remembered(histories(query, self.choices), self.tuning.half_life)
        return scores(history, self.scorer, self.share)

    def session_scores(self, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the scores of who has chosen these items alone; zero where popularity ranks."""
        if self.scorer is None or not len(items):
            return np.zeros(len(self.share), dtype=np.float32)
        viewed = np.unique(items)
        history = pairs(np.zeros_like(viewed), viewed, (1, len(self.share)))
        return np.asarray(self.scorer.score(history)[0])

    def to_graph(self, items: Sequence[str]) -> Portable:
        """Return the scores as a graph; see :class:`loopcast.api.PortableRanker`."""
        from loopcast_recommender.portable.scores import history_graph, refuse_half_life

        refuse_half_life(self.tuning.half_life)
        return history_graph(items, self.scorer, self.share, _TIE)

    def device_call(self, query: RankQuery) -> DeviceCall:
        """Return what was chosen; see :class:`loopcast.api.PortableRanker`."""
        chosen = presence(histories(query, self.choices))
        return DeviceCall(features=chosen.toarray().astype(np.float64))

    def save(self) -> Files:
        """Return what the model is made of."""
        kept = self.choices
        arrays = {
            "indptr": kept.indptr.astype(np.int32),
            "items": kept.indices.astype(np.int32),
            "places": kept.data,
            "shape": np.array(kept.shape, dtype=np.int64),
        }
        tuning = {
            "option": msgspec.to_builtins(self.tuning.option),
            "half_life": self.tuning.half_life,
        }
        own = {} if self.scorer is None else self.scorer.save()
        return {"choices.npz": npz_bytes(arrays), "tuning.json": json_bytes(tuning), **own}


def scores(
    history: sparse.csr_array, scorer: Scorer | None, share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the score of each item for some histories, shape (rows, items)."""
    if scorer is None:
        return np.tile(share, (history.shape[0], 1))
    found = scorer.score(history)
    found += np.float32(_TIE) * share
    found[np.diff(history.indptr) == 0] = share
    return found


def make_model(choices: sparse.csr_array, tuning: Tuning, method: Method[Any]) -> HistoryModel:
    """Learn from choices with what was chosen for them."""
    present = presence(choices)
    return HistoryModel(
        choices=choices,
        tuning=tuning,
        scorer=None if tuning.option is None else method.learn(present)(tuning.option),
        share=popularity(present.indices, present.shape),
    )


def load_model(files: Files, method: Method[Any]) -> HistoryModel:
    """Rebuild a model from its files."""
    arrays, tuning = read_npz(files["choices.npz"]), read_json(files["tuning.json"])
    entries = (arrays["places"], arrays["items"], arrays["indptr"])
    choices = sparse.csr_array(entries, shape=tuple(arrays["shape"].tolist()))
    option = msgspec.convert(tuning["option"], method.option | None)
    present = presence(choices)
    return HistoryModel(
        choices=choices,
        tuning=Tuning(option=option, half_life=tuning["half_life"]),
        scorer=None if option is None else method.load(files, present, option),
        share=popularity(present.indices, present.shape),
    )
