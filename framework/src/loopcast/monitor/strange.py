"""Outcomes that are hardly what they say: a wrong unit, a poisoned day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from loopcast.api import ForecastOutcome
from loopcast.monitor.performance import Labelled

FAR = 10.0
"""An outcome is strange that is so many widths of its interval outside it."""


@dataclass(frozen=True, kw_only=True)
class Strange:
    """Strange outcomes of the days that have many of them.

    Attributes
    ----------
    days, last
        How many days of predictions, in UTC, and the last of them.
    strange, outcomes
        Number of strange outcomes of these days, and of all of theirs.
    actual, predicted
        The one that is farthest from its prediction, in the unit of the forecast.
    """

    days: int
    last: datetime
    strange: int
    outcomes: int
    actual: float
    predicted: float


def strange_outcomes(labelled: Labelled, share: float) -> Strange | None:
    """Look for days of which a share of the outcomes is far outside what was predicted.

    One such day makes errors so uneven that no test of their mean finds anything. Forecasts
    without intervals, and other tasks, have none.

    Parameters
    ----------
    share
        Of a day's outcomes, from where on the day counts.
    """
    outcome = labelled.outcome
    if not isinstance(outcome, ForecastOutcome) or outcome.quantiles.shape[1] < 2:
        return None
    low, high = outcome.quantiles[:, 0], outcome.quantiles[:, -1]
    outside = np.maximum(low - outcome.actual, outcome.actual - high)
    strange = (high > low) & (outside > FAR * (high - low))
    day = pd.DatetimeIndex(labelled.time.iloc[labelled.known]).tz_convert("UTC").floor("D")
    codes, days = pd.factorize(day, sort=True)
    outcomes = np.bincount(codes, minlength=len(days))
    far = np.bincount(codes, strange, len(days))
    many = (far > 0) & (far >= share * outcomes)
    rows = np.flatnonzero(many[codes] & strange)
    if not len(rows):
        return None
    worst = rows[np.argmax(outside[rows])]
    return Strange(
        days=int(many.sum()),
        last=days[many][-1].to_pydatetime(),
        strange=len(rows),
        outcomes=int(outcomes[many].sum()),
        actual=float(outcome.actual[worst]),
        predicted=float(outcome.mean[worst]),
    )
