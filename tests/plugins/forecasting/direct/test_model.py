from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import DataError, Effect, Engine, ForecastData, ModelError, Surface
from loopcast_forecasting.direct.fit import fit_model
from loopcast_forecasting.direct.hyperparameters import GamRidgeParameters
from loopcast_forecasting.direct.model import HISTORY_DAYS, GamRidgeModel
from loopcast_forecasting.features import feature_matrix

ORIGIN = pd.Timestamp("2014-05-10", tz="Australia/Melbourne")
CLOCKS_BACK = pd.Timestamp("2014-04-06", tz="Australia/Melbourne")  # a day of 25 hours


def horizon(origin: pd.Timestamp = ORIGIN, days: int = 1) -> pd.DatetimeIndex:
    return pd.date_range(origin, origin + pd.DateOffset(days=days), freq="1h", inclusive="left")


def known(panel: ForecastData, steps: pd.DatetimeIndex) -> ForecastData:
    return panel.until(steps[0], steps[-1] + pd.Timedelta("1h"))


def column(panel: ForecastData, name: str) -> int:
    return panel.series.index(name)


def test_the_formula(panel: ForecastData, model: GamRidgeModel) -> None:
    """The additive model, and the ridge on curves of earlier days, hour by hour."""
    steps = horizon()
    past = known(panel, steps)
    site = next(site for site in model.sites if "homes" in site.names)
    times = pd.DatetimeIndex(past.times[-HISTORY_DAYS * 24 :].append(steps))
    X = np.column_stack(list(feature_matrix(past, "town", model.spec, times).values()))
    k = site.names.index("homes")
    additive = site.design.matrix(X)[-8 * 24 :] @ site.coef[:, k]
    residuals = np.log(past.target["homes"].to_numpy()[-7 * 24 :]) - additive[:-24]
    curves = residuals.reshape(7, 24)
    frequency = np.arange(16)
    basis = np.sqrt(np.where(frequency, 2, 1) / 24) * np.cos(
        np.pi * (np.arange(24)[:, None] + 0.5) / 24 * frequency
    )
    inputs = np.concatenate([basis.T @ curves[-lag] for lag in (1, 2, 7)])
    ridge = site.residual.days[0].ridge
    predicted = basis @ (ridge.coef[k] @ inputs + ridge.intercept[k])
    forecast = model.predict(past, steps).mean[:, column(panel, "homes")]
    np.testing.assert_allclose(forecast, np.exp(additive[-24:] + predicted), rtol=1e-9)


@pytest.mark.parametrize("origin", [ORIGIN, CLOCKS_BACK])
@pytest.mark.parametrize("days", [1, 2])
def test_forecasts_are_close_and_failures_are_nan(
    panel: ForecastData, model: GamRidgeModel, origin: pd.Timestamp, days: int
) -> None:
    steps = horizon(origin, days)
    forecast = model.predict(known(panel, steps), steps).mean
    actual = panel.target.loc[steps].to_numpy()
    assert forecast.shape == (len(steps), 5)
    for name, error in [("homes", 0.05), ("port", 0.05)]:
        k = column(panel, name)
        assert np.mean(np.abs(forecast[:, k] / actual[:, k] - 1)) < error
    assert np.all(forecast[:, column(panel, "still")] == 3.0)
    assert np.isnan(forecast[:, column(panel, "dead")]).all()
    assert model.failures["dead"].endswith("actuals are missing")


def test_the_residual_step_helps(panel: ForecastData, model: GamRidgeModel) -> None:
    def error(candidate: GamRidgeModel) -> float:
        found = []
        for origin in pd.date_range("2014-03-10", periods=30, freq="2D", tz=ORIGIN.tz):
            steps = horizon(origin)
            forecast = candidate.predict(known(panel, steps), steps).mean
            found.append(forecast[:, 0] / panel.target["homes"].loc[steps] - 1)
        return float(np.mean(np.abs(np.concatenate(found))))

    alone = replace(
        model,
        sites=tuple(replace(s, residual=replace(s.residual, days=())) for s in model.sites),
    )
    assert error(model) < 0.9 * error(alone)


def test_what_comes_after_the_origin_is_not_looked_at(
    panel: ForecastData, model: GamRidgeModel
) -> None:
    steps = horizon()
    changed = panel.target.copy()
    changed.loc[ORIGIN:] *= 100
    after = known(replace(panel, target=changed), steps)
    np.testing.assert_array_equal(
        model.predict(after, steps).mean, model.predict(known(panel, steps), steps).mean
    )


@settings(max_examples=10)
@given(cut=st.integers(0, 97 - HISTORY_DAYS - 1))
def test_a_longer_past_gives_the_same_answer_bit_for_bit(
    panel: ForecastData, model: GamRidgeModel, cut: int
) -> None:
    steps = horizon()
    past = known(panel, steps)
    part = replace(
        past,
        target=past.target.iloc[24 * cut :],
        covariates={name: frame.iloc[24 * cut :] for name, frame in past.covariates.items()},
    )
    np.testing.assert_array_equal(model.predict(part, steps).mean, model.predict(past, steps).mean)


def test_series_may_come_in_another_order(panel: ForecastData, model: GamRidgeModel) -> None:
    past = known(panel, horizon())
    turned = replace(past, target=past.target[past.target.columns[::-1]])
    np.testing.assert_array_equal(
        model.predict(turned, horizon()).mean[:, ::-1], model.predict(past, horizon()).mean
    )


def test_recent_gaps_and_zeros_count_as_missing(panel: ForecastData, model: GamRidgeModel) -> None:
    past = known(panel, horizon())
    holed = past.target.copy()
    holed.iloc[-30:-10] = np.nan
    holed.iloc[-5, 0] = 0.0
    forecast = model.predict(replace(past, target=holed), horizon()).mean
    assert np.isfinite(forecast[:, :4]).all()


def test_the_first_day_does_not_depend_on_how_many_are_asked_for(
    panel: ForecastData, model: GamRidgeModel
) -> None:
    steps = horizon(ORIGIN - pd.Timedelta(days=3), days=5)
    forecast = model.predict(known(panel, steps), steps).mean
    first = model.predict(known(panel, steps[:24]), steps[:24]).mean
    np.testing.assert_allclose(forecast[:24], first, rtol=1e-12)
    assert np.isfinite(forecast[:, :4]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": "30min"}, "step 30min; the model was fitted at 1h"),
        ({"covariates": {}}, "no covariate 'temperature'"),
    ],
)
def test_bad_input(
    panel: ForecastData, model: GamRidgeModel, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        model.predict(replace(known(panel, horizon()), **change), horizon())


def test_a_horizon_begins_at_midnight(panel: ForecastData, model: GamRidgeModel) -> None:
    steps = horizon() + pd.Timedelta("3h")
    with pytest.raises(DataError, match=r"from 2014-05-10 03:00.*expected one from a midnight"):
        model.predict(known(panel, steps), steps)


def test_other_series_are_refused(panel: ForecastData, model: GamRidgeModel) -> None:
    past = known(panel, horizon())
    with pytest.raises(DataError, match="'homes' is absent"):
        model.predict(replace(past, target=past.target.drop(columns="homes")), horizon())
    more = past.target.assign(new=1.0)
    with pytest.raises(DataError, match="'new' was not in training"):
        model.predict(
            replace(past, target=more, site_of={**past.site_of, "new": "town"}), horizon()
        )


def test_a_past_of_a_week_is_too_short(panel: ForecastData, model: GamRidgeModel) -> None:
    past = known(panel, horizon())
    week = replace(
        past,
        target=past.target.iloc[-168:],
        covariates={name: frame.iloc[-192:] for name, frame in past.covariates.items()},
    )
    with pytest.raises(DataError, match="168 steps of the past; the model needs 8 days"):
        model.predict(week, horizon())


@pytest.mark.parametrize("horizon_days", [1, 7])
def test_days_over_a_week(
    horizon_days: int, simulated: Callable[..., ForecastData], engine: Engine
) -> None:
    daily = simulated("1D", days=150, horizon=f"{horizon_days}D")
    fitted = fit_model(daily, GamRidgeParameters(), engine)
    origin = daily.times[-10]
    steps = pd.date_range(origin, periods=horizon_days, freq="1D")
    forecast = fitted.predict(daily.until(origin, steps[-1] + pd.DateOffset(days=1)), steps).mean
    actual = daily.target.loc[steps].to_numpy()
    assert len(fitted.sites[0].residual.days) == horizon_days
    assert np.mean(np.abs(forecast[:, 0] / actual[:, 0] - 1)) < 0.1


def test_effects(model: GamRidgeModel) -> None:
    effects = model.effects(["homes", "still"])
    titles = {effect.title for effect in effects}
    assert {"time of day", "temperature"} <= titles
    assert any(isinstance(effect, Surface) for effect in effects)
    curve = next(e for e in effects if isinstance(e, Effect) and e.title == "temperature")
    assert curve.value[-1] > curve.value.min()
    with pytest.raises(ModelError, match="'dead' has no effects: all 2401 actuals are missing"):
        model.effects(["dead"])
