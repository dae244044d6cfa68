"""Which actuals of a backtest were measured, at every level.

A gap that was filled in may be learned from, but judges nobody: it was computed from the weeks
around it, and a forecast that does the same would look better than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.develop.forecast.horizon import backtest_origins, horizon_index
from loopcast.develop.forecast.panel import at_step, mean_size

if TYPE_CHECKING:
    from loopcast.api import ForecastData
    from loopcast.develop.forecast.backtest import Predictions
    from loopcast.develop.forecast.course import Plan
    from loopcast.develop.forecast.hierarchy import Hierarchy

MOST_FILLED = 0.05
"""Share of a sum, or of a longer interval, up to which it counts as measured."""


def filled_levels(
    hierarchy: Hierarchy, fine: ForecastData, filled: pd.DataFrame, since: pd.Timestamp
) -> dict[str, pd.DataFrame]:
    """Tell which values were filled in at each step, from a local midnight on.

    Of thousands of meters one is always silent, and of a day often half an hour. So a sum counts
    as measured while no more than a twentieth of it was filled in, each series weighed by its
    mean size, and a longer interval likewise.

    Parameters
    ----------
    fine
        The panel at the finest step, aggregates after the bottom series.
    filled : DataFrame, shape (time, bottom series), bool

    Returns
    -------
    dict of str to DataFrame, shape (time, series), bool
        By step.
    """
    target = fine.target.loc[since:]
    summing = hierarchy.over_series()
    bottom = target.to_numpy()[:, : len(hierarchy.bottom)]
    # A series that is always zero weighs something, so that its own share is defined.
    size = np.maximum(mean_size(bottom), np.finfo(np.float64).tiny)
    part = (summing @ (filled.loc[target.index].to_numpy() * size).T).T / (summing @ size)
    shares = replace(fine, target=pd.DataFrame(part, target.index, target.columns), covariates={})
    return {step: at_step(shares, step, "mean").target > MOST_FILLED for step in hierarchy.steps}


def measured_alone(
    predictions: Mapping[str, Mapping[str, Predictions]], filled: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, Predictions]]:
    """Leave out the actuals that were filled in.

    Parameters
    ----------
    predictions
        By contender and step, all on the same origins.
    filled
        By step, as :func:`filled_levels` gives it.
    """
    actual = {
        step: np.where(filled[step].loc[p.times].to_numpy(), np.nan, p.actual)
        for step, p in next(iter(predictions.values())).items()
    }
    return {
        label: {step: replace(p, actual=actual[step]) for step, p in by_step.items()}
        for label, by_step in predictions.items()
    }


def filled_in_backtest(plan: Plan, training: ForecastData, filled: pd.DataFrame) -> int:
    """Count the actuals of the judged origins' horizons that were filled in.

    Parameters
    ----------
    training
        At the finest step, without aggregates.
    filled : DataFrame, shape (time, series), bool
    """
    origins = backtest_origins(training, plan.calibration + plan.origins, plan.every)
    judged = [
        horizon_index(origin, training.horizon, training.step)
        for origin in origins[plan.calibration :]
    ]
    times = judged[0].append(judged[1:])
    return int(np.count_nonzero(filled.loc[times.unique()]))
