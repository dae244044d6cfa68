from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import DataError, ForecastData
from loopcast_forecasting.additive.model import HISTORY_DAYS, HybridModel

ORIGIN = pd.Timestamp("2014-05-10", tz="Australia/Melbourne")
CLOCKS_BACK = pd.Timestamp("2014-04-06", tz="Australia/Melbourne")  # a day of 25 hours


def horizon(origin: pd.Timestamp = ORIGIN, days: int = 1) -> pd.DatetimeIndex:
    return pd.date_range(origin, origin + pd.DateOffset(days=days), freq="1h", inclusive="left")


def known(panel: ForecastData, steps: pd.DatetimeIndex) -> ForecastData:
    return panel.until(steps[0], steps[-1] + pd.Timedelta("1h"))


def column(panel: ForecastData, name: str) -> int:
    return panel.series.index(name)


@pytest.mark.parametrize("origin", [ORIGIN, CLOCKS_BACK])
@pytest.mark.parametrize("days", [1, 2])
def test_forecasts_are_close_and_failures_are_nan(
    panel: ForecastData, model: HybridModel, origin: pd.Timestamp, days: int
) -> None:
    steps = horizon(origin, days)
    forecast = model.predict(known(panel, steps), steps).mean
    actual = panel.target.loc[steps].to_numpy()
    assert forecast.shape == (len(steps), 5)
    for name, error in [("homes", 0.03), ("port", 0.02)]:
        k = column(panel, name)
        assert np.mean(np.abs(forecast[:, k] / actual[:, k] - 1)) < error
    assert np.all(forecast[:, column(panel, "still")] == 3.0)
    assert np.isnan(forecast[:, column(panel, "dead")]).all()
    assert model.failures["dead"].endswith("actuals are missing")


def test_what_comes_after_the_origin_is_not_looked_at(
    panel: ForecastData, model: HybridModel
) -> None:
    steps = horizon()
    changed = panel.target.copy()
    changed.loc[ORIGIN:] *= 100
    after = known(replace(panel, target=changed), steps)
    np.testing.assert_array_equal(
        model.predict(after, steps).mean, model.predict(known(panel, steps), steps).mean
    )


@settings(max_examples=15)
@given(cut=st.integers(0, (98 - HISTORY_DAYS) * 24))
def test_a_longer_past_gives_the_same_answer_bit_for_bit(
    panel: ForecastData, model: HybridModel, cut: int
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


def test_series_may_come_in_another_order(panel: ForecastData, model: HybridModel) -> None:
    past = known(panel, horizon())
    turned = replace(past, target=past.target[past.target.columns[::-1]])
    np.testing.assert_array_equal(
        model.predict(turned, horizon()).mean[:, ::-1], model.predict(past, horizon()).mean
    )


def test_recent_gaps_and_zeros_count_as_missing(panel: ForecastData, model: HybridModel) -> None:
    past = known(panel, horizon())
    holed = past.target.copy()
    holed.iloc[-30:-10] = np.nan
    holed.iloc[-5, 0] = 0.0
    forecast = model.predict(replace(past, target=holed), horizon()).mean
    assert np.isfinite(forecast[:, :4]).all()


def test_the_first_day_does_not_depend_on_how_many_are_asked_for(
    panel: ForecastData, model: HybridModel
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
    panel: ForecastData, model: HybridModel, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        model.predict(replace(known(panel, horizon()), **change), horizon())


def test_temperature_missing_over_the_horizon(panel: ForecastData, model: HybridModel) -> None:
    past = panel.until(ORIGIN, ORIGIN + pd.Timedelta("20h"))
    with pytest.raises(DataError, match=r"'temperature' ends before 2014-05-10 20:00.*4 of the"):
        model.predict(past, horizon())


def test_other_series_are_refused(panel: ForecastData, model: HybridModel) -> None:
    past = known(panel, horizon())
    with pytest.raises(DataError, match="'homes' is absent"):
        model.predict(replace(past, target=past.target.drop(columns="homes")), horizon())
    more = past.target.assign(new=1.0)
    with pytest.raises(DataError, match="'new' was not in training"):
        model.predict(
            replace(past, target=more, site_of={**past.site_of, "new": "town"}), horizon()
        )


def test_a_past_of_a_week_is_too_short(panel: ForecastData, model: HybridModel) -> None:
    past = known(panel, horizon())
    week = replace(
        past,
        target=past.target.iloc[-168:],
        covariates={name: frame.iloc[-192:] for name, frame in past.covariates.items()},
    )
    with pytest.raises(DataError, match="168 steps of the past; the model needs 8 days"):
        model.predict(week, horizon())
