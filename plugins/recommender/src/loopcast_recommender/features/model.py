"""A fitted model: candidates by history, looked at again with all that is known besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import Files, Ranking, RankQuery, json_bytes, npz_bytes, read_json, read_npz
from loopcast_recommender.ease.method import EASE
from loopcast_recommender.features.groups import Grouping, moments
from loopcast_recommender.features.tables import Tables, groups_of
from loopcast_recommender.history.model import HistoryModel, load_model
from loopcast_recommender.history.model import scores as base_scores
from loopcast_recommender.interactions import histories, pairs, presence, remembered
from loopcast_recommender.lists import best, rank

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    Floats32 = NDArray[np.float32]

_BASE, _NAMES, _ARRAYS = "candidates_", "features.json", "features.npz"
_ABOVE = 1e3
"""Lifts candidates above all other items, whose order stays that of their history."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureModel:
    """A fitted model.

    Attributes
    ----------
    base
        Ranks by history.
    warm, cold : ndarray, shape (features,), or None
        Weights for entities with a history, that of the history first, and for those without
        one; ``None`` where they were not clearly better than the base alone.
    candidates
        Items of an entity with a history that are looked at again.
    end
        Of the training: the moment of a query that names none.
    """

    base: HistoryModel
    tables: Tables
    warm: NDArray[np.float64] | None
    cold: NDArray[np.float64] | None
    candidates: int
    pay_day: int
    end: np.datetime64

    def predict(self, query: RankQuery) -> Ranking:
        """Rank candidates by all features, and all items where there is no history."""
        return rank(query, self.scores)

    def scores(self, query: RankQuery) -> Floats32:
        """Return the scores of all items for the entities of a query, shape (entities, items)."""
        return self.scores_at(query, np.array([self.end if query.moment is None else query.moment]))

    def scores_at(self, query: RankQuery, moment: NDArray[np.datetime64]) -> Floats32:
        """Return the scores for a moment, or for one of each entity, shape (1,) or (entities,)."""
        history = histories(query, self.base.choices)
        seen = remembered(history, self.base.tuning.half_life)
        found = base_scores(seen, self.base.scorer, self.base.share)
        features = self.features(
            found,
            history,
            groups_of(self.tables, query.entities, query.entity_features),
            moment,
        )
        new = np.diff(history.indptr) == 0
        if self.cold is not None and new.any():
            found[new] = np.tensordot(self.cold, features[1:, new], axes=1)
        if self.warm is not None and not new.all():
            again = np.tensordot(self.warm, features, axes=1)
            lifted = self._looked_at_again(found, again, query.allowed, query.excluded)
            found[~new] = lifted[~new]
        return found

    def _looked_at_again(
        self,
        base: Floats32,
        again: NDArray[Any],
        allowed: NDArray[np.bool_],
        hidden: sparse.csr_array | None,
    ) -> Floats32:
        """Return the scores of the history, with those of all features in place of the best."""
        open_ = np.where(allowed, base, -np.inf).astype(np.float32)
        if hidden is not None:
            open_[hidden.nonzero()] = -np.inf
        places, _ = best(open_, self.candidates)
        found = base.copy()
        lifted = np.take_along_axis(again, places, axis=1) + _ABOVE
        np.put_along_axis(found, places, lifted.astype(np.float32), axis=1)
        return found

    def features(
        self,
        base: Floats32,
        history: sparse.csr_array,
        groups: dict[str, Any],
        moment: NDArray[np.datetime64],
    ) -> Floats32:
        """Return the features of entities and items, shape (features, rows, items).

        Parameters
        ----------
        moment : ndarray, shape (1,) or (rows,), datetime64
        """
        spread = base.std(axis=1, keepdims=True)
        parts = [(base - base.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)]
        parts += [np.broadcast_to(row, base.shape) for row in self.tables.general]
        now = moments(moment, self.pay_day)
        for name, lift in self.tables.lifts.items():
            code = groups[name] if name in groups else np.broadcast_to(now[name], len(base))
            parts.append(lift[code])
        parts += [same_kind(history, kind) for kind in self.tables.kinds.values()]
        return np.stack(parts).astype(np.float32)

    def save(self) -> Files:
        """Return what the model is made of."""
        tables = self.tables
        arrays: dict[str, Any] = {
            "general": tables.general,
            "end": self.end.astype("datetime64[us]"),
        }
        for kind in ("warm", "cold"):
            weights = getattr(self, kind)
            arrays |= {} if weights is None else {kind: weights}
        names: dict[str, Any] = {"candidates": self.candidates, "pay_day": self.pay_day}
        for part in ("entities", "lifts", "kinds"):
            named = getattr(tables, part)
            names[part] = list(named)
            arrays |= {f"{part}.{i}": array for i, array in enumerate(named.values())}
        names["groupings"] = {
            name: list(map(_plain, grouping.values)) for name, grouping in tables.groupings.items()
        }
        base = {f"{_BASE}{name}": content for name, content in self.base.save().items()}
        return {**base, _NAMES: json_bytes(names), _ARRAYS: npz_bytes(arrays)}


def _plain(value: Any) -> str | float:
    return value if isinstance(value, str) else float(value)


def same_kind(history: sparse.csr_array, kind: NDArray[np.int64]) -> Floats32:
    """Return the share of each history that is of the kind of each item, shape (rows, items)."""
    known = np.flatnonzero(kind >= 0)
    width = int(kind.max(initial=-1)) + 1
    member = pairs(known, kind[known], (len(kind), max(width, 1)))
    present = presence(history)
    size = np.maximum(np.diff(history.indptr), 1)[:, None]
    share = np.append((present @ member).toarray() / size, np.zeros((len(size), 1)), axis=1)
    return np.asarray(share[:, np.where(kind < 0, share.shape[1] - 1, kind)], dtype=np.float32)


def load_features(files: Files) -> FeatureModel:
    """Rebuild a model from its files."""
    names, arrays = read_json(files[_NAMES]), read_npz(files[_ARRAYS])
    base = {n.removeprefix(_BASE): content for n, content in files.items() if n.startswith(_BASE)}

    def part(name: str) -> dict[str, Any]:
        return {each: arrays[f"{name}.{i}"] for i, each in enumerate(names[name])}

    return FeatureModel(
        base=load_model(base, EASE),
        tables=Tables(
            groupings={name: _grouping(values) for name, values in names["groupings"].items()},
            entities=part("entities"),
            lifts=part("lifts"),
            kinds=part("kinds"),
            general=arrays["general"],
        ),
        warm=arrays.get("warm"),
        cold=arrays.get("cold"),
        candidates=names["candidates"],
        pay_day=names["pay_day"],
        end=np.datetime64(arrays["end"].item(), "us"),
    )


def _grouping(values: list[Any]) -> Grouping:
    if values and isinstance(values[0], str):
        return Grouping(tuple(values))
    return Grouping(np.array(values, dtype=np.float64))
