"""Which features a score lives on: how much worse it is judged where one of them is shuffled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import ScoreOutcome, take
from loopcast.develop.inference import (
    Estimate,
    block_sums,
    independent_error,
    jackknife_error,
    mean_influence,
)
from loopcast.develop.metrics import mean_of_rows

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import MetricDefinition, Rows
    from loopcast.develop.explain.dependence import Predict

Floats = NDArray[np.float64]

REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much worse the KPI is without what a feature knows.

    Attributes
    ----------
    loss
        In the KPI's unit, positive where the feature helps. Its error covers the rows that happened
        to be judged and the shuffles that happened to be drawn.
    """

    feature: str
    loss: Estimate


def permutation_importance(
    predict: Predict,
    rows: pd.DataFrame,
    outcome: ScoreOutcome,
    metric: MetricDefinition,
    *,
    seed: int,
    repeats: int = REPEATS,
) -> list[Importance]:
    """Return the importance of each feature on judged rows, the most important first.

    Features that say the same stand in for each other, and each looks dispensable.

    Source: L. Breiman (2001), Random forests, Machine Learning 45, section 10; A. Fisher, C. Rudin
    and F. Dominici (2019), All models are wrong, but many are useful, JMLR 20.

    Parameters
    ----------
    rows : DataFrame, shape (n, features)
        Used features of rows that the model has not learned from.
    outcome
        What the model says of them and what came true, of shape (n,).
    metric
        By which it is judged.
    """
    rng = np.random.default_rng(seed)
    sign = 1.0 if metric.direction == "lower" else -1.0
    found = []
    for name in rows.columns:
        shuffled = [
            _said(outcome, predict(rows.assign(**{str(name): _shuffled(rows[name], rng)})))
            for _ in range(repeats)
        ]
        loss = _loss(outcome, shuffled, metric, sign)
        found.append(Importance(feature=str(name), loss=loss))
    return sorted(found, key=lambda one: -one.loss.value)


def _shuffled(column: pd.Series, rng: np.random.Generator) -> pd.Series:
    moved = column.iloc[rng.permutation(len(column))]
    return moved.set_axis(column.index)


def _said(outcome: ScoreOutcome, probability: Floats) -> ScoreOutcome:
    return replace(outcome, probability=probability, sets=None)


def _loss(
    outcome: ScoreOutcome, shuffled: list[ScoreOutcome], metric: MetricDefinition, sign: float
) -> Estimate:
    if metric.rows is not None:
        values, error, freedom = _of_means(outcome, shuffled, metric)
    else:
        values, error, freedom = _of_whole(outcome, shuffled, metric)
    drawn = values.var(ddof=1) / len(values) if len(values) > 1 else 0.0
    return Estimate(
        value=float(sign * values.mean()), error=float(np.hypot(error, drawn**0.5)), freedom=freedom
    )


def _of_means(
    outcome: ScoreOutcome, shuffled: list[ScoreOutcome], metric: MetricDefinition
) -> tuple[Floats, float, int]:
    assert metric.rows is not None
    weight, root = outcome.weight, metric.root
    own, others = metric.rows(outcome), [metric.rows(one) for one in shuffled]
    before = mean_of_rows(own, weight, root=root)
    values = np.array([mean_of_rows(one, weight, root=root) - before for one in others])
    moved = np.mean([mean_influence(one, weight, root=root) for one in others], axis=0)
    moved = moved - mean_influence(own, weight, root=root)
    error, freedom = independent_error(block_sums(moved, np.arange(len(weight))))
    return values, error, freedom


def _of_whole(
    outcome: ScoreOutcome, shuffled: list[ScoreOutcome], metric: MetricDefinition
) -> tuple[Floats, float, int]:
    whole = metric.whole
    assert whole is not None

    def changes(rows: Rows) -> Floats:
        before = whole(take(outcome, rows))
        return np.array([whole(take(one, rows)) - before for one in shuffled])

    every = np.arange(len(outcome.actual))
    error, freedom = jackknife_error(
        lambda left: float(changes(left).mean()), every.astype(np.int64), serial=False
    )
    return changes(every), error, freedom
