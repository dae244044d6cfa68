from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.arima_process import ArmaProcess

from loopcast.api import ConvergenceError
from loopcast_forecasting.residual import arima
from loopcast_forecasting.residual.arima import (
    ResidualModel,
    fit_residuals,
    seasonal_coefficients,
    seasonal_remainder,
    supported_order,
)

Floats = NDArray[np.float64]
LAGS = (24, 48)
PHI = np.array([0.4, 0.2])


def short_term(n: int, seed: int = 5) -> Floats:
    process = ArmaProcess(ar=[1, -0.8], ma=[1, 0.3])
    rng = np.random.default_rng(seed)
    return np.asarray(process.generate_sample(n, distrvs=rng.standard_normal))


def residuals(n: int = 3000) -> Floats:
    values = short_term(n)
    for t in range(max(LAGS), n):
        values[t] += PHI @ values[t - np.array(LAGS)]
    return values


def test_parameters_are_found_again() -> None:
    model = fit_residuals(residuals(12000), LAGS, (1, 0, 1), window=12000)
    np.testing.assert_allclose(model.phi, PHI, atol=0.05)
    np.testing.assert_allclose(model.params, [0.8, 0.3, 1.0], atol=0.06)


def test_without_lags_a_forecast_is_that_of_statsmodels() -> None:
    values = short_term(600)
    model = fit_residuals(values, (), (2, 0, 1), window=600)
    reference = ARIMA(values, order=(2, 0, 1), trend="n").fit()
    np.testing.assert_allclose(model.params, reference.params, rtol=1e-3, atol=1e-3)
    fixed = ARIMA(values, order=(2, 0, 1), trend="n").smooth(model.params)
    np.testing.assert_allclose(model.forecast(values, 24), fixed.forecast(24), rtol=1e-9)


def test_later_origins_equal_append_without_refit() -> None:
    values = short_term(700)
    model = fit_residuals(values[:600], (), (1, 0, 1), window=600)
    results = ARIMA(values[:600], order=(1, 0, 1), trend="n").smooth(model.params)
    appended = results.append(values[600:], refit=False)
    np.testing.assert_allclose(model.forecast(values, 12), appended.forecast(12), rtol=1e-9)


def test_a_difference_is_undone() -> None:
    values = np.cumsum(short_term(500))
    model = fit_residuals(values, (), (1, 1, 0), window=500)
    reference = ARIMA(values, order=(1, 1, 0), trend="n").filter(model.params)
    np.testing.assert_allclose(model.forecast(values, 10), reference.forecast(10), rtol=1e-9)


@pytest.mark.parametrize("steps", [10, 24, 60])
def test_seasonal_forecasts_follow_the_recursion(steps: int) -> None:
    values = residuals(400)
    model = ResidualModel(lags=LAGS, phi=PHI, order=(1, 0, 1), params=np.array([0.8, 0.3, 1.0]))
    remainder = seasonal_remainder(values, LAGS, PHI)
    ahead = ARIMA(remainder, order=(1, 0, 1), trend="n").filter(model.params).forecast(steps)
    expected = list(values)
    for h in range(steps):
        expected.append(ahead[h] + PHI @ [expected[len(expected) - lag] for lag in LAGS])
    np.testing.assert_allclose(model.forecast(values, steps), expected[400:], rtol=1e-12)


def test_seasonal_coefficients_are_least_squares() -> None:
    values = residuals()
    Z = np.column_stack([values[48 - lag : len(values) - lag] for lag in LAGS])
    expected = np.linalg.solve(Z.T @ Z, Z.T @ values[48:])
    np.testing.assert_allclose(seasonal_coefficients(values, LAGS), expected, rtol=1e-9)


def test_gaps_are_no_evidence() -> None:
    values = residuals()
    values[200:260] = np.nan
    model = fit_residuals(values, LAGS, (1, 0, 1), window=2000)
    holed = values[-300:].copy()
    holed[[5, 250, 299]] = np.nan
    assert np.isfinite(model.forecast(holed, 48)).all()


def test_too_short_a_past_has_no_season() -> None:
    assert seasonal_coefficients(np.ones(30), LAGS).tolist() == [0, 0]
    assert seasonal_coefficients(np.ones(60), LAGS).tolist() == [0, 0]


@given(p=st.integers(0, 5), q=st.integers(0, 5), rows=st.integers(0, 300))
def test_orders_are_lowered_to_what_the_data_carry(p: int, q: int, rows: int) -> None:
    lower_p, d, lower_q = supported_order((p, 1, q), rows)
    assert d == 1
    assert lower_p <= p
    assert lower_q <= q
    assert lower_p + lower_q <= max(rows // arima.LEAST_ROWS, 0) or lower_p + lower_q == 0
    assert (lower_p, lower_q) == (p, q) or lower_p + lower_q + 1 > rows / arima.LEAST_ROWS


def test_no_convergence_is_an_error_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = ({"method": "lbfgs", "maxiter": 1}, {"method": "powell", "maxiter": 1})
    monkeypatch.setattr(arima, "OPTIMISERS", hasty)
    with pytest.raises(ConvergenceError, match=r"lbfgs, then powell.*lower order"):
        fit_residuals(residuals(600), LAGS, (3, 0, 3), window=600)


def test_another_optimiser_has_the_second_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = ({"method": "lbfgs", "maxiter": 1}, arima.OPTIMISERS[1])
    monkeypatch.setattr(arima, "OPTIMISERS", hasty)
    model = fit_residuals(short_term(600), (), (1, 0, 1), window=600)
    np.testing.assert_allclose(model.params, [0.8, 0.3, 1.0], atol=0.15)
