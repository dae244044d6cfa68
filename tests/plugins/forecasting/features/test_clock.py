from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast_forecasting.features.clock import damped_years, local_clock

HALF_HOUR = pd.Timedelta("30min")


def day(date: str, zone: str, step: str = "30min") -> pd.DatetimeIndex:
    start = pd.Timestamp(date, tz=zone)
    return pd.date_range(start, start + pd.DateOffset(days=1), freq=step, inclusive="left")


@pytest.mark.parametrize(
    ("zone", "forward", "back"),
    [
        ("Australia/Melbourne", "2014-10-05", "2014-04-06"),
        ("Australia/Adelaide", "2014-10-05", "2014-04-06"),
        ("Europe/Paris", "2014-03-30", "2014-10-26"),
    ],
)
def test_days_of_46_and_50_half_hours(zone: str, forward: str, back: str) -> None:
    short = local_clock(day(forward, zone), zone, HALF_HOUR)
    long = local_clock(day(back, zone), zone, HALF_HOUR)
    assert len(short.hour) == 46
    assert len(long.hour) == 50
    # The hour that clocks skip has no step; the hour that they repeat has two of each.
    skipped = 2.0
    assert skipped not in short.hour
    assert np.sum(long.hour == 2.5) == 2
    # Standard time knows no change: it runs on by half an hour.
    for clock in (short, long):
        steps = np.diff(clock.standard_hour) % 24
        np.testing.assert_allclose(steps, 0.5)
        assert len(set(clock.date)) == 1


def test_melbourne_around_the_change_to_daylight_saving_by_hand() -> None:
    times = pd.DatetimeIndex(
        ["2014-10-04T15:30Z", "2014-10-04T16:00Z", "2014-10-05T02:00Z"], tz="UTC"
    )
    clock = local_clock(times, "Australia/Melbourne", HALF_HOUR)
    np.testing.assert_array_equal(clock.hour, [1.5, 3.0, 13.0])
    np.testing.assert_array_equal(clock.standard_hour, [1.5, 2.0, 12.0])
    np.testing.assert_array_equal(clock.daylight_saving, [0, 1, 1])
    np.testing.assert_allclose(clock.day_of_year * 365, [277 + h / 24 for h in (1.5, 3, 13)])


def test_adelaide_is_nine_and_a_half_hours_ahead() -> None:
    clock = local_clock(pd.DatetimeIndex(["2014-07-01T00:00Z"]), "Australia/Adelaide", HALF_HOUR)
    assert clock.hour[0] == 9.5
    assert clock.daylight_saving[0] == 0


def test_a_day_that_begins_at_anothers_midnight_is_dated_by_its_middle() -> None:
    # Midnight in Brisbane is half past eleven of the evening before in Adelaide.
    days = pd.date_range("2014-07-01", periods=2, freq="1D", tz="Australia/Brisbane")
    clock = local_clock(days, "Australia/Adelaide", pd.Timedelta("1D"))
    assert clock.date.astype(str).tolist() == ["2014-07-01", "2014-07-02"]


def test_leap_years_end_at_one() -> None:
    clock = local_clock(day("2012-12-31", "UTC"), "UTC", HALF_HOUR)
    assert clock.day_of_year[-1] == pytest.approx((365 + 23.5 / 24) / 366)


@given(
    start=st.integers(0, 17000),
    length=st.integers(1, 300),
    zone=st.sampled_from(["Australia/Melbourne", "Europe/Dublin", "UTC"]),
)
def test_a_slice_has_the_same_clock(start: int, length: int, zone: str) -> None:
    times = pd.date_range("2013-12-31T14:00Z", periods=17520, freq="30min")
    whole = local_clock(times, zone, HALF_HOUR)
    part = local_clock(times[start : start + length], zone, HALF_HOUR)
    for name in ("hour", "standard_hour", "daylight_saving", "date", "day_of_year"):
        np.testing.assert_array_equal(
            getattr(part, name), getattr(whole, name)[start : start + length]
        )


def test_time_slows_down_after_training() -> None:
    end = pd.Timestamp("2014-01-01", tz="UTC")
    times = pd.DatetimeIndex(["2013-01-01", "2014-01-01", "2015-01-01", "2064-01-01"], tz="UTC")
    years = damped_years(times, end)
    assert years[0] == pytest.approx(-365 / 365.25)
    assert years[1] == 0
    assert years[2] == pytest.approx(1 - np.exp(-365 / 365.25))
    assert years[3] == pytest.approx(1.0)
