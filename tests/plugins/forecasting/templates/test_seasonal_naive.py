from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcast.api import DataError, ForecastData, Forecaster, Site
from loopcast.testing import fit_context
from loopcast_forecasting.templates.seasonal_naive import SeasonalNaive, SeasonalNaiveParameters

ZONE = "Australia/Melbourne"


def data(end: str, step: str = "30min", days: int = 20) -> ForecastData:
    last = pd.Timestamp(end, tz=ZONE)
    times = pd.date_range(last - pd.DateOffset(days=days), last, freq=step, inclusive="left")
    minutes = times.hour * 60 + times.minute
    values = times.day_of_year.to_numpy() * 10000.0 + minutes.to_numpy()
    return ForecastData(
        target=pd.DataFrame({"a": values, "b": -values}, index=times),
        sites={"home": Site(timezone=ZONE)},
        site_of={"a": "home", "b": "home"},
        step=step,
        timezone=ZONE,
    )


def model(season: str) -> Forecaster:
    parameters = SeasonalNaiveParameters(season=season)  # type: ignore[arg-type]
    context = fit_context()
    ((_, fitted),) = SeasonalNaive().fit({"": data("2014-06-01")}, parameters, context)
    assert isinstance(fitted, Forecaster)
    return fitted


def horizon(start: str, days: int = 1, step: str = "30min") -> pd.DatetimeIndex:
    first = pd.Timestamp(start, tz=ZONE)
    return pd.date_range(first, first + pd.DateOffset(days=days), freq=step, inclusive="left")


@pytest.mark.parametrize(("season", "days"), [("1D", 1), ("7D", 7)])
def test_the_same_time_of_the_season_before(season: str, days: int) -> None:
    past = data("2014-06-01")
    forecast = model(season).predict(past, horizon("2014-06-01")).mean
    np.testing.assert_array_equal(
        forecast, past.target.iloc[-48 * days :][:48].to_numpy(np.float64)
    )


def test_a_longer_horizon_repeats_the_last_season() -> None:
    past = data("2014-06-01")
    forecast = model("1D").predict(past, horizon("2014-06-01", days=3)).mean
    last = past.target.iloc[-48:].to_numpy(np.float64)
    np.testing.assert_array_equal(forecast, np.tile(last, (3, 1)))


def test_a_day_of_46_half_hours_takes_the_same_wall_clock() -> None:
    steps = horizon("2014-10-05")
    forecast = model("1D").predict(data("2014-10-05"), steps).mean[:, 0]
    assert len(steps) == 46
    np.testing.assert_array_equal(forecast % 10000, steps.hour * 60 + steps.minute)


def test_a_day_of_50_half_hours_repeats_the_repeated_hour() -> None:
    steps = horizon("2014-04-06")
    forecast = model("1D").predict(data("2014-04-06"), steps).mean[:, 0]
    assert len(steps) == 50
    np.testing.assert_array_equal(forecast % 10000, steps.hour * 60 + steps.minute)


def test_the_day_after_a_day_of_46_half_hours_takes_the_next_step_for_those_skipped() -> None:
    steps = horizon("2014-10-06")
    forecast = model("1D").predict(data("2014-10-06"), steps).mean[:, 0] % 10000
    clock = (steps.hour * 60 + steps.minute).to_numpy()
    skipped = (clock >= 120) & (clock < 180)
    np.testing.assert_array_equal(forecast[~skipped], clock[~skipped])
    np.testing.assert_array_equal(forecast[skipped], [180, 180])


def test_days() -> None:
    past = data("2014-06-01", step="1D")
    forecast = model("7D").predict(past, horizon("2014-06-01", step="1D")).mean
    np.testing.assert_array_equal(forecast, past.target.iloc[-7:-6].to_numpy(np.float64))


def test_too_short_a_past_is_an_error() -> None:
    with pytest.raises(DataError, match="less than a season of 7 days"):
        model("7D").predict(data("2014-06-01", days=5), horizon("2014-06-01"))


def test_where_no_season_is_known_the_last_actual_stands_in() -> None:
    past = data("2014-06-01")
    past.target.iloc[:-60] = np.nan  # installed on Friday: no Sunday yet
    steps = horizon("2014-06-01")
    np.testing.assert_array_equal(
        model("7D").predict(past, steps).mean, np.tile(past.target.to_numpy()[-1:], (48, 1))
    )
    past.target[:] = np.nan
    assert np.isnan(model("7D").predict(past, steps).mean).all()


def test_a_loaded_model_is_the_same() -> None:
    fitted = model("1D")
    assert SeasonalNaive().load(fitted.save()) == fitted
