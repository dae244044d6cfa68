"""Judging rankers: on what entities chose after everything that was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from loopcast.api.rank import matrix_rows, run_starts, stable_order
from loopcast.develop.holdout import Holdout, Split, percent
from loopcast.develop.moments import in_utc
from loopcast.develop.rank.prepare import Part, Rows, fingerprint, part_of
from loopcast.develop.rank.query import ranked

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
    names : Index
        Of all entities.
    who : ndarray, shape (n,), int32
        Which of them are judged.
    chosen_entity, chosen_item : ndarray, shape (choices,), int32
        Row of the query, and item in the codes of the training part.
    chosen_value : ndarray, shape (choices,), float32
        Strength of the interaction; of the first where an item was chosen more than once.
    popularity : ndarray, shape (items,), float64
        Share of the interactions of the training part.
    features : DataFrame or None
        Of the judged entities.
    history : csr_array, shape (n, items), float32
        What the judged entities chose in the training part, as :func:`loopcast.api.last_places`
        has it.
    """

    query: RankQuery
    names: pd.Index
    who: NDArray[np.int32]
    chosen_entity: NDArray[np.int32]
    chosen_item: NDArray[np.int32]
    chosen_value: NDArray[np.float32]
    popularity: NDArray[np.float64]
    features: pd.DataFrame | None
    history: sparse.csr_array

    @property
    def entities(self) -> pd.Index:
        """Names of the judged entities, shape (n,)."""
        return self.names[self.who]


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
    learned, judged, protocol = _cut(data, plan, seed)
    count = len(data.item[judged])
    if not 0 < count < len(data.item):
        raise DataError(
            f"{len(data.item)} interactions cannot be split ({protocol}): "
            f"{count} of them would be judged"
        )
    known = part_of(data, learned)
    choices = _choices(data, judged, known)
    if not len(choices.chosen_item):
        raise DataError(
            f"nothing to judge ({protocol}): all {count} held-out choices are of items "
            "that training has never seen, or repeat earlier ones"
        )
    return Split(
        training=known.data,
        judged=choices,
        protocol=f"{protocol}; lists of {data.schema.length}",
        digest=lambda: fingerprint(part_of(data, judged).data),
        rows=len(choices.chosen_item),
    )


def _cut(data: RankData, plan: Holdout, seed: int) -> tuple[Rows, Rows, str]:
    """Return which interactions are learned from, which are judged, and the cut in words."""
    count = len(data.item)
    if plan.since is not None:
        return _after(data, in_utc(plan.since))
    if plan.method == "time":
        first = data.time[min(int(np.ceil((1.0 - plan.share) * count)), count - 1)]
        share = percent(plan.share)
        told = f"what came next, the last {share}, from {_shown(first)}"
        return *_before_and_from(data.time.searchsorted(first)), told
    judged, told = _drawn(data, plan, seed)
    return ~judged, judged, told


def _after(data: RankData, moment: np.datetime64) -> tuple[Rows, Rows, str]:
    """Cut what came after a moment in two halves; interactions of one moment are not torn apart."""
    known = data.time.searchsorted(moment, side="right")
    later = data.time[known:]
    first = later[len(later) // 2] if len(later) else moment
    told = (
        f"the later half of what came after {_shown(moment)}, until when the champion was trained, "
        f"from {_shown(first)}"
    )
    return *_before_and_from(known + later.searchsorted(first)), told


def _before_and_from(row: np.intp) -> tuple[slice, slice]:
    """Return the interactions before a row, and the others: they are in the order of time."""
    return slice(0, row), slice(row, None)


def _drawn(data: RankData, plan: Holdout, seed: int) -> tuple[NDArray[np.bool_], str]:
    """Mark what is judged where that is no question of when it happened."""
    if plan.method == "last":
        return _last_of_each(data, plan.count), f"the last {plan.count} choices of each entity"
    count = len(data.item)
    judged = np.zeros(count, dtype=bool)
    drawn = np.random.default_rng(seed).permutation(count)[: round(plan.share * count)]
    judged[drawn] = True
    return judged, f"random {percent(plan.share)} of the interactions, drawn with seed {seed}"


def _shown(moment: np.datetime64) -> str:
    return str(moment).removesuffix("T00:00:00.000000")


def _last_of_each(data: RankData, count: int) -> NDArray[np.bool_]:
    """Mark the last interactions of each entity that has more of them."""
    order = stable_order(data.entity)
    sizes = np.bincount(data.entity, minlength=len(data.entities))
    ends = np.cumsum(sizes)
    from_end = np.repeat(ends, sizes) - np.arange(len(order))
    judged = np.zeros(len(order), dtype=bool)
    judged[order] = (from_end <= count) & (np.repeat(sizes, sizes) > count)
    return judged


def _choices(data: RankData, judged: Rows, known: Part) -> Choices:
    training, width = known.data, len(known.data.items)
    entity, item = data.entity[judged], known.item[data.item[judged]]
    chosen = _once(entity, item, width)
    if not data.schema.repeat:
        chosen = chosen[~_chosen_before(training, known.entity[entity[chosen]], item[chosen])]
    row = entity[chosen]
    starts = run_starts(row)
    who = row[starts]
    features = None if data.entity_features is None else data.entity_features.iloc[who]
    count = np.bincount(training.item, minlength=width)
    history = matrix_rows(training.choices, known.entity[who])
    return Choices(
        query=RankQuery(
            entities=known.entity[who],
            length=training.schema.length,
            allowed=np.ones(width, dtype=bool),
            excluded=None if training.schema.repeat else history,
            entity_features=features,
        ),
        names=data.entities,
        who=who,
        history=history,
        chosen_entity=(np.cumsum(starts) - 1).astype(np.int32),
        chosen_item=item[chosen],
        chosen_value=data.value[judged][chosen],
        popularity=count / count.sum(),
        features=features,
    )


def _once(entity: NDArray[np.int32], item: NDArray[np.int32], width: int) -> NDArray[np.intp]:
    """Return where the oldest choice of each pair is, pair by pair; none of an item that is −1."""
    known = np.flatnonzero(item >= 0)
    pairs = _pairs(entity[known], item[known], width)
    order = stable_order(pairs)
    return known[order[run_starts(pairs[order])]]


def _chosen_before(
    training: RankData, entity: NDArray[np.int32], item: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Tell which choices training holds already; an entity that it does not know is −1.

    To look them up among ordered pairs is many times as fast as :func:`numpy.isin`, the more so
    where they are ordered themselves.
    """
    known, width = training.choices, len(training.items)
    seen = _pairs(np.repeat(np.arange(known.shape[0]), np.diff(known.indptr)), known.indices, width)
    wanted = _pairs(entity, item, width)
    place = np.minimum(np.searchsorted(seen, wanted), len(seen) - 1)
    return np.asarray((seen[place] == wanted) & (entity >= 0))


def _pairs(
    entity: NDArray[np.integer[Any]], item: NDArray[np.integer[Any]], width: int
) -> NDArray[np.int64]:
    return entity.astype(np.int64) * width + item


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
    """Return the judged entities, each a row and a block of its own, without their :func:`keys`."""
    choices: Choices = split.judged
    rows = len(choices.who)
    new = (choices.query.entities < 0).astype(np.int8)
    attributes: dict[str, pd.Categorical[Any]]
    attributes = {"entity": pd.Categorical.from_codes(new, dtype=_SEEN)}
    if choices.features is not None:
        described = split.training.schema.entity_features.items()
        protected = [name for name, feature in described if feature.protected]
        attributes |= {n: pd.Categorical(choices.features[n].astype("str")) for n in protected}
    return Judged(
        keys=(),
        block=np.arange(rows, dtype=np.int64),
        overall=np.ones(rows, dtype=bool),
        attributes=attributes,
        outcomes=outcomes,
    )


def keys(split: Split[RankData]) -> tuple[pd.Categorical[Any], ...]:
    """Return the names of the judged entities, which take longer than to judge one."""
    choices: Choices = split.judged
    rows = np.arange(len(choices.who))
    return (pd.Categorical.from_codes(rows, categories=choices.entities),)
