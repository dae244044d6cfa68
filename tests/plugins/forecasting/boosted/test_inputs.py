from __future__ import annotations

import numpy as np
import pandas as pd

from loopcast_forecasting.boosted.inputs import member_inputs
from loopcast_forecasting.features.site import DAYS

HOURS = pd.date_range("2014-04-01", periods=24 * 10, freq="1h", tz="Australia/Melbourne")
DAY = ((HOURS.tz_localize(None).normalize() - HOURS[0].tz_localize(None)).days).to_numpy()
RNG = np.random.default_rng(3)


def test_the_weather_around_is_that_of_pandas() -> None:
    temperature = RNG.normal(15, 5, len(HOURS))
    flags = np.eye(7)[HOURS.day_of_week]
    inputs = member_inputs(
        np.column_stack([flags, temperature]), (*DAYS, "temperature"), DAY, per_day=24
    )
    series = pd.Series(temperature, index=HOURS)
    by_date = series.groupby(HOURS.tz_localize(None).normalize())
    np.testing.assert_array_equal(inputs["weekday"], HOURS.day_of_week)
    np.testing.assert_allclose(inputs["day_maximum"], by_date.transform("max"))
    np.testing.assert_allclose(inputs["day_minimum"], by_date.transform("min"))
    np.testing.assert_allclose(inputs["day_mean"], by_date.transform("mean"))
    np.testing.assert_allclose(inputs["temperature_before_6h"][6:], temperature[:-6])
    means = by_date.mean().to_numpy()  # the sixth of April has 25 hours
    last = DAY == 9
    np.testing.assert_allclose(inputs["warm_spell"][last], means[4:9].mean())
    np.testing.assert_allclose(inputs["day_mean_2_before"][last], means[7])


def test_nothing_looks_beyond_the_end_of_its_day() -> None:
    temperature = RNG.normal(15, 5, len(HOURS))
    names = (*DAYS, "temperature")
    flags = np.eye(7)[HOURS.day_of_week]
    whole = member_inputs(np.column_stack([flags, temperature]), names, DAY, 24)
    until = np.flatnonzero(DAY == 5)[-1] + 1
    part = member_inputs(np.column_stack([flags, temperature])[:until], names, DAY[:until], 24)
    for name, values in part.items():
        np.testing.assert_array_equal(values, whole[name][:until], err_msg=name)


def test_a_panel_without_temperature_or_of_days_has_its_own_features_only() -> None:
    flags = np.eye(7)[HOURS.day_of_week]
    assert set(member_inputs(flags, DAYS, DAY, 24)) == {*DAYS, "weekday"}
    daily = np.column_stack([flags[::24], np.ones(10)])
    assert "day_mean" not in member_inputs(daily, (*DAYS, "temperature"), np.arange(10), 1)
