"""What a device says when no model can answer, and how far off it may be when one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ForecastQuery, step_minutes
from loopcast_edge.wire import Interval, Profile, Tensor

if TYPE_CHECKING:
    from loopcast.api import ForecastData
    from loopcast.deploy.loaded import LoadedVersion
    from loopcast.develop.forecast.intervals import Intervals

COVERAGES = (0.9, 0.8)
WEEK_MINUTES = 10_080


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What is known of the outcomes of a version's package.

    Attributes
    ----------
    profile
        ``None`` where there is no usual value, as of a score.
    """

    profile: Profile | None = None
    intervals: tuple[Interval, ...] = ()


def usual_of(loaded: LoadedVersion, series: str | None) -> Usual:
    """Return the usual values of a forecast's series, and the spread of its errors.

    Both are of the finest step. The spread is that of the backtest, for whole days ahead: the next
    interval is nearer, so that more outcomes than said are within.

    Parameters
    ----------
    series
        The one that the package is of; nothing is known without one.
    """
    if loaded.forecast is None or series is None:
        return Usual()
    known, step = last_weeks(loaded), next(iter(loaded.models))
    return Usual(
        profile=usual_week(known, series),
        intervals=spread(loaded.forecast.intervals[step], known.series.index(series)),
    )


def last_weeks(loaded: LoadedVersion) -> ForecastData:
    """Return the panel of a forecast's test scenario, at its finest step."""
    from loopcast.deploy.forecast_scenario import read_scenario

    step = next(iter(loaded.models))
    query = read_scenario(step, loaded.bundle.files[f"scenarios/{step}.npz"]).inputs
    assert isinstance(query, ForecastQuery)
    return query.known


def usual_week(known: ForecastData, series: str) -> Profile:
    """Return the mean of a series in each slot of the local week; of all where one has none."""
    actual = known.target[series].to_numpy(np.float64)
    seen = np.isfinite(actual)
    minutes = min(step_minutes(known.step), 1440)
    local = known.times
    since_monday = 1440 * local.day_of_week + 60 * local.hour + local.minute
    slot, slots = (since_monday // minutes).to_numpy()[seen], WEEK_MINUTES // minutes
    count = np.bincount(slot, minlength=slots)
    total = np.bincount(slot, weights=actual[seen], minlength=slots)
    overall = actual[seen].mean() if seen.any() else 0.0
    means = np.where(count > 0, total / np.maximum(count, 1), overall)
    return Profile(zone=known.timezone, values=Tensor.of(means[:, None]))


def spread(intervals: Intervals, place: int) -> tuple[Interval, ...]:
    """Return the widths of intervals of a series, whatever the time of day.

    Parameters
    ----------
    place
        Of the series.
    """
    from loopcast.develop.forecast.intervals import LEVELS

    scale = float(np.sqrt(np.mean(intervals.scale[:, place] ** 2)))
    widths = dict(zip(LEVELS, (scale * intervals.quantiles[:, place]).tolist(), strict=True))
    tails = {coverage: round((1.0 - coverage) / 2.0, 3) for coverage in COVERAGES}
    return tuple(
        Interval(
            coverage=coverage,
            below=(max(-widths[tail], 0.0),),
            above=(max(widths[round(1.0 - tail, 3)], 0.0),),
        )
        for coverage, tail in tails.items()
    )
