from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast_forecasting.residual.ar import PanelAr, fit_ar

Floats = NDArray[np.float64]
LAGS = (1, 2, 3, 23, 24, 25)


def panel(seed: int = 3, n: int = 600, series: int = 11) -> Floats:
    """Return persistent series of different sizes, on the scale of each."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, series))
    for t in range(24, n):
        values[t] += 0.5 * values[t - 1] - 0.1 * values[t - 2] + 0.3 * values[t - 24]
    return np.asfortranarray(values * 10.0 ** rng.integers(-3, 4, series))


def least_squares(values: Floats, lags: tuple[int, ...]) -> Floats:
    start = max(lags)
    Z = np.column_stack([values[start - lag : len(values) - lag] for lag in lags])
    rows = np.isfinite(Z).all(axis=1) & np.isfinite(values[start:])
    return np.asarray(np.linalg.lstsq(Z[rows], values[start:][rows])[0])


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    lags=st.sets(st.integers(1, 40), min_size=1, max_size=8),
    missing=st.sampled_from([0.0, 0.05]),
)
def test_each_series_is_its_own_least_squares_solution(
    seed: int, lags: set[int], missing: float
) -> None:
    values = panel(seed)
    values[np.random.default_rng(seed).random(values.shape) < missing] = np.nan
    values[:, :3] = np.nan_to_num(values[:, :3])
    fitted = fit_ar(values, sorted(lags, reverse=True))
    assert fitted.lags == tuple(sorted(lags))
    for phi, y in zip(fitted.phi.T, values.T, strict=True):
        if phi.any():  # a shock fades
            expected = least_squares(y, fitted.lags)
            np.testing.assert_allclose(phi, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_the_process_is_found() -> None:
    phi = fit_ar(panel(n=20_000), (1, 2, 24)).phi
    np.testing.assert_allclose(phi, np.array([0.5, -0.1, 0.3])[:, None] + 0 * phi, atol=0.03)


def test_a_horizon_is_forecast_step_by_step() -> None:
    values, steps = panel(), 60
    model = fit_ar(values, LAGS)
    forecast = model.forecast(values[-80:], steps)
    for k, phi in enumerate(model.phi.T):
        extended = list(values[:, k])
        for _ in range(steps):
            extended.append(sum(p * extended[-lag] for p, lag in zip(phi, LAGS, strict=True)))
        np.testing.assert_allclose(forecast[:, k], extended[-steps:], rtol=1e-10)


def test_a_missing_residual_counts_as_its_forecast() -> None:
    values = panel()[-120:]
    model = fit_ar(panel(), LAGS)
    holed = values.copy()
    holed[-3:, 1] = np.nan
    expected = model.forecast(values[:-3], 9)
    np.testing.assert_allclose(model.forecast(holed, 6)[:, 1], expected[3:, 1], rtol=1e-12)
    whole = model.forecast(values, 6)
    np.testing.assert_array_equal(model.forecast(holed, 6)[:, 2:], whole[:, 2:])


def test_a_past_shorter_than_the_longest_lag_counts_as_zero_before() -> None:
    model = PanelAr(lags=(1, 30), phi=np.array([[0.5], [0.4]]))
    np.testing.assert_allclose(model.forecast(np.ones((2, 1)), 2)[:, 0], [0.5, 0.25])
    gone = model.forecast(np.full((50, 1), np.nan), 4)
    np.testing.assert_array_equal(gone, np.zeros((4, 1)))


def test_multiples_of_each_other_share_the_weight() -> None:
    day = np.tile(np.sin(np.arange(24.0)), 40)[:, None]
    assert fit_ar(day, (24, 48)).phi[:, 0] == pytest.approx([0.5, 0.5])


def test_what_cannot_be_learnt_is_zero() -> None:
    rng = np.random.default_rng(1)
    still, few = np.zeros(300), np.full(300, np.nan)
    few[-60:] = rng.normal(size=60)
    growing = 1.2 ** np.arange(300.0) / 1e20
    usual = rng.normal(size=300)
    phi = fit_ar(np.column_stack([still, few, growing, usual]), (1, 2, 24)).phi
    assert (phi[:, :3] == 0).all()
    assert phi[:, 3].any()
    assert (fit_ar(rng.normal(size=(20, 2)), (1, 24)).phi == 0).all()
