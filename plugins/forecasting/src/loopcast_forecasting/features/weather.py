"""Temperature and its past: buildings and people react with inertia.

Source: S. Fan and R. J. Hyndman, Short-term load forecasting based on a semi-parametric additive
model, IEEE Transactions on Power Systems 27 (2012); smoothed temperatures as in M. Goude,
R. Nedellec and N. Kong, Local short and middle term electricity load forecasting with
semi-parametric additive models, IEEE Transactions on Smart Grid 5 (2014).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast_forecasting.features.clock import Floats


def smoothed(values: Floats, hours: float, step_hours: float) -> Floats:
    """Return the exponentially weighted mean of the present and the past.

    Weights fall as ``exp(-age / hours)`` and sum to one over the values there are.

    Parameters
    ----------
    values : ndarray, shape (n,)
    hours : float
        Time constant.
    step_hours : float
        Length of an interval.
    """
    alpha = -np.expm1(-step_hours / hours)
    return pd.Series(values).ewm(alpha=alpha, adjust=True).mean().to_numpy()


def previous_day_extremes(values: Floats, day: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the lowest and the highest value of the local day before.

    Parameters
    ----------
    values : ndarray, shape (n,)
    day : ndarray, shape (n,)
        Number of the day of each value, from 0, rising.

    Returns
    -------
    lowest, highest : ndarray, shape (n,)
        The first day's own where there is no day before.
    """
    starts = np.flatnonzero(np.diff(day, prepend=-1))
    before = np.maximum(day - 1, 0)
    return np.minimum.reduceat(values, starts)[before], np.maximum.reduceat(values, starts)[before]
