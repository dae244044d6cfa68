from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast_forecasting.direct.curves import DayGrid, day_grid
from loopcast_forecasting.direct.ridge_days import (
    CORRECTED_DAYS,
    PAST_DAYS,
    fit_direct_ridge,
    lags_of_day,
)

Floats = NDArray[np.float64]
DAYS, PER_DAY = 90, 24


def residuals(series: int = 20) -> tuple[Floats, DayGrid]:
    """Curves that come back a day and a week later, and hours that do not."""
    rng = np.random.default_rng(5)
    days = rng.normal(size=(DAYS, PER_DAY, series))
    for d in range(7, DAYS):
        days[d] += 0.5 * days[d - 1] + 0.3 * days[d - 7]
    times = pd.date_range("2014-06-01", periods=DAYS * PER_DAY, freq="1h", tz="UTC")
    return days.reshape(-1, series), day_grid(times, "1h", times[0])


def ridge_of_hours(values: Floats, lags: tuple[int, ...], penalty: float, past: Floats) -> Floats:
    """Regress all hours of a day on all hours of earlier days, without any change of basis."""
    days = values.reshape(DAYS, PER_DAY)
    longest = max(lags)
    Z = np.hstack([days[longest - lag : DAYS - lag] for lag in lags])
    Y = days[longest:]
    centred = Z - Z.mean(axis=0)
    normal = centred.T @ centred + penalty * np.eye(Z.shape[1])
    W = np.linalg.solve(normal, centred.T @ (Y - Y.mean(axis=0)))
    return np.asarray((past - Z.mean(axis=0)) @ W + Y.mean(axis=0))


def grids() -> tuple[DayGrid, DayGrid]:
    every = np.arange((PAST_DAYS + 2) * PER_DAY)
    day, slot = np.divmod(every, PER_DAY)
    split = PAST_DAYS * PER_DAY
    past, ahead = (
        DayGrid(day=day[part], slot=slot[part], per_day=PER_DAY)
        for part in (slice(split), slice(split, None))
    )
    return past, ahead


@pytest.mark.parametrize("h", [0, 1])
def test_with_all_cosines_it_is_the_ridge_of_the_residuals(h: int) -> None:
    values, grid = residuals()
    model = fit_direct_ridge(values, grid, (1, 2, 7), 2, cosines=PER_DAY)
    forecast = model.forecast(values[-PAST_DAYS * PER_DAY :], *grids())
    lags = lags_of_day((1, 2, 7), h)
    for k, series in enumerate(values.T):
        days = series.reshape(DAYS, PER_DAY)
        past = np.concatenate([days[DAYS + h - lag] for lag in lags])
        expected = ridge_of_hours(series, lags, model.days[h].ridge.penalty[k], past)
        found = forecast[h * PER_DAY : (h + 1) * PER_DAY, k]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_fewer_cosines_are_the_smooth_part() -> None:
    values, grid = residuals()
    smooth = fit_direct_ridge(values, grid, (1, 7), 1, cosines=3)
    ripple = np.where(np.arange(len(values)) % 2, 1e-3, -1e-3)[:, None]
    rough = fit_direct_ridge(values + ripple, grid, (1, 7), 1, cosines=3)
    np.testing.assert_allclose(
        rough.days[0].ridge.coef, smooth.days[0].ridge.coef, atol=1e-3, rtol=0
    )
    assert smooth.days[0].ridge.coef.shape == (20, 3, 6)


def test_what_persists_is_found() -> None:
    values, grid = residuals()
    model = fit_direct_ridge(
        values[: 80 * 24],
        DayGrid(day=grid.day[: 80 * 24], slot=grid.slot[: 80 * 24], per_day=24),
        (1, 2, 7),
        1,
        cosines=24,
    )
    past = values[(80 - PAST_DAYS) * 24 : 80 * 24]
    forecast = model.forecast(past, grids()[0], grids()[1])[:24]
    actual = values[80 * 24 : 81 * 24]
    assert np.mean((actual - forecast) ** 2) < 0.8 * np.mean(actual**2)


def test_each_series_is_fitted_alone() -> None:
    values, grid = residuals()
    whole = fit_direct_ridge(values, grid, (1, 2, 7), 1, cosines=8)
    alone = fit_direct_ridge(values[:, 11:12], grid, (1, 2, 7), 1, cosines=8)
    np.testing.assert_allclose(
        alone.days[0].ridge.coef[0], whole.days[0].ridge.coef[11], rtol=1e-9, atol=1e-12
    )


def test_a_missing_day_counts_as_zero_and_is_no_evidence() -> None:
    values, grid = residuals(1)
    model = fit_direct_ridge(values, grid, (1, 2), 1, cosines=8)
    past = values[-PAST_DAYS * PER_DAY :].copy()
    missing, zero = past.copy(), past.copy()
    missing[-PER_DAY:], zero[-PER_DAY:] = np.nan, 0.0
    np.testing.assert_array_equal(model.forecast(missing, *grids()), model.forecast(zero, *grids()))


@pytest.mark.parametrize("days", [5, 12])
def test_too_short_a_past_corrects_nothing(days: int) -> None:
    values, grid = residuals()
    short = DayGrid(day=grid.day[: days * 24], slot=grid.slot[: days * 24], per_day=24)
    model = fit_direct_ridge(values[: days * 24], short, (1, 2, 7), 1, cosines=8)
    assert not model.forecast(values[: PAST_DAYS * 24], *grids()).any()


def test_days_far_ahead_are_left_to_the_additive_model() -> None:
    values, grid = residuals(2)
    model = fit_direct_ridge(values, grid, (1, 7), 30, cosines=4)
    assert len(model.days) == CORRECTED_DAYS


@given(lags=st.sets(st.integers(1, 7), min_size=1), h=st.integers(0, CORRECTED_DAYS - 1))
def test_lags_are_known_at_the_origin_and_recent(lags: set[int], h: int) -> None:
    for lag in lags_of_day(sorted(lags), h):
        assert h < lag <= PAST_DAYS + h
    if 7 in lags:
        assert any(lag % 7 == 0 for lag in lags_of_day(sorted(lags), h))
