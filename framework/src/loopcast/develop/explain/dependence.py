"""Curves of a score over one feature: each row's own, their mean, and where the data is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from loopcast.api import Feature, ScoreSchema

Floats = NDArray[np.float64]
Predict = Callable[[pd.DataFrame], Floats]
"""From rows of used features to probabilities."""

POINTS = 25
MOST_LEVELS = 12
"""Categories that are drawn, the most frequent ones."""

_BINS = 20


@dataclass(frozen=True, eq=False, kw_only=True)
class Dependence:
    """How the probability of rows moves as one feature runs over its range.

    Attributes
    ----------
    feature, title, unit
        Which one, for code and for people.
    x : ndarray, shape (n,)
        Values of a number; places of the levels of a category or flag.
    labels
        Names of the levels; empty for a number.
    curves : ndarray, shape (rows, n)
        Probability of each row, all its other features as they are: individual conditional
        expectations.
    share : ndarray, shape (n,)
        Of a number the density of the rows near each value, relative to the highest; of a level
        its share of the rows.
    """

    feature: str
    title: str
    unit: str
    x: Floats
    labels: tuple[str, ...]
    curves: Floats
    share: Floats

    @property
    def mean(self) -> Floats:
        """The partial dependence: the mean of the curves, shape (n,)."""
        return np.asarray(self.curves.mean(axis=0))


def dependences(
    predict: Predict,
    rows: pd.DataFrame,
    schema: ScoreSchema,
    *,
    only: Sequence[str] | None = None,
) -> Iterator[Dependence]:
    """Yield the curves of every used feature that varies.

    Source: J. H. Friedman (2001), Greedy function approximation, Annals of Statistics 29, section
    8.2; A. Goldstein, A. Kapelner, J. Bleich and E. Pitkin (2015), Peeking inside the black box,
    Journal of Computational and Graphical Statistics 24, for the curve of each row.

    Parameters
    ----------
    rows : DataFrame, shape (rows, features)
        Typical rows, over which the mean is taken.
    only
        Features to look at, in place of all.
    """
    for name in rows.columns if only is None else only:
        feature = schema.features[str(name)]
        grid = _numbers(rows[name]) if feature.kind == "numeric" else _levels(rows[name])
        if len(grid.values) > 1:
            yield _curves(predict, rows, str(name), feature, grid)


@dataclass(frozen=True, eq=False)
class _Grid:
    """Values to set a feature to, with their place on the axis, their names and shares."""

    values: list[Any]
    x: Floats
    labels: tuple[str, ...]
    share: Floats


def _numbers(column: pd.Series[float]) -> _Grid:
    known = np.asarray(column.dropna(), np.float64)
    if not len(known):
        return _Grid([], known, (), known)
    x = np.unique(np.quantile(known, np.linspace(0.02, 0.98, POINTS)))
    counts, edges = np.histogram(known, _BINS, range=(float(x[0]), float(x[-1])))
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, _BINS - 1)
    share = np.asarray(counts[place] / counts.max(), np.float64)
    return _Grid(x.tolist(), np.asarray(x, np.float64), (), share)


def _levels(column: pd.Series[Any]) -> _Grid:
    counts = column.value_counts(normalize=True, dropna=True)
    counts = counts[counts > 0.0].iloc[:MOST_LEVELS]
    if isinstance(column.dtype, pd.CategoricalDtype):
        labels = tuple(map(str, counts.index))
    else:
        labels = tuple("yes" if value else "no" for value in counts.index)
    places = np.arange(len(counts), dtype=np.float64)
    return _Grid(list(counts.index), places, labels, np.asarray(counts, np.float64))


def _curves(
    predict: Predict, rows: pd.DataFrame, name: str, feature: Feature, grid: _Grid
) -> Dependence:
    many = rows.iloc[np.tile(np.arange(len(rows)), len(grid.values))]
    values = pd.Series(np.repeat(np.array(grid.values, object), len(rows)), index=many.index)
    found = predict(many.assign(**{name: values.astype(rows[name].dtype)}))
    return Dependence(
        feature=name,
        title=feature.title or name,
        unit=feature.unit,
        x=grid.x,
        labels=grid.labels,
        curves=found.reshape(len(grid.values), len(rows)).T,
        share=grid.share,
    )
