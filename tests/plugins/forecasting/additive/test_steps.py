"""Forecasts with each residual step, against its formula, and what only one of them does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.arima.model import ARIMA

from loopcast.api import DataError, ForecastData
from loopcast_forecasting.additive.model import HISTORY_DAYS, HybridModel
from loopcast_forecasting.additive.step import Recent
from loopcast_forecasting.boosted.inputs import member_inputs
from loopcast_forecasting.boosted.step import BoostedStep
from loopcast_forecasting.direct.ridge_days import DirectRidge
from loopcast_forecasting.direct.step import DirectStep
from loopcast_forecasting.features import feature_matrix
from loopcast_forecasting.residual.ar_step import ArStep
from loopcast_forecasting.residual.arima_step import ArimaStep

ORIGIN = pd.Timestamp("2014-05-10", tz="Australia/Melbourne")


def horizon(origin: pd.Timestamp = ORIGIN, days: int = 1) -> pd.DatetimeIndex:
    return pd.date_range(origin, origin + pd.DateOffset(days=days), freq="1h", inclusive="left")


def known(panel: ForecastData, steps: pd.DatetimeIndex) -> ForecastData:
    return panel.until(steps[0], steps[-1] + pd.Timedelta("1h"))


def test_the_formula_with_arima(panel: ForecastData, arima: HybridModel) -> None:
    """log y = f(x) + Σ φ r + u, term by term, with statsmodels for u."""
    steps = horizon()
    past = known(panel, steps)
    times = past.times[-33 * 24 :]
    site = next(site for site in arima.sites if "homes" in site.series.names)
    k = site.series.names.index("homes")
    assert isinstance(site.residual, ArimaStep)
    residual = site.residual.models[k]
    features = feature_matrix(past, "town", arima.spec, pd.DatetimeIndex(times.append(steps)))
    additive = site.additive(np.column_stack(list(features.values())))[:, k]
    window = slice(-22 * 24, -24)
    r = np.log(past.target["homes"].to_numpy()[-21 * 24 :]) - additive[window]
    phi, lags = residual.phi, residual.lags
    u = [r[t] - sum(p * r[t - s] for p, s in zip(phi, lags, strict=True)) for t in range(168, 504)]
    short = ARIMA(np.array(u), order=residual.order, trend="n").filter(residual.params)
    seasonal = [sum(p * r[504 + h - s] for p, s in zip(phi, lags, strict=True)) for h in range(24)]
    expected = np.exp(additive[-24:] + seasonal + short.forecast(24))
    forecast = arima.predict(past, steps).mean[:, past.series.index("homes")]
    np.testing.assert_allclose(forecast, expected, rtol=1e-9)


def test_the_formula_with_sparse_autoregression(panel: ForecastData, ar: HybridModel) -> None:
    """log y = f(x) + r with r continued hour by hour from its lags."""
    steps = horizon()
    past = known(panel, steps)
    site = next(site for site in ar.sites if "homes" in site.series.names)
    k = site.series.names.index("homes")
    times = pd.DatetimeIndex(past.times[-HISTORY_DAYS * 24 :].append(steps))
    X = np.column_stack(list(feature_matrix(past, "town", ar.spec, times).values()))
    additive = site.additive(X)[:, k]
    r = list(np.log(past.target["homes"].to_numpy()[-15 * 24 :]) - additive[-16 * 24 : -24])
    assert isinstance(site.residual, ArStep)
    fitted = site.residual.ar
    assert fitted.lags == (1, 2, 3, 23, 24, 25, 47, 48, 49, 167, 168, 169)
    for _ in steps:
        r.append(sum(p * r[-lag] for p, lag in zip(fitted.phi[:, k], fitted.lags, strict=True)))
    forecast = ar.predict(past, steps).mean[:, past.series.index("homes")]
    np.testing.assert_allclose(forecast, np.exp(additive[-24:] + r[-24:]), rtol=1e-9)


def test_the_formula_with_direct_ridge(panel: ForecastData, ridge: HybridModel) -> None:
    """The additive model, and the ridge on curves of earlier days, hour by hour."""
    steps = horizon()
    past = known(panel, steps)
    site = next(site for site in ridge.sites if "homes" in site.series.names)
    times = pd.DatetimeIndex(past.times[-HISTORY_DAYS * 24 :].append(steps))
    X = np.column_stack(list(feature_matrix(past, "town", ridge.spec, times).values()))
    k = site.series.names.index("homes")
    additive = site.design.matrix(X)[-8 * 24 :] @ site.series.coef[:, k]
    residuals = np.log(past.target["homes"].to_numpy()[-7 * 24 :]) - additive[:-24]
    curves = residuals.reshape(7, 24)
    frequency = np.arange(16)
    basis = np.sqrt(np.where(frequency, 2, 1) / 24) * np.cos(
        np.pi * (np.arange(24)[:, None] + 0.5) / 24 * frequency
    )
    inputs = np.concatenate([basis.T @ curves[-lag] for lag in (1, 2, 7)])
    assert isinstance(site.residual, DirectStep)
    fitted = site.residual.ridge.days[0].ridge
    predicted = basis @ (fitted.coef[k] @ inputs + fitted.intercept[k])
    forecast = ridge.predict(past, steps).mean[:, past.series.index("homes")]
    np.testing.assert_allclose(forecast, np.exp(additive[-24:] + predicted), rtol=1e-9)


def test_the_formula_with_boosted_trees(panel: ForecastData, boosted: HybridModel) -> None:
    """The weighted mean of the additive model and the members, and the ridge on what it left."""
    steps = horizon()
    past = known(panel, steps)
    site = next(site for site in boosted.sites if "homes" in site.series.names)
    times = pd.DatetimeIndex(past.times[-HISTORY_DAYS * 24 :].append(steps))
    X = np.column_stack(list(feature_matrix(past, "town", boosted.spec, times).values()))
    k, names = site.series.names.index("homes"), site.design.feature_names
    settled = X.copy()
    settled[:, names.index("years")] = 0
    additive = site.additive(X)[:, k]
    trend = additive - site.additive(settled)[:, k]
    assert isinstance(site.residual, BoostedStep)
    fitted = site.residual.correction
    day = ((times - times[0].normalize()) // pd.Timedelta("1D")).to_numpy()
    inputs = member_inputs(X, names, day, 24)
    trees = fitted.trees.predict(inputs)[:, k] + trend
    slots = fitted.slots.predict(np.column_stack(list(inputs.values())), times.hour.to_numpy())
    both = np.column_stack([additive, slots[:, k] + trend, trees])
    combined = both @ fitted.weights[:, k]
    left = np.log(past.target["homes"].to_numpy()[-8 * 24 :]) - combined[-9 * 24 : -24]
    ahead = site.residual.direct.forecast(
        Recent(
            residuals=np.tile(left[:, None], len(site.series.names)),
            times=past.times[-8 * 24 :],
            X=X,
            step="1h",
        ),
        steps,
    )[:, k]
    forecast = boosted.predict(past, steps).mean[:, past.series.index("homes")]
    np.testing.assert_allclose(forecast, np.exp(combined[-24:] + ahead), rtol=1e-9)


def test_the_residual_step_helps(panel: ForecastData, ridge: HybridModel) -> None:
    def error(candidate: HybridModel) -> float:
        found = []
        for origin in pd.date_range("2014-03-10", periods=30, freq="2D", tz=ORIGIN.tz):
            steps = horizon(origin)
            forecast = candidate.predict(known(panel, steps), steps).mean
            found.append(forecast[:, 0] / panel.target["homes"].loc[steps] - 1)
        return float(np.mean(np.abs(np.concatenate(found))))

    none = DirectStep(ridge=DirectRidge(cosines=16, days=()))
    alone = replace(ridge, sites=tuple(replace(site, residual=none) for site in ridge.sites))
    assert error(ridge) < 0.9 * error(alone)


def test_a_horizon_begins_at_midnight(panel: ForecastData, ridge: HybridModel) -> None:
    steps = horizon() + pd.Timedelta("3h")
    with pytest.raises(DataError, match=r"from 2014-05-10 03:00.*expected one from a midnight"):
        ridge.predict(known(panel, steps), steps)


@pytest.mark.parametrize("horizon_days", [1, 7])
def test_days_over_a_week(
    horizon_days: int,
    simulated: Callable[..., ForecastData],
    fits: dict[str, Callable[..., HybridModel]],
) -> None:
    daily = simulated("1D", days=150, horizon=f"{horizon_days}D")
    fitted = fits["ridge"](daily)
    origin = daily.times[-10]
    steps = pd.date_range(origin, periods=horizon_days, freq="1D")
    forecast = fitted.predict(daily.until(origin, steps[-1] + pd.DateOffset(days=1)), steps).mean
    actual = daily.target.loc[steps].to_numpy()
    residual = fitted.sites[0].residual
    assert isinstance(residual, DirectStep)
    assert len(residual.ridge.days) == horizon_days
    assert np.mean(np.abs(forecast[:, 0] / actual[:, 0] - 1)) < 0.1
