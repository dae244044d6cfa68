"""Judging rankers: on what entities chose after everything that was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.api import (
    DataError,
    Judged,
    ModelError,
    Outcome,
    RankData,
    RankOutcome,
    RankQuery,
    Rater,
)
from loopcast.api.rank import distinct_pairs
from loopcast.develop.holdout import Holdout, Split, percent
from loopcast.develop.rank.prepare import Part, fingerprint, part_of
from loopcast.develop.rank.query import ordered_matrix, ranked, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api import Ranker


_SEEN = pd.CategoricalDtype(["known", "new"])


@dataclass(frozen=True, eq=False, kw_only=True)
class Choices:
    """What is asked of a ranker, and what was chosen.

    Attributes
    ----------
    query
        For each judged entity, in the codes of the training part.
    entities : Index, shape (n,)
        Names of the judged entities.
    chosen_entity, chosen_item : ndarray, shape (choices,), int32
        Row of the query, and item in the codes of the training part.
    chosen_value : ndarray, shape (choices,), float32
        Strength of the interaction; of the first where an item was chosen more than once.
    popularity : ndarray, shape (items,), float64
        Share of the interactions of the training part.
    features : DataFrame or None
        Of the judged entities.
    """

    query: RankQuery
    entities: pd.Index
    chosen_entity: NDArray[np.int32]
    chosen_item: NDArray[np.int32]
    chosen_value: NDArray[np.float32]
    popularity: NDArray[np.float64]
    features: pd.DataFrame | None


def split_interactions(data: RankData, plan: Holdout, seed: int) -> Split[RankData]:
    """Hold a part of the interactions out, and ask for what was chosen in it.

    Choices that no contender can foresee are not judged: items that training has never seen and,
    where the schema allows no repeats, items that the entity has chosen before. An entity that
    training has never seen is judged as a new one.

    Raises
    ------
    DataError
        Where nothing remains to learn from, or to judge.
    """
    judged, protocol = _held_out(data, plan, seed)
    if not judged.any() or judged.all():
        raise DataError(
            f"{len(judged)} interactions cannot be split ({protocol}): "
            f"{int(judged.sum())} of them would be judged"
        )
    known = part_of(data, ~judged)
    choices = _choices(data, judged, known)
    if not len(choices.chosen_item):
        raise DataError(
            f"nothing to judge ({protocol}): all {int(judged.sum())} held-out choices are of items "
            "that training has never seen, or repeat earlier ones"
        )
    return Split(
        training=known.data,
        judged=choices,
        protocol=f"{protocol}; lists of {data.schema.length}",
        fingerprint=fingerprint(part_of(data, judged).data),
        rows=len(choices.chosen_item),
    )


def _held_out(data: RankData, plan: Holdout, seed: int) -> tuple[NDArray[np.bool_], str]:
    count = len(data.item)
    if plan.since is not None:
        moment = np.datetime64(plan.since.astimezone(UTC).replace(tzinfo=None), "us")
        return data.time > moment, (
            f"what came after {_shown(moment)}, until when the champion was trained"
        )
    if plan.method == "time":
        first = data.time[min(int(np.ceil((1.0 - plan.share) * count)), count - 1)]
        share = percent(plan.share)
        return data.time >= first, f"what came next, the last {share}, from {_shown(first)}"
    if plan.method == "last":
        return _last_of_each(data, plan.count), f"the last {plan.count} choices of each entity"
    judged = np.zeros(count, dtype=bool)
    drawn = np.random.default_rng(seed).permutation(count)[: round(plan.share * count)]
    judged[drawn] = True
    return judged, f"random {percent(plan.share)} of the interactions, drawn with seed {seed}"


def _shown(moment: np.datetime64) -> str:
    return str(moment).removesuffix("T00:00:00.000000")


def _last_of_each(data: RankData, count: int) -> NDArray[np.bool_]:
    """Mark the last interactions of each entity that has more of them."""
    order = np.argsort(data.entity, kind="stable")
    sizes = np.bincount(data.entity, minlength=len(data.entities))
    ends = np.cumsum(sizes)
    from_end = np.repeat(ends, sizes) - np.arange(len(order))
    judged = np.zeros(len(order), dtype=bool)
    judged[order] = (from_end <= count) & (np.repeat(sizes, sizes) > count)
    return judged


def _choices(data: RankData, judged: NDArray[np.bool_], known: Part) -> Choices:
    training, width = known.data, len(known.data.items)
    entity, item = data.entity[judged], known.item[data.item[judged]]
    code = known.entity[entity]
    seen = distinct_pairs(training.entity, training.item, width)
    repeated = _among(_pairs(code, item, width), seen) & (code >= 0)
    foreseeable = (item >= 0) & (data.schema.repeat | ~repeated)
    pairs, first = np.unique(
        _pairs(entity[foreseeable], item[foreseeable], width), return_index=True
    )
    row, chosen = np.divmod(pairs, width)
    who, place = np.unique(row, return_inverse=True)
    features = None if data.entity_features is None else data.entity_features.iloc[who]
    count = np.bincount(training.item, minlength=width)
    return Choices(
        query=_query(training, known.entity[who], seen, features),
        entities=data.entities[who],
        chosen_entity=place.astype(np.int32),
        chosen_item=chosen.astype(np.int32),
        chosen_value=data.value[judged][foreseeable][first],
        popularity=count / count.sum(),
        features=features,
    )


def _pairs(
    entity: NDArray[np.integer[Any]], item: NDArray[np.integer[Any]], width: int
) -> NDArray[np.int64]:
    return entity.astype(np.int64) * width + item


def _among(values: NDArray[np.int64], ordered: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which values are among ordered ones: many times as fast as :func:`numpy.isin`."""
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[place] == values)


def _query(
    training: RankData,
    entities: NDArray[np.int32],
    seen: NDArray[np.int64],
    features: pd.DataFrame | None,
) -> RankQuery:
    """Ask for entities, with what they chose in the training part excluded unless it may repeat.

    Parameters
    ----------
    entities
        Codes in their order, among them −1.
    seen
        The pairs of the training part, ordered.
    """
    return RankQuery(
        entities=entities,
        length=training.schema.length,
        allowed=np.ones(len(training.items), dtype=bool),
        excluded=None if training.schema.repeat else _chosen(training, entities, seen),
        entity_features=features,
    )


def _chosen(
    training: RankData, entities: NDArray[np.int32], seen: NDArray[np.int64]
) -> sparse.csr_array:
    """Return which items each of some entities has chosen, where codes are in their order."""
    entity, item = np.divmod(seen, len(training.items))
    row = rows_of(entities, len(training.entities))[entity]
    asked = row >= 0
    return ordered_matrix(row[asked], item[asked], (len(entities), len(training.items)))


def answer(model: Ranker, split: Split[RankData], template: str) -> RankOutcome:
    """Rank for the judged entities, and rate what they chose where the model can.

    Raises
    ------
    ModelError
        Where a list or a rating breaks its rules.
    """
    choices: Choices = split.judged
    schema = split.training.schema
    outcome = RankOutcome(
        ranking=ranked(model, choices.query, schema, template),
        chosen_entity=choices.chosen_entity,
        chosen_item=choices.chosen_item,
        popularity=choices.popularity,
    )
    if schema.value is None or not isinstance(model, Rater):
        return outcome
    expected = model.rate(choices.query, choices.chosen_entity, choices.chosen_item)
    if expected.shape != choices.chosen_item.shape or not np.isfinite(expected).all():
        raise ModelError(
            f"template {template}: ratings have shape {expected.shape}, "
            f"{int((~np.isfinite(expected)).sum())} of them not finite; expected a number for each "
            f"of {len(choices.chosen_item)} pairs"
        )
    return replace(outcome, chosen_value=choices.chosen_value, expected_value=expected)


def lay_out(split: Split[RankData], outcomes: Mapping[str, Outcome]) -> Judged:
    """Return the judged entities: each a row and a block of its own."""
    choices: Choices = split.judged
    rows = len(choices.entities)
    new = (choices.query.entities < 0).astype(np.int8)
    attributes: dict[str, pd.Categorical[Any]]
    attributes = {"entity": pd.Categorical.from_codes(new, dtype=_SEEN)}
    if choices.features is not None:
        described = split.training.schema.entity_features.items()
        protected = [name for name, feature in described if feature.protected]
        attributes |= {n: pd.Categorical(choices.features[n].astype("str")) for n in protected}
    return Judged(
        keys=(pd.Categorical.from_codes(np.arange(rows), categories=choices.entities),),
        block=np.arange(rows, dtype=np.int64),
        overall=np.ones(rows, dtype=bool),
        attributes=attributes,
        outcomes=outcomes,
    )
