"""Exponential smoothing and SARIMAX beside statsmodels itself, on simulated hours of four weeks."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.tools.sm_exceptions import ConvergenceWarning
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.statespace.sarimax import SARIMAX

from loopcast.api import ConvergenceError, DataError, ForecastData, ModelError, Site
from loopcast.api.formats import json_bytes, read_json
from loopcast.testing import fit_context
from loopcast_forecasting.univariate.hyperparameters import EtsParameters, SarimaxParameters
from loopcast_forecasting.univariate.method import maximum_likelihood
from loopcast_forecasting.univariate.model import UnivariateModel, fit_model, load_model

ZONE = "Australia/Melbourne"
WEEKS = 4
ETS = EtsParameters(window_weeks=3)
SARIMAX_ = SarimaxParameters(order=(1, 0, 0), daily_harmonics=2, weekly_harmonics=0, window_weeks=3)


class Elsewhere:
    """An engine whose work travels there and back."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            there, what = pickle.loads(pickle.dumps((function, item)))
            yield pickle.loads(pickle.dumps(there(what)))


@pytest.fixture(scope="module")
def data() -> ForecastData:
    index = pd.date_range("2014-05-01", periods=24 * 7 * WEEKS + 48, freq="1h", tz=ZONE)
    times = index[:-48]
    rng = np.random.default_rng(5)
    warmth = 15 + 5 * np.sin(2 * np.pi * np.arange(len(index)) / 24) + rng.normal(size=len(index))
    noise = np.zeros((len(times), 2))
    for t in range(1, len(times)):
        noise[t] = 0.8 * noise[t - 1] + rng.normal(size=2)
    shape = 8 * np.cos(2 * np.pi * times.hour.to_numpy() / 24) - 4 * (times.day_of_week > 4)
    homes = 100 + shape + 0.7 * warmth[:-48] + noise[:, 0]
    shops = 5000 + 40 * shape + 60 * noise[:, 1]
    shops[-30:-27] = np.nan
    target = {"homes": homes, "shops": shops, "still": 3.0, "dead": np.nan}
    return ForecastData(
        target=pd.DataFrame(target, index=times),
        covariates={"temperature": pd.DataFrame({"town": warmth}, index=index)},
        sites={"town": Site(timezone=ZONE, holidays="AU-VIC")},
        site_of=dict.fromkeys(target, "town"),
        step="1h",
        timezone=ZONE,
        unit="MW",
    )


@pytest.fixture(scope="module")
def steps(data: ForecastData) -> pd.DatetimeIndex:
    return pd.date_range(data.times[-1] + pd.Timedelta("1h"), periods=24, freq="1h")


@pytest.fixture(scope="module", params=[ETS, SARIMAX_], ids=["ets", "sarimax"])
def model(data: ForecastData, request: pytest.FixtureRequest) -> UnivariateModel:
    return fit_model(data, request.param, fit_context().engine)


def column(model: UnivariateModel, data: ForecastData, steps: pd.DatetimeIndex, name: str) -> Any:
    return model.predict(data, steps).mean[:, data.series.index(name)]


def test_exponential_smoothing_is_that_of_statsmodels(
    data: ForecastData, steps: pd.DatetimeIndex
) -> None:
    values = data.target["homes"].to_numpy()[-3 * 168 :]
    theirs = ETSModel(
        values, error="add", seasonal="add", seasonal_periods=168, initialization_method="heuristic"
    ).fit(disp=False)
    found = column(fit_model(data, ETS, fit_context().engine), data, steps, "homes")
    np.testing.assert_allclose(found, theirs.forecast(24), rtol=1e-4)


def test_sarimax_is_that_of_statsmodels(data: ForecastData, steps: pd.DatetimeIndex) -> None:
    times = pd.DatetimeIndex(data.times[-3 * 168 :].append(steps))
    warmth = data.covariates["temperature"]["town"].loc[times].to_numpy()
    day = 2 * np.pi * times.hour.to_numpy() / 24
    waves = [f(k * day) for k in (1, 2) for f in (np.sin, np.cos)]
    X = np.column_stack([*waves, warmth, warmth**2])
    X = (X - X[:-24].mean(axis=0)) / X[:-24].std(axis=0)
    values = data.target["homes"].to_numpy()[-3 * 168 :]
    theirs = SARIMAX(values, exog=X[:-24], order=(1, 0, 0), trend="c").fit(disp=False, maxiter=300)
    found = column(fit_model(data, SARIMAX_, fit_context().engine), data, steps, "homes")
    np.testing.assert_allclose(found, theirs.forecast(24, exog=X[-24:]), rtol=1e-3)


def test_gaps_constants_and_dead_series(
    model: UnivariateModel, data: ForecastData, steps: pd.DatetimeIndex
) -> None:
    assert list(model.models) == ["homes", "shops"]
    assert model.failures == {"dead": "all 504 actuals are missing"}
    assert (column(model, data, steps, "still") == 3.0).all()
    assert np.isnan(column(model, data, steps, "dead")).all()
    usual = data.target["shops"].to_numpy()[-7 * 24 :][:24]
    assert np.abs(column(model, data, steps, "shops") - usual).max() < 500


def test_a_loaded_model_forecasts_the_same_bits(
    model: UnivariateModel, data: ForecastData, steps: pd.DatetimeIndex
) -> None:
    saved = model.save()
    load = partial(load_model, settings=type(model.settings), template="forecasting.some")
    loaded = load(saved)
    assert loaded.save() == saved
    assert loaded.failures == model.failures
    np.testing.assert_array_equal(loaded.predict(data, steps).mean, model.predict(data, steps).mean)
    text = read_json(saved["model.json"]) | {"format": 99}
    with pytest.raises(ModelError, match="format 99; expected 1"):
        load(dict(saved) | {"model.json": json_bytes(text)})


def test_series_are_fitted_elsewhere_to_the_same_bits(
    model: UnivariateModel, data: ForecastData
) -> None:
    assert fit_model(data, model.settings, Elsewhere()).save() == model.save()


def test_the_past_before_the_window_does_not_count(
    model: UnivariateModel, data: ForecastData, steps: pd.DatetimeIndex
) -> None:
    start = data.times[-3 * 168]
    covariates = {name: frame.loc[start:] for name, frame in data.covariates.items()}
    shorter = replace(data, target=data.target.loc[start:], covariates=covariates)
    np.testing.assert_array_equal(
        model.predict(shorter, steps).mean, model.predict(data, steps).mean
    )


def test_what_statsmodels_warns_of_is_a_failure(
    data: ForecastData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopcast_forecasting.univariate.sarimax.ITERATIONS", 1)
    failed = fit_model(data, SARIMAX_, fit_context().engine)
    assert failed.failures.keys() == {"homes", "shops", "dead"}
    assert failed.failures["homes"].startswith("SARIMAX did not converge: Maximum Likelihood")
    assert not failed.models


@pytest.mark.parametrize("converged", [True, False])
def test_only_convergence_is_used(converged: bool) -> None:
    class Result:
        params = np.array([np.nan]) if converged else np.ones(1)
        mle_retvals = {"converged": converged}

    with pytest.raises(ConvergenceError, match="smoothing did not converge in 300"):
        maximum_likelihood("smoothing", Result)

    def warn() -> None:
        warnings.warn("no maximum", ConvergenceWarning, stacklevel=1)

    with pytest.raises(ConvergenceError, match="smoothing did not converge: no maximum"):
        maximum_likelihood("smoothing", warn)


def test_values_that_do_not_suffice_stop_their_series_only(
    data: ForecastData, steps: pd.DatetimeIndex
) -> None:
    target = data.target.drop(columns=["still", "dead"])
    target["signed"] = target["homes"] - 100
    target["short"] = target["homes"].where(np.arange(len(target)) > len(target) - 200)
    site_of = dict.fromkeys(map(str, target), "town")
    panel = replace(data, target=target, site_of=site_of)
    settings = EtsParameters(error="mul", seasonal="mul", window_weeks=3)
    fitted = fit_model(panel, settings, fit_context().engine)
    assert fitted.failures == {
        "signed": "values are not all positive; multiplicative smoothing needs that",
        "short": "199 of the last 504 steps have a value; exponential smoothing needs 336",
    }
    emptied = target.copy()
    emptied.iloc[-400:, 0] = np.nan
    forecast = fitted.predict(replace(panel, target=emptied), steps).mean
    assert np.isnan(forecast[:, 0]).all()
    assert np.isfinite(forecast[:, 1]).all()
    alone = replace(panel, target=target[["short"]], site_of={"short": "town"})
    many = SarimaxParameters(order=(4, 0, 4), weekly_harmonics=1, window_weeks=3)
    reason = "199 of the last 504 steps have a value; 22 parameters need 220"
    assert fit_model(alone, many, fit_context().engine).failures == {"short": reason}


def test_other_panels_are_refused(data: ForecastData, steps: pd.DatetimeIndex) -> None:
    model = fit_model(data, ETS, fit_context().engine)
    strange = replace(
        data,
        target=data.target.assign(other=1.0),
        site_of={**data.site_of, "other": "town"},
    )
    with pytest.raises(DataError, match="'other' was not in training"):
        model.predict(strange, steps)
    cold = replace(data, covariates={})
    with pytest.raises(DataError, match="no covariate 'temperature'"):
        fit_model(data, SARIMAX_, fit_context().engine).predict(cold, steps)


@pytest.mark.parametrize("settings", [EtsParameters(), SarimaxParameters()], ids=["ets", "sarimax"])
def test_days_are_filtered_over_as_many_steps_as_they_need(
    data: ForecastData, settings: EtsParameters | SarimaxParameters
) -> None:
    index = pd.date_range("2014-01-01", periods=300, freq="1D", tz=ZONE)
    rng = np.random.default_rng(1)
    weekly = 100 + 10 * (index.day_of_week < 5) + rng.normal(size=300)
    daily = replace(
        data,
        target=pd.DataFrame({"homes": weekly}, index=index),
        covariates={},
        site_of={"homes": "town"},
        step="1D",
    )
    model = fit_model(daily.until(index[-7], index[-1]), settings, fit_context().engine)
    assert not model.failures
    forecast = model.predict(daily.until(index[-7], index[-1]), index[-7:]).mean[:, 0]
    assert np.abs(forecast - weekly[-7:]).max() < 5
