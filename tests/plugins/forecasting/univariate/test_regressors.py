from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ForecastData, Site
from loopcast_forecasting.univariate.hyperparameters import SarimaxParameters
from loopcast_forecasting.univariate.regressors import Regressors


def panel(step: str) -> ForecastData:
    times = pd.date_range("2014-03-30", periods=60, freq=step, tz="Australia/Melbourne")
    rng = np.random.default_rng(2)
    flag = (np.arange(60) % 3 == 0).astype(float)
    covariates = {"warmth": rng.normal(size=60), "flag": flag, "never": np.zeros(60)}
    return ForecastData(
        target=pd.DataFrame({"a": rng.normal(size=60)}, index=times),
        covariates={n: pd.DataFrame({"s": x}, index=times) for n, x in covariates.items()},
        sites={"s": Site(timezone="Australia/Adelaide", holidays="AU-SA")},
        site_of={"a": "s"},
        step=step,
        timezone="Australia/Melbourne",
        unit="MW",
    )


def test_harmonics_turn_with_the_clock_of_the_site_and_its_week() -> None:
    data = panel("1h")
    settings = SarimaxParameters(daily_harmonics=1, weekly_harmonics=1, covariates=False)
    regressors = Regressors.of_training(data, "s", data.times, settings)
    X = regressors.matrix(data, "s", data.times)
    wall = data.times.tz_convert("Australia/Adelaide")
    hour = wall.hour.to_numpy() + wall.minute.to_numpy() / 60
    week = (wall.day_of_week.to_numpy() * 24 + hour) / 168
    raw = np.column_stack([f(2 * np.pi * t) for t in (hour / 24, week) for f in (np.sin, np.cos)])
    np.testing.assert_allclose(X, (raw - raw.mean(axis=0)) / raw.std(axis=0), atol=1e-12)


@pytest.mark.parametrize(("step", "columns"), [("30min", 8 + 4 + 4), ("6h", 2 + 4 + 4), ("1D", 8)])
def test_no_regressor_is_there_twice(step: str, columns: int) -> None:
    """Half-days are too long for the fourth harmonic of the day, and days for any."""
    data = panel(step)
    X = Regressors.of_training(data, "s", data.times, SarimaxParameters()).matrix(
        data, "s", data.times
    )
    assert X.shape == (60, columns)
    varied = X[:, X.any(axis=0)]
    assert varied.shape[1] == columns - 1  # one flag is never up
    if step != "30min":
        assert np.linalg.matrix_rank(varied) == columns - 1


def test_without_any() -> None:
    data = panel("1h")
    none = SarimaxParameters(daily_harmonics=0, weekly_harmonics=0, covariates=False)
    regressors = Regressors.of_training(data, "s", data.times, none)
    assert regressors.matrix(data, "s", data.times[:5]).shape == (5, 0)
