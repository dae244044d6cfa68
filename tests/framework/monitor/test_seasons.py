"""Recent weather beside the same months of the training: a season is no drift, a warmer one is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcast.monitor.drift import exceeded, measure
from loopcast.monitor.plan import usual_plan
from loopcast.monitor.reference import (
    Reference,
    design_of,
    fit_reference,
    in_season,
    read_reference,
    reference_bytes,
)
from loopcast.monitor.sketch import sketch
from loopcast.monitor.training import _months

LIMITS = usual_plan().limits


def weather(seed: int, start: str, days: int) -> pd.Series[float]:
    """Hourly temperatures with a season, days that resemble themselves, and noise."""
    noise = np.random.default_rng(seed)
    index = pd.date_range(start, periods=days * 24, freq="1h", tz="UTC")
    season = -9.0 * np.cos((index.day_of_year.to_numpy() - 15) / 365 * 2 * np.pi)
    day = np.repeat(noise.normal(0.0, 2.5, days), 24)
    return pd.Series(12.0 + season + day + noise.normal(0.0, 0.7, len(index)), index)


def reference(days: int = 730) -> Reference:
    values = weather(0, "2024-01-01", days)
    index = pd.DatetimeIndex(values.index)
    return fit_reference(
        {"temperature": values.to_numpy()},
        {},
        index.normalize().asi8,
        month=_months(index),
    )


def moved(known: Reference, recent: pd.Series[float]) -> bool:
    index = pd.DatetimeIndex(recent.index)
    _, place = np.unique(index.normalize(), return_inverse=True)
    days = sketch(
        {"temperature": recent.to_numpy()}, known.bins, group=place, groups=int(place.max()) + 1
    )
    months = np.bincount(index.month.to_numpy() - 1, minlength=12).astype(float)
    season = in_season(known, months)
    design = np.maximum(design_of(season.bins, season.sketch, days), season.design)
    found = measure(season, days.pooled(), design)
    return bool(exceeded(found, 0, "ks", LIMITS).any())


@pytest.mark.parametrize("start", ["2026-01-10", "2026-04-20", "2026-07-15", "2026-10-01"])
def test_a_season_is_no_drift_where_the_training_had_it(start: str) -> None:
    known = reference()
    assert sum(moved(known, weather(seed, start, 30)) for seed in range(1, 11)) <= 1
    assert moved(known, weather(1, start, 30) + 8.0), "a much warmer month is"


def test_a_training_of_half_a_year_knows_no_seasons() -> None:
    half = reference(days=180)
    assert len(half.seasons.counts) == 0
    assert moved(half, weather(1, "2026-08-01", 30)), "all of it is what August differs from"


def test_months_keep_the_weights_of_recent_rows() -> None:
    known = read_reference(reference_bytes(reference()))
    months = np.zeros(12)
    months[[0, 6]] = 3.0, 1.0
    season = in_season(known, months).sketch
    january, july = (known.seasons.counts[m, 0] / known.seasons.counts[m, 0].sum() for m in (0, 6))
    shares = season.counts[0, 0] / season.counts[0, 0].sum()
    assert shares == pytest.approx(0.75 * january + 0.25 * july)
    assert season.size[0, 0] < known.seasons.size[[0, 6], 0].sum()
    assert in_season(known, np.zeros(12)) is known


def test_a_month_that_the_training_lacks_leaves_the_year() -> None:
    values = weather(0, "2024-02-01", 400)
    index = pd.DatetimeIndex(values.index)
    values[index.month == 2] = np.nan
    known = fit_reference({"temperature": values.to_numpy()}, {}, month=_months(index))
    february = np.eye(12)[1]
    assert (in_season(known, february).sketch.counts == known.sketch.counts).all()
