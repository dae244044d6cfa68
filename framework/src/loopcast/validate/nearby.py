"""Inputs near those of a scenario, and how far their answers are from its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import Forecast, ForecastQuery, Ranking, RankQuery, Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.validate.answers import Answer, Inputs


def nearby(inputs: Inputs, change: float, seed: int) -> Inputs | None:
    """Move each number by up to a share of its column's range; ``None`` where there is none.

    Flags, numbers of two values at most, stay: half a holiday is no small change.
    """
    rng = np.random.default_rng(seed)
    if isinstance(inputs, ForecastQuery):
        known = inputs.known
        covariates = {name: _moved(frame, change, rng) for name, frame in known.covariates.items()}
        target = _moved(known.target, change, rng)
        return replace(inputs, known=replace(known, target=target, covariates=covariates))
    if isinstance(inputs, RankQuery):
        features = inputs.entity_features
        if features is None:
            return None
        return replace(inputs, entity_features=_moved(features, change, rng))
    return _moved(inputs, change, rng)


def _moved(frame: pd.DataFrame, change: float, rng: np.random.Generator) -> pd.DataFrame:
    moved = {
        name: column + change * _range(column) * rng.uniform(-1.0, 1.0, len(column))
        for name, column in frame.select_dtypes("number").items()
        if column.nunique() > 2
    }
    return frame.assign(**{str(name): column for name, column in moved.items()})


def _range(column: pd.Series[float]) -> float:
    """Return the distance of the 5th and 95th percentile, which an outlier does not stretch."""
    low, high = column.quantile([0.05, 0.95])
    return float(high - low)


def change_of_answers(one: Answer, two: Answer) -> NDArray[np.float64]:
    """Return how far answers are from each other, one value for each."""
    if isinstance(one, Forecast) and isinstance(two, Forecast):
        scale = np.abs(two.mean).mean(axis=0)
        change = np.abs(one.mean - two.mean)
        relative = np.divide(change, scale, out=np.zeros_like(change), where=scale > 0.0)
        return np.asarray(np.nan_to_num(relative, nan=np.inf).ravel())
    if isinstance(one, Scores) and isinstance(two, Scores):
        return np.asarray(np.nan_to_num(np.abs(one.probability - two.probability), nan=np.inf))
    assert isinstance(one, Ranking)
    assert isinstance(two, Ranking)
    return np.asarray((one.items != two.items).mean(axis=1))
