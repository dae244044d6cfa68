"""Learning how much each feature counts, on choices that are held out of the training data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from loopcast.api import RankData, RankQuery
from loopcast.api.rank import run_starts
from loopcast_recommender.ease.method import EASE, Ridge
from loopcast_recommender.features.groups import moments
from loopcast_recommender.features.model import FeatureModel
from loopcast_recommender.features.tables import groups_of, make_tables
from loopcast_recommender.history.fit import fit_tuned, refit
from loopcast_recommender.history.inner import (
    Block,
    Validation,
    clearly_better,
    held_out,
    hold_out,
)
from loopcast_recommender.history.model import scores
from loopcast_recommender.interactions import histories, pairs, remembered
from loopcast_recommender.lists import best, without

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast_recommender.features.hyperparameters import FeatureParameters

    Floats = NDArray[np.float64]

_ENTITIES = 500
"""Held-out entities that weights are learned from: there are few weights."""


def fit_features(data: RankData, p: FeatureParameters, seed: int) -> FeatureModel:
    """Fit one segment.

    The weights are learned on what is held out, by a model of the rest; then all is fitted to all
    data with them.

    Raises
    ------
    DataError
        Where there is nothing to learn from.
    """
    inner = hold_out(data, p.inner, p.count, seed)
    if inner is None:
        return _model(data, _base(data, p, seed), p)
    rest = _rest(data, p, seed)
    part = _model(rest, _base(rest, p, seed), p)
    learned = _learned(part, inner, data, p, seed)
    return replace(
        _model(data, refit(part.base, data, EASE), p), warm=learned.warm, cold=learned.cold
    )


def _base(data: RankData, p: FeatureParameters, seed: int) -> Any:
    return fit_tuned(data, EASE, [Ridge(ridge) for ridge in sorted(p.ridges)], p, seed)


def _model(data: RankData, base: Any, p: FeatureParameters) -> FeatureModel:
    return FeatureModel(
        base=base,
        tables=make_tables(data, p),
        warm=None,
        cold=None,
        candidates=p.candidates,
        pay_day=p.pay_day,
        end=data.time.max(),
    )


def _rest(data: RankData, p: FeatureParameters, seed: int) -> RankData:
    """Return what is not held out, in the codes of all."""
    kept = ~held_out(data.entity, p.inner, p.count, seed)
    return replace(
        data,
        entity=data.entity[kept],
        item=data.item[kept],
        value=data.value[kept],
        time=data.time[kept],
    )


def _learned(
    part: FeatureModel, inner: Validation, data: RankData, p: FeatureParameters, seed: int
) -> FeatureModel:
    """Learn both weights, and keep those that are clearly better than none.

    Each choice is one of its own moment: from a single one, nothing is learned of moments. A list
    is judged at the last of its entity's, in which those who buy at once chose all of them.
    """
    block = inner.sample(_ENTITIES, seed)
    entities = block.entities.astype(np.int32)
    history = histories(_query(entities, data), inner.training)
    nothing = history * np.float32(0.0)
    nothing.eliminate_zeros()
    moment = _chose(data, entities[block.row], block.item, p, seed)
    last = np.maximum.reduceat(moment, np.flatnonzero(run_starts(block.row)))
    found = part
    for name, seen in (("warm", history), ("cold", nothing)):
        base, features = _features(part, seen, entities, last)
        among = _candidates(base, block.hidden, p.candidates)
        x = _of_choices(part, features, among, block, moment)
        y = among[block.row] == block.item[:, None]
        weights = _logistic(x if name == "warm" else x[1:], y, p.penalty)
        tried = replace(found, warm=weights) if name == "warm" else replace(found, cold=weights)
        before, after = (
            block.gains(_asked(model, seen, entities, block, last), inner.length)
            for model in (found, tried)
        )
        found = tried if clearly_better(after, before) else found
    return found


def _query(entities: NDArray[np.int32], data: RankData) -> RankQuery:
    return RankQuery(entities=entities, length=1, allowed=np.ones(len(data.items), dtype=bool))


def _features(
    model: FeatureModel,
    history: sparse.csr_array,
    entities: NDArray[np.int32],
    moment: NDArray[np.datetime64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    seen = remembered(history, model.base.tuning.half_life)
    base = scores(seen, model.base.scorer, model.base.share)
    groups = groups_of(model.tables, entities, None)
    return base, model.features(base, history, groups, moment)


def _asked(
    model: FeatureModel,
    history: sparse.csr_array,
    entities: NDArray[np.int32],
    block: Block,
    moment: NDArray[np.datetime64],
) -> NDArray[np.float32]:
    return model.scores_at(
        RankQuery(
            entities=entities,
            length=1,
            allowed=np.ones(history.shape[1], dtype=bool),
            excluded=pairs(*np.divmod(block.hidden, history.shape[1]), history.shape),
            history=history,
        ),
        moment,
    )


def _candidates(
    base: NDArray[np.float32], hidden: NDArray[np.intp], count: int
) -> NDArray[np.intp]:
    return best(without(base.copy(), hidden), min(count, base.shape[1]))[0]


def _chose(
    data: RankData,
    entity: NDArray[np.int32],
    item: NDArray[np.intp],
    p: FeatureParameters,
    seed: int,
) -> NDArray[np.datetime64]:
    """Return when entities first chose what is held out of them, shape (choices,)."""
    held = np.flatnonzero(held_out(data.entity, p.inner, p.count, seed))
    cell, first = np.unique(
        data.entity[held].astype(np.int64) * len(data.items) + data.item[held], return_index=True
    )
    asked = entity.astype(np.int64) * len(data.items) + item
    return np.asarray(data.time[held[first[cell.searchsorted(asked)]]])


def _of_choices(
    model: FeatureModel,
    features: NDArray[np.float32],
    among: NDArray[np.intp],
    block: Block,
    moment: NDArray[np.datetime64],
) -> Floats:
    """Return the features of candidates at each choice, shape (features, choices, candidates)."""
    x = features[:, np.arange(len(among))[:, None], among][:, block.row].astype(np.float64)
    names, now = model.tables.names(), moments(moment, model.pay_day)
    for name, group in now.items():
        x[1 + names.index(name)] = model.tables.lifts[name][group[:, None], among[block.row]]
    return x


def _logistic(x: Floats, chosen: NDArray[np.bool_], penalty: float) -> Floats:
    """Return the weights of a conditional logit: which of its candidates an entity chose.

    Source: D. McFadden (1974), Conditional logit analysis of qualitative choice behavior, in
    Frontiers in Econometrics; each choice is one among all candidates.
    """
    y = chosen.astype(np.float64)
    total = y.sum(axis=1, keepdims=True)

    def loss(weights: Floats) -> tuple[float, Floats]:
        linear = np.tensordot(weights, x, axes=1)
        top = linear.max(axis=1, keepdims=True)
        odds = np.exp(linear - top)
        sums = odds.sum(axis=1, keepdims=True)
        log_share = linear - top - np.log(sums)
        slope = np.einsum("fij,ij->f", x, y - total * odds / sums)
        value = -(y * log_share).sum() + penalty * weights @ weights / 2.0
        return float(value), penalty * weights - slope

    found = optimize.minimize(loss, np.zeros(len(x)), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)
