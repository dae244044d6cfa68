from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.api import DataError, ForecastData, Site
from loopcast_forecasting.features import feature_matrix, feature_spec

ZONE = "Australia/Melbourne"
TIMES = pd.date_range("2014-09-20", "2014-11-10", freq="30min", tz=ZONE, inclusive="left")
SITES = {
    "melbourne": Site(timezone=ZONE, holidays="AU-VIC"),
    "adelaide": Site(timezone="Australia/Adelaide", holidays="AU-SA"),
}


def data(step: str = "30min", **covariates: NDArray[np.float64]) -> ForecastData:
    times = pd.date_range(TIMES[0], TIMES[-1], freq=step)
    values = np.random.default_rng(1).normal(15, 5, len(times))
    columns = {"temperature": values} | covariates
    return ForecastData(
        target=pd.DataFrame({"load": np.arange(len(times), dtype=float)}, index=times),
        covariates={
            name: pd.DataFrame(dict.fromkeys(SITES, column[: len(times)]), index=times)
            for name, column in columns.items()
        },
        sites=SITES,
        site_of={"load": "melbourne"},
        step=step,
        timezone=ZONE,
    )


def flag(dates: list[str], *, inside: float = 1.0) -> NDArray[np.float64]:
    on = np.isin(TIMES.strftime("%Y-%m-%d"), dates)
    return np.where(on, inside, 1.0 - inside)


def day_types(panel: ForecastData, date: str, site: str = "melbourne") -> dict[str, float]:
    spec = feature_spec(panel, (6,))
    features = feature_matrix(panel, site, spec, panel.times)
    row = panel.times.get_loc(pd.Timestamp(f"{date} 12:00", tz=ZONE))
    return {name: float(values[row]) for name, values in features.items()}


def test_a_holiday_counts_as_a_sunday() -> None:
    cup_day = day_types(data(), "2014-11-04")
    assert (cup_day["tuesday"], cup_day["sunday"], cup_day["holiday"]) == (0, 1, 1)
    assert cup_day["weekend"] == 1
    assert day_types(data(), "2014-11-03")["day_before_holiday"] == 1
    assert day_types(data(), "2014-11-05")["day_after_holiday"] == 1


def test_holidays_differ_by_site() -> None:
    elsewhere = day_types(data(), "2014-11-04", site="adelaide")
    assert (elsewhere["tuesday"], elsewhere["holiday"]) == (1, 0)


def test_a_holiday_flag_in_the_data_counts_more_than_the_calendar() -> None:
    panel = data(holiday=flag(["2014-10-15"]))
    assert day_types(panel, "2014-10-15")["holiday"] == 1
    assert day_types(panel, "2014-11-04")["holiday"] == 0


def test_a_weekday_without_work_is_a_holiday_and_a_weekend_is_not() -> None:
    panel = data(working_day=flag(["2014-10-15", "2014-10-18"], inside=0.0))
    assert day_types(panel, "2014-10-15")["holiday"] == 1
    assert day_types(panel, "2014-10-18")["holiday"] == 0
    assert day_types(panel, "2014-10-18")["saturday"] == 1
    assert [day_types(panel, f"2014-10-{day}")["weekend"] for day in (17, 18, 19)] == [0, 1, 1]


def test_other_covariates_are_numbers_or_flags() -> None:
    spec = feature_spec(data(wind=np.linspace(0, 1, len(TIMES)), strike=flag(["2014-10-15"])), ())
    assert (spec.numbers, spec.flags) == (("wind",), ("strike",))
    assert spec.covariates == ("temperature", "wind", "strike")


def test_a_daily_panel_has_no_features_within_the_day() -> None:
    panel = data(step="1D")
    spec = feature_spec(panel, (6.0, 24.0, 50.0))
    features = feature_matrix(panel, "melbourne", spec, panel.times)
    assert spec.smoothed_hours == (24.0, 50.0)
    assert "previous_day_maximum" not in features


def test_working_days_between_the_years() -> None:
    times = pd.date_range("2013-12-20", "2014-01-12", freq="1D", tz=ZONE)
    panel = replace(data(step="1D"), target=pd.DataFrame({"load": 1.0}, index=times), covariates={})
    features = feature_matrix(panel, "melbourne", feature_spec(panel, ()), times)
    quiet = times[features["year_end_workday"] == 1].strftime("%m-%d").tolist()
    assert quiet == ["12-23", "12-24", "12-27", "12-30", "12-31", "01-02", "01-03"]
    assert features["days_from_christmas"][times.get_loc("2014-01-03")] == 9
    assert features["christmas"].sum() == 22


def test_a_step_longer_than_a_day_is_refused() -> None:
    with pytest.raises(DataError, match="2D"):
        feature_spec(replace(data(), step="2D"), ())


@given(start=st.integers(0, len(TIMES) - 400), length=st.integers(49, 350))
def test_a_slice_has_the_same_calendar(start: int, length: int) -> None:
    panel = data()
    spec = feature_spec(panel, (6,))
    rows = slice(start, start + length)
    whole = feature_matrix(panel, "melbourne", spec, panel.times)
    part = feature_matrix(panel, "melbourne", spec, panel.times[rows])
    for name in whole:
        if "temperature" not in name and "previous" not in name:
            np.testing.assert_array_equal(part[name], whole[name][rows], err_msg=name)


@given(origin=st.integers(48, len(TIMES) - 1))
def test_features_do_not_depend_on_actuals_or_on_what_comes_after(origin: int) -> None:
    panel = data()
    spec = feature_spec(panel, (6, 50))
    whole = feature_matrix(panel, "melbourne", spec, panel.times)
    future = {
        name: pd.concat([frame.iloc[:origin], frame.iloc[origin:] * 0 + 99.0])
        for name, frame in panel.covariates.items()
    }
    other = replace(panel, target=panel.target * np.nan, covariates=future)
    changed = feature_matrix(other, "melbourne", spec, panel.times)
    for name in whole:
        np.testing.assert_array_equal(changed[name][:origin], whole[name][:origin], err_msg=name)


def test_a_covariate_that_ends_too_early_is_named() -> None:
    panel = data()
    spec = feature_spec(panel, ())
    horizon = pd.date_range(TIMES[0], periods=len(TIMES) + 48, freq="30min")
    with pytest.raises(DataError, match=r"'temperature' ends before 2014-11-10 00:00.*48 of"):
        feature_matrix(panel, "melbourne", spec, horizon)


def test_a_missing_covariate_and_a_missing_value_are_named() -> None:
    panel = data()
    spec = feature_spec(panel, ())
    with pytest.raises(DataError, match="no covariate 'temperature'"):
        feature_matrix(replace(panel, covariates={}), "melbourne", spec, TIMES)
    frame = panel.covariates["temperature"].copy()
    frame.iloc[[100, 105], 0] = np.nan
    holed = replace(panel, covariates={"temperature": frame})
    with pytest.raises(DataError, match=r"site 'melbourne': 2 values.*2014-09-22 02:00"):
        feature_matrix(holed, "melbourne", spec, TIMES)
