"""What the members look at: the features of the additive model, and the weather around them.

Trees and models of a single time of day find their own interactions, and profit from inputs that
would make the curves of one additive model hard to tell apart: the temperature some hours before,
and how warm the day and the days before it were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.features.site import DAYS, TEMPERATURE

LAG_HOURS = (1, 3, 6, 12, 24, 48)
DAYS_BEFORE = (1, 2, 3)
WARM_SPELL_DAYS = 5


def member_inputs(
    X: Floats, names: Sequence[str], day: NDArray[np.intp], per_day: int
) -> dict[str, Floats]:
    """Return inputs by name.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Features at regular times; the first days stand in for those before them.
    names
        Of the features.
    day : ndarray, shape (n,)
        Number of each row's day by the clock of the panel, rising from 0. A horizon ends with
        such a day, so that the whole of each is known.
    per_day : int
        Steps of a day.

    Returns
    -------
    dict of str to ndarray, shape (n,)
    """
    inputs = dict(zip(names, X.T, strict=True))
    inputs["weekday"] = np.column_stack([inputs[name] for name in DAYS]) @ np.arange(len(DAYS))
    if TEMPERATURE not in inputs or per_day == 1:
        return inputs
    temperature = inputs[TEMPERATURE]
    for hours in LAG_HOURS:
        if hours * per_day >= 24:
            inputs[f"temperature_before_{hours}h"] = _before(temperature, hours * per_day // 24)
    return inputs | {name: of_day[day] for name, of_day in _of_days(temperature, day).items()}


def _of_days(temperature: Floats, day: NDArray[np.intp]) -> dict[str, Floats]:
    starts = np.flatnonzero(np.diff(day, prepend=-1))
    mean = np.add.reduceat(temperature, starts) / np.diff(starts, append=len(temperature))
    before = {k: _before(mean, k) for k in range(1, WARM_SPELL_DAYS + 1)}
    return {
        "day_mean": mean,
        "day_minimum": np.minimum.reduceat(temperature, starts),
        "day_maximum": np.maximum.reduceat(temperature, starts),
        "warm_spell": np.mean(list(before.values()), axis=0),
        **{f"day_mean_{k}_before": before[k] for k in DAYS_BEFORE},
    }


def _before(values: Floats, steps: int) -> Floats:
    """Return values of so many steps before; the first stands in for those before it."""
    padded = np.concatenate([np.full(steps, values[0]), values])
    return np.asarray(padded[: len(values)])
