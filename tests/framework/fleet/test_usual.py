"""What a device falls back on, and the widths around what its model says."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from loopcast.api import ForecastData, Site
from loopcast.develop.forecast.intervals import LEVELS, Intervals
from loopcast.fleet.usual import spread, usual_week
from loopcast_edge.agent.predict import usual_values
from loopcast_edge.wire import Output


def panel(weeks: int, step: str = "30min") -> ForecastData:
    """Five weeks through a change of clocks; the value is the place in the local week."""
    times = pd.date_range("2014-09-22", periods=weeks * 7 * 48, freq="30min", tz="Australia/Sydney")
    hours = 24.0 * times.day_of_week + times.hour + times.minute / 60
    noise = np.random.default_rng(1).normal(0.0, 0.01, len(times))
    return ForecastData(
        target=pd.DataFrame({"north": hours + noise, "silent": np.nan}, index=times),
        sites={"sydney": Site(timezone="Australia/Sydney")},
        site_of={"north": "sydney", "silent": "sydney"},
        step=step,
        timezone="Australia/Sydney",
    )


def test_a_device_finds_the_usual_value_of_the_local_week() -> None:
    """By the device's own code, in winter and in summer time."""
    profile = usual_week(panel(5), "north")
    assert profile.values.shape == (336, 1)
    for month in (7, 12):
        moment = datetime(2014, month, 10, 3, 30, tzinfo=UTC)
        local = pd.Timestamp(moment).tz_convert("Australia/Sydney")
        [value] = usual_values(profile, int(moment.timestamp()), 1800, [Output(name="mean")])
        assert abs(value - (24 * local.day_of_week + local.hour + local.minute / 60)) < 0.05


def test_slots_without_a_value_have_the_mean_of_all() -> None:
    known = panel(5)
    known.target.loc[known.times.day_of_week == 2, "north"] = np.nan
    values = usual_week(known, "north").values.array()[:, 0]
    expected = known.target["north"].mean()
    np.testing.assert_allclose(values[96:144], expected, rtol=1e-6)
    assert abs(values[0]) < 0.05
    assert not usual_week(known, "silent").values.array().any()


def test_widths_hold_so_many_errors_as_they_say() -> None:
    random = np.random.default_rng(2)
    scaled = random.standard_t(5, size=100_000)
    intervals = Intervals(
        scale=np.tile([[2.0, 5.0]], (48, 1)),
        quantiles=np.stack([np.zeros(len(LEVELS)), np.quantile(scaled, LEVELS)], axis=1),
    )
    for interval in spread(intervals, 1):
        errors = 5.0 * scaled
        within = (errors >= -interval.below[0]) & (errors <= interval.above[0])
        assert abs(within.mean() - interval.coverage) < 0.005
    biased = Intervals(scale=np.ones((1, 1)), quantiles=np.full((len(LEVELS), 1), 3.0))
    assert spread(biased, 0)[0].below == (0.0,)
    assert spread(biased, 0)[0].above == (3.0,)
