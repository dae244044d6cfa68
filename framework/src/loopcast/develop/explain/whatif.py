"""What if: the nearest changes that a person can make to a row, and that flip its decision.

The values that are tried are a grid: for a number some that typical rows have, then finer ones
between the row's own and the nearest that flips; for a category those that occur. On the grid the
search is exhaustive, so that no nearer change of as few features is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import ConfigurationError

if TYPE_CHECKING:
    from loopcast.api import Feature, ScoreSchema
    from loopcast.develop.decision import Decision
    from loopcast.develop.explain.dependence import Predict

Floats = NDArray[np.float64]

MOST_CHANGES = 3
"""Features that change together; a longer list is no advice."""

MOST_ANSWERS = 3

_VALUES = 16


@dataclass(frozen=True, kw_only=True)
class Change:
    """One feature from a value to another; ``None`` where it was not known."""

    feature: str
    before: float | str | None
    after: float | str


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """Changes that together flip a decision.

    Attributes
    ----------
    probability
        Of the event, after them.
    distance
        Sum of the changes: of a number relative to the range of typical rows from their 5th to
        their 95th percentile, 1 for another category.
    """

    changes: tuple[Change, ...]
    probability: float
    distance: float


@dataclass(frozen=True, eq=False)
class Options:
    """What a feature of the row can become: values with their distance from its own."""

    feature: str
    before: float | str | None
    values: NDArray[Any]
    distance: Floats


def nearest_changes(
    predict: Predict,
    row: pd.DataFrame,
    typical: pd.DataFrame,
    schema: ScoreSchema,
    decision: Decision,
) -> list[WhatIf]:
    """Return the nearest changes that flip the decision about one row, the nearest first.

    Each changes another set of features. An empty list says that no change of up to
    :data:`MOST_CHANGES` features within the bounds of the schema and the range of typical rows
    does.

    Source: S. Wachter, B. Mittelstadt and C. Russell (2018), Counterfactual explanations without
    opening the black box, Harvard Journal of Law & Technology 31, for the idea; B. Ustun, A.
    Spangher and Y. Liu (2019), Actionable recourse in linear classification, FAT*, for the
    restriction to what a person can change and the search on a grid.

    Parameters
    ----------
    row : DataFrame, shape (1, features)
    typical : DataFrame, shape (rows, features)
        Rows that say which values occur.

    Raises
    ------
    ConfigurationError
        Where the schema names no feature that a person can change.
    """
    changeable = [n for n in row.columns if schema.features[str(n)].changeable is not None]
    if not changeable:
        raise ConfigurationError(
            "no feature of the schema is changeable; say which a person can change, for example "
            "features.Amount.changeable: down"
        )
    options = [options_of(str(n), row[n], typical[n], schema.features[str(n)]) for n in changeable]
    question = _Question(predict, row, decision)
    coarse = question.flips(options)
    finer = [question.refined(options, found) for found in coarse[: 2 * MOST_ANSWERS]]
    return sorted(finer, key=lambda found: found.distance)[:MOST_ANSWERS]


def options_of(
    name: str, own: pd.Series[Any], typical: pd.Series[Any], feature: Feature
) -> Options:
    """Return what one feature of a row can become.

    Parameters
    ----------
    own : Series, shape (1,)
    typical : Series, shape (rows,)
    """
    before = None if own.isna().iloc[0] else _plain(own.iloc[0])
    if feature.kind != "numeric":
        others = [one for one in map(_plain, typical.dropna().unique()) if one != before]
        return Options(name, before, np.array(others, object), np.ones(len(others)))
    known = typical.dropna().to_numpy(np.float64)
    # Values that occur, and no means of two of them: whole numbers stay whole.
    places = np.linspace(0, len(known) - 1, _VALUES).round().astype(np.intp)
    values = np.unique(np.sort(known)[places]) if len(known) else known
    number = None if before is None else float(before)
    values = values[allowed(values, number, feature)]
    return Options(name, before, values, _far(values, number, known))


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def allowed(values: Floats, before: float | None, feature: Feature) -> NDArray[np.bool_]:
    """Say which values a feature may take: within its bounds, in the direction that it can go."""
    low = -np.inf if feature.minimum is None else feature.minimum
    high = np.inf if feature.maximum is None else feature.maximum
    fits = (values >= low) & (values <= high)
    if before is None:
        return np.asarray(fits)
    if feature.changeable == "up":
        fits &= values > before
    elif feature.changeable == "down":
        fits &= values < before
    return np.asarray(fits & (values != before))


def _far(values: Floats, before: float | None, known: Floats) -> Floats:
    if before is None or not len(known):
        return np.ones(len(values))
    low, high = np.quantile(known, [0.05, 0.95])
    return np.asarray(np.abs(values - before) / ((high - low) or 1.0))


@dataclass(frozen=True, eq=False)
class _Question:
    """One row, whose decision is to be flipped."""

    predict: Predict
    row: pd.DataFrame
    decision: Decision

    @cached_property
    def granted(self) -> bool:
        """Whether it is decided favourably as it is."""
        return bool(self.decision.granted(self.predict(self.row))[0])

    def flips(self, options: Sequence[Options]) -> list[WhatIf]:
        """Return the nearest flip of each set of features that has one, the nearest first.

        A set is left out where fewer of its features flip the decision at no greater distance.
        """
        nearest: dict[frozenset[str], WhatIf] = {}
        for size in range(1, min(MOST_CHANGES, len(options)) + 1):
            for chosen in combinations(options, size):
                names = frozenset(one.feature for one in chosen)
                within = [known.distance for part, known in nearest.items() if part < names]
                found = self.nearest(chosen, min(within, default=np.inf))
                if found is not None:
                    nearest[names] = found
        return sorted(nearest.values(), key=lambda found: found.distance)

    def nearest(self, chosen: Sequence[Options], below: float) -> WhatIf | None:
        """Return the nearest flip by a change of all the chosen features, nearer than ``below``."""
        places = np.indices([len(one.values) for one in chosen]).reshape(len(chosen), -1)
        parts = [one.distance[at] for one, at in zip(chosen, places, strict=True)]
        distance = np.sum(parts, axis=0)
        places, distance = places[:, distance < below], distance[distance < below]
        probability = self.predict(self._changed(chosen, places)) if len(distance) else distance
        flipped = np.flatnonzero(self.decision.granted(probability) != self.granted)
        if not len(flipped):
            return None
        best = flipped[np.argmin(distance[flipped])]
        return WhatIf(
            changes=tuple(
                Change(feature=one.feature, before=one.before, after=_plain(one.values[at[best]]))
                for one, at in zip(chosen, places, strict=True)
            ),
            probability=float(probability[best]),
            distance=float(distance[best]),
        )

    def _changed(self, chosen: Sequence[Options], places: NDArray[np.intp]) -> pd.DataFrame:
        tried = self.row.iloc[np.zeros(places.shape[1], np.intp)].reset_index(drop=True)
        columns = {
            one.feature: pd.Series(one.values[at]).astype(_roomy(self.row[one.feature], one))
            for one, at in zip(chosen, places, strict=True)
        }
        return tried.assign(**columns)

    def refined(self, options: Sequence[Options], found: WhatIf) -> WhatIf:
        """Look again among finer values, between the row's own and those that flip."""
        by_name = {one.feature: one for one in options}
        finer = [_between(by_name[change.feature], change) for change in found.changes]
        return self.nearest(finer, found.distance) or found


def _roomy(column: pd.Series[Any], options: Options) -> Any:
    """Return the type of a column that holds every option."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        known = column.cat.categories
        return pd.CategoricalDtype(known.union(pd.Index(options.values, dtype=known.dtype)))
    return column.dtype


def _between(options: Options, change: Change) -> Options:
    if isinstance(change.after, str) or change.before is None or isinstance(change.before, str):
        same = options.values == change.after
        return replace(options, values=options.values[same], distance=options.distance[same])
    before, after = float(change.before), float(change.after)
    values = np.linspace(before, after, _VALUES + 1)[1:]
    if float(before).is_integer() and float(after).is_integer():
        values = np.unique(np.round(values))
        values = values[values != before]
    place = options.values.tolist().index(after)
    scale = options.distance[place] / abs(after - before)
    return replace(options, values=values, distance=np.abs(values - before) * scale)
