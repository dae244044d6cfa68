"""What groups choose more than everyone: a logarithm of a ratio of shares for each item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcast.api import RankData
from loopcast_recommender.features.groups import (
    MOMENT_GROUPS,
    MONTH,
    WEEK,
    Grouping,
    behaviour,
    grouping_of,
    moments,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast_recommender.features.hyperparameters import FeatureParameters

    Codes = NDArray[np.int64]
    Floats32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Tables:
    """Everything that the features are looked up in.

    Attributes
    ----------
    groupings
        Of the features that an entity may be asked with.
    entities : mapping of str to ndarray, shape (n + 1,), int64
        Group of each entity that is known, by feature; the last one, −1, for any other.
    lifts : mapping of str to ndarray, shape (groups + 1, items), float32
        By feature of an entity or moment; the last row, of zeros, for those in no group.
    kinds : mapping of str to ndarray, shape (items,), int64
        Group of each item, by feature of items.
    general : ndarray, shape (features, items), float32
        Logarithms of the popularity of items: ever, and how much more in a month and a week.
    """

    groupings: Mapping[str, Grouping]
    entities: Mapping[str, Codes]
    lifts: Mapping[str, Floats32]
    kinds: Mapping[str, Codes]
    general: Floats32

    def names(self) -> tuple[str, ...]:
        """Return the features in the order of their weights, after that of the history."""
        general = ("popularity", "popularity of a month", "popularity of a week")
        return (*general, *self.lifts, *(f"same {name}" for name in self.kinds))


def make_tables(data: RankData, p: FeatureParameters) -> Tables:
    """Count what groups chose."""
    own = data.entity_features
    columns: dict[str, Any] = {} if own is None else {str(n): own[n] for n in own.columns}
    groupings = {name: grouping_of(column, p.bins) for name, column in columns.items()}
    lately = behaviour(data)
    derived = {
        n: grouping_of(column, p.bins) for n, column in lately.items() if not np.isnan(column).all()
    }
    codes = {name: groupings[name].codes(column) for name, column in columns.items()}
    codes |= {name: grouping.codes(lately[name]) for name, grouping in derived.items()}
    sizes = {name: grouping.count for name, grouping in (groupings | derived).items()}
    count = len(data.items)
    lifts = {
        n: _lift(code[data.entity], data.item, (sizes[n], count), p) for n, code in codes.items()
    }
    when = moments(data.time, p.pay_day)
    lifts |= {n: _lift(when[n], data.item, (size, count), p) for n, size in MOMENT_GROUPS.items()}
    kinds = data.item_features
    return Tables(
        groupings=groupings,
        entities={name: np.append(code, -1) for name, code in codes.items()},
        lifts=lifts,
        kinds={}
        if kinds is None
        else {str(n): grouping_of(kinds[n], p.bins).codes(kinds[n]) for n in kinds.columns},
        general=_general(data, p),
    )


def _lift(
    group: Codes, item: NDArray[Any], shape: tuple[int, int], p: FeatureParameters
) -> Floats32:
    """Return log of the share of an item in a group over that in all, smoothed towards zero."""
    groups, items = shape
    inside = group >= 0
    cells = group[inside] * items + item[inside]
    chosen = np.bincount(cells, minlength=groups * items).reshape(groups, items)
    share = _share(item, items)
    found = (chosen + p.smoothing * share) / (chosen.sum(axis=1, keepdims=True) + p.smoothing)
    nobody = np.zeros((1, items))
    return np.concatenate([np.log(found / share), nobody]).astype(np.float32)


def _share(item: NDArray[Any], items: int) -> NDArray[np.float64]:
    count = np.bincount(item, minlength=items) + 0.5  # no item is without any
    return np.asarray(count / count.sum())


def _general(data: RankData, p: FeatureParameters) -> Floats32:
    end, items = data.time.max(), len(data.items)
    share = _share(data.item, items)
    rows = [np.log(share)]
    for span in (MONTH, WEEK):
        recent = data.item[data.time > end - span]
        chosen = np.bincount(recent, minlength=items)
        found = (chosen + p.smoothing * share) / (len(recent) + p.smoothing)
        rows.append(np.log(found / share))
    return np.stack(rows).astype(np.float32)


def groups_of(
    tables: Tables, entities: NDArray[np.integer[Any]], asked: pd.DataFrame | None
) -> dict[str, Codes]:
    """Return the groups of entities: as they are asked about now, or as training knew them."""
    row = np.where(entities < 0, -1, entities)
    found = {name: codes[row] for name, codes in tables.entities.items()}
    if asked is not None:
        present = [name for name in tables.groupings if name in asked]
        found |= {name: tables.groupings[name].codes(asked[name]) for name in present}
    return found
