from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.arima.model import ARIMA

from loopcast.api import DataError, ForecastData
from loopcast_forecasting.additive.model import HISTORY_DAYS, GamArimaModel
from loopcast_forecasting.features import feature_matrix

ORIGIN = pd.Timestamp("2014-05-30", tz="Australia/Melbourne")


def horizon(origin: pd.Timestamp = ORIGIN, days: int = 1) -> pd.DatetimeIndex:
    return pd.date_range(origin, periods=24 * days, freq="1h")


def known(panel: ForecastData, steps: pd.DatetimeIndex) -> ForecastData:
    return panel.until(steps[0], steps[-1] + pd.Timedelta("1h"))


def test_the_formula(panel: ForecastData, model: GamArimaModel) -> None:
    """log y = f(x) + Σ φ r + u, term by term, with statsmodels for u."""
    steps = horizon()
    past = known(panel, steps)
    times = past.times[-33 * 24 :]
    site = next(site for site in model.sites if "homes" in site.series)
    homes = site.series["homes"]
    features = feature_matrix(past, "town", model.spec, pd.DatetimeIndex(times.append(steps)))
    additive = site.additive(np.column_stack(list(features.values())))
    additive = additive[:, list(site.series).index("homes")]
    window = slice(-22 * 24, -24)
    r = np.log(past.target["homes"].to_numpy()[-21 * 24 :]) - additive[window]
    phi, lags = homes.residual.phi, homes.residual.lags
    u = [r[t] - sum(p * r[t - s] for p, s in zip(phi, lags, strict=True)) for t in range(168, 504)]
    short = ARIMA(np.array(u), order=homes.residual.order, trend="n").filter(homes.residual.params)
    seasonal = [sum(p * r[504 + h - s] for p, s in zip(phi, lags, strict=True)) for h in range(24)]
    expected = np.exp(additive[-24:] + seasonal + short.forecast(24))
    column = past.series.index("homes")
    np.testing.assert_allclose(model.predict(past, steps).mean[:, column], expected, rtol=1e-9)


def test_forecasts_are_close_and_failures_are_nan(
    panel: ForecastData, model: GamArimaModel
) -> None:
    steps = horizon(ORIGIN - pd.Timedelta(days=5))
    forecast = model.predict(known(panel, steps), steps).mean
    actual = panel.target.loc[steps].to_numpy()
    names = list(panel.series)
    assert forecast.shape == (24, 5)
    for name, error in [("homes", 0.03), ("port", 0.02)]:
        k = names.index(name)
        assert np.mean(np.abs(forecast[:, k] / actual[:, k] - 1)) < error
    assert np.all(forecast[:, names.index("still")] == 3.0)
    assert np.isnan(forecast[:, names.index("dead")]).all()


@settings(max_examples=15)
@given(cut=st.integers(0, (118 - HISTORY_DAYS) * 24))
def test_a_longer_past_gives_the_same_answer_bit_for_bit(
    panel: ForecastData, model: GamArimaModel, cut: int
) -> None:
    steps = horizon()
    past = known(panel, steps)
    cut = min(cut, len(past.target) - HISTORY_DAYS * 24)
    part = replace(
        past,
        target=past.target.iloc[cut:],
        covariates={name: frame.iloc[cut:] for name, frame in past.covariates.items()},
    )
    np.testing.assert_array_equal(model.predict(part, steps).mean, model.predict(past, steps).mean)


def test_series_may_come_in_another_order(panel: ForecastData, model: GamArimaModel) -> None:
    past = known(panel, horizon())
    turned = replace(past, target=past.target[past.target.columns[::-1]])
    np.testing.assert_array_equal(
        model.predict(turned, horizon()).mean[:, ::-1], model.predict(past, horizon()).mean
    )


def test_recent_gaps_and_zeros_count_as_missing(panel: ForecastData, model: GamArimaModel) -> None:
    past = known(panel, horizon())
    holed = past.target.copy()
    holed.iloc[-30:-20] = np.nan
    holed.iloc[-5, 0] = 0.0
    forecast = model.predict(replace(past, target=holed), horizon()).mean
    assert np.isfinite(forecast[:, :4]).all()


def test_a_horizon_of_days_uses_its_own_forecasts(
    panel: ForecastData, model: GamArimaModel
) -> None:
    steps = horizon(ORIGIN - pd.Timedelta(days=3), days=3)
    past = known(panel, steps)
    forecast = model.predict(past, steps).mean
    first = model.predict(known(panel, steps[:24]), steps[:24]).mean
    np.testing.assert_allclose(forecast[:24], first, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": "30min"}, "step 30min; the model was fitted at 1h"),
        ({"covariates": {}}, "no covariate 'temperature'"),
    ],
)
def test_bad_input(
    panel: ForecastData, model: GamArimaModel, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        model.predict(replace(known(panel, horizon()), **change), horizon())


def test_temperature_missing_over_the_horizon(panel: ForecastData, model: GamArimaModel) -> None:
    past = panel.until(ORIGIN, ORIGIN + pd.Timedelta("20h"))
    with pytest.raises(DataError, match=r"'temperature' ends before 2014-05-30 20:00.*4 of the"):
        model.predict(past, horizon())


def test_other_series_are_refused(panel: ForecastData, model: GamArimaModel) -> None:
    past = known(panel, horizon())
    with pytest.raises(DataError, match="'homes' is absent"):
        model.predict(replace(past, target=past.target.drop(columns="homes")), horizon())
    more = past.target.assign(new=1.0)
    with pytest.raises(DataError, match="'new' was not in training"):
        model.predict(
            replace(past, target=more, site_of={**past.site_of, "new": "town"}), horizon()
        )


def test_a_past_of_a_week_is_too_short(panel: ForecastData, model: GamArimaModel) -> None:
    past = known(panel, horizon())
    week = replace(
        past,
        target=past.target.iloc[-168:],
        covariates={name: frame.iloc[-192:] for name, frame in past.covariates.items()},
    )
    with pytest.raises(DataError, match="168 steps of the past; the model needs 8 days"):
        model.predict(week, horizon())
