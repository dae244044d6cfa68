"""A hybrid as a file: its forecast, and how a device carries its state on, in LiteRT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ForecastData, ModelError, Site
from loopcast.deploy.export.tflite.runtimes import Session, sessions
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast_forecasting.additive.model import HybridModel
from loopcast_forecasting.boosted.step import BoostedStep
from loopcast_forecasting.templates.gam_ar import GamAr
from loopcast_forecasting.templates.gam_arima import GamArima
from loopcast_forecasting.templates.gam_ridge import GamRidge

from ..templates.test_gam import ZONE, fit, victoria

SERIES = "victoria"
ORIGIN = pd.Timestamp("2014-11-20", tz=ZONE)


@pytest.fixture(scope="module")
def hourly() -> ForecastData:
    return victoria("1h")


@pytest.fixture(scope="module")
def arima(hourly: ForecastData) -> HybridModel:
    return fitted(GamArima(), hourly)


@pytest.fixture(scope="module")
def ridge(hourly: ForecastData) -> HybridModel:
    return fitted(GamRidge(), hourly)


@pytest.fixture(scope="module")
def ar(hourly: ForecastData) -> HybridModel:
    return fitted(GamAr(), hourly)


@pytest.fixture(params=["ar", "arima", "ridge"])
def model(request: pytest.FixtureRequest) -> HybridModel:
    found: HybridModel = request.getfixturevalue(request.param)
    return found


def fitted(template: GamAr | GamArima | GamRidge, data: ForecastData) -> HybridModel:
    [found] = fit(template, {"": data}).values()
    assert isinstance(found, HybridModel)
    return found


def session_of(model: HybridModel, data: ForecastData) -> Session:
    [session] = sessions(write_tflite(model.to_graph(data, SERIES).graph).content)
    return session


def asked(
    data: ForecastData, origin: pd.Timestamp, steps: int
) -> tuple[ForecastData, pd.DatetimeIndex]:
    horizon = pd.date_range(origin, periods=steps, freq=data.step)
    return data.until(origin, horizon[-1] + pd.Timedelta(data.step)), horizon


@pytest.mark.parametrize("gap", [False, True])
def test_a_call_forecasts_the_day_as_the_model_does(
    model: HybridModel, hourly: ForecastData, gap: bool
) -> None:
    known, horizon = asked(hourly, ORIGIN, 24)
    if gap:
        target = known.target.copy()
        target.iloc[-40:-30] = np.nan
        known = replace(known, target=target)
    call = model.device_call(known, horizon, SERIES)
    found, _ = session_of(model, hourly).run(
        call.features.astype(np.float32), np.asarray(call.state, np.float32)
    )
    np.testing.assert_allclose(found, model.predict(known, horizon).mean, rtol=2e-6)


def test_a_device_that_calls_for_each_hour_carries_the_state_on(
    model: HybridModel, hourly: ForecastData
) -> None:
    """Over a missing actual, and the end of daylight saving time, where an hour is repeated."""
    target = hourly.target.copy()
    target.loc[pd.Timestamp("2014-04-06 10:00", tz=ZONE)] = np.nan
    data = replace(hourly, target=target)
    session, start = session_of(model, data), pd.Timestamp("2014-04-05", tz=ZONE)
    call = model.device_call(*asked(data, start, 1), SERIES)
    state = np.asarray(call.state, np.float32)
    for hour in range(49):
        each = model.device_call(*asked(data, start + pd.Timedelta(hours=hour), 1), SERIES)
        answer, following = session.run(each.features.astype(np.float32), state)
        assert np.isfinite(answer).all()
        assert following is not None
        state = following
    later = model.device_call(*asked(data, start + pd.Timedelta(hours=49), 24), SERIES)
    found, _ = session.run(later.features.astype(np.float32), state)
    expected, _ = session.run(
        later.features.astype(np.float32), np.asarray(later.state, np.float32)
    )
    np.testing.assert_allclose(found, expected, rtol=5e-4)


def test_a_new_device_starts_with_the_additive_part(
    model: HybridModel, hourly: ForecastData
) -> None:
    known, horizon = asked(hourly, ORIGIN, 24)
    call = model.device_call(known, horizon, SERIES)
    assert call.state is not None
    found, following = session_of(model, hourly).run(
        call.features.astype(np.float32), np.zeros_like(call.state, np.float32)
    )
    [site] = model.sites
    additive = site.series.invert(site.additive(call.features[:, :-1]))
    assert following is not None
    assert following[0, 1] == 1.0
    assert np.abs(found / additive - 1.0).max() < 0.02


def test_features_are_those_of_the_recipe_and_need_no_flag_of_the_data(
    model: HybridModel, hourly: ForecastData
) -> None:
    portable = model.to_graph(hourly, SERIES)
    assert portable.graph.features == portable.recipe.columns
    assert [one.name for one in portable.recipe.measurements] == ["temperature", SERIES]
    assert portable.recipe.zone == ZONE
    day = (pd.Timestamp("2014-12-25") - pd.Timestamp(0)).days
    assert day in portable.recipe.holidays
    assert portable.recipe.target == SERIES


def test_without_a_calendar_the_flag_is_measured_or_refused(
    ridge: HybridModel, hourly: ForecastData
) -> None:
    bare = replace(hourly, sites={"melbourne": Site(timezone=ZONE)})
    with pytest.raises(ModelError, match="name the calendar of the site"):
        ridge.to_graph(bare, SERIES)


def test_what_has_no_graph_says_so(ridge: HybridModel, hourly: ForecastData) -> None:
    [site] = ridge.sites
    step: Any = BoostedStep(correction=cast(Any, "trees"), direct=cast(Any, site.residual))
    boosted = replace(ridge, sites=(replace(site, residual=step),))
    with pytest.raises(ModelError, match=r"trees has no graph; train one of forecasting\.gam_ar, "):
        boosted.to_graph(hourly, SERIES)
    with pytest.raises(ModelError, match="'tasmania' has no graph"):
        ridge.to_graph(hourly, "tasmania")
    elsewhere = replace(hourly, sites={"melbourne": Site(timezone="Europe/Paris", holidays="FR")})
    with pytest.raises(ModelError, match="a device knows one zone"):
        ridge.to_graph(elsewhere, SERIES)
