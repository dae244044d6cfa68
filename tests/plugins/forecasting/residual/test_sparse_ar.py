from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.api import ModelError
from loopcast_forecasting.residual.sparse_ar import fit_sparse_ar

Floats = NDArray[np.float64]
LAGS = (1, 2, 3, 24, 48)


def panel(n: int = 600, series: int = 5, seed: int = 2) -> Floats:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, series)) * 10.0 ** rng.integers(-3, 4, series)
    for t in range(24, n):
        values[t] += 0.6 * values[t - 1] + 0.3 * values[t - 24]
    return values


def least_squares(values: Floats, lags: tuple[int, ...]) -> Floats:
    longest = max(lags)
    lagged = np.column_stack([values[longest - lag : len(values) - lag] for lag in lags])
    complete = np.isfinite(lagged).all(axis=1) & np.isfinite(values[longest:])
    return np.asarray(np.linalg.lstsq(lagged[complete], values[longest:][complete])[0])


@settings(max_examples=30, deadline=None)
@given(lags=st.sets(st.integers(1, 60), min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_each_series_is_its_own_least_squares_solution(lags: set[int], seed: int) -> None:
    values = panel(seed=seed)
    model = fit_sparse_ar(values, list(lags))
    assert model.lags == tuple(sorted(lags))
    for k, series in enumerate(values.T):
        np.testing.assert_allclose(model.phi[k], least_squares(series, model.lags), atol=1e-9)


def test_rows_that_miss_something_are_left_out_of_one_series_only() -> None:
    values = panel()
    holed = values.copy()
    holed[[3, 100, 101, 597], 1] = np.nan
    model, whole = fit_sparse_ar(holed, LAGS), fit_sparse_ar(values, LAGS)
    np.testing.assert_allclose(model.phi[1], least_squares(holed[:, 1], LAGS), atol=1e-9)
    np.testing.assert_array_equal(np.delete(model.phi, 1, 0), np.delete(whole.phi, 1, 0))


@pytest.mark.parametrize("order", ["C", "F"])
def test_layout_precision_and_neighbours_do_not_matter(order: str) -> None:
    values = panel(series=40)
    expected = fit_sparse_ar(values[:, 17:18], LAGS).phi[0]
    laid_out = np.array(values, order=order)  # type: ignore[call-overload]
    np.testing.assert_allclose(fit_sparse_ar(laid_out, LAGS).phi[17], expected, rtol=1e-9)
    coarse = fit_sparse_ar(laid_out.astype(np.float32), LAGS)
    np.testing.assert_allclose(coarse.phi[17], expected, atol=1e-5)


def test_forecasts_follow_the_recursion() -> None:
    values = panel()
    values[-2, 3] = np.nan
    model = fit_sparse_ar(panel(), LAGS)
    for k in range(values.shape[1]):
        path = np.nan_to_num(values[:, k]).tolist()
        for _ in range(60):
            path.append(sum(p * path[-lag] for p, lag in zip(model.phi[k], LAGS, strict=True)))
        np.testing.assert_allclose(model.forecast(values, 60)[:, k], path[600:], rtol=1e-9)


def test_a_past_shorter_than_the_lags_counts_as_zero() -> None:
    model = fit_sparse_ar(panel(), LAGS)
    short = panel()[-5:]
    padded = np.vstack([np.zeros((50, 5)), short])
    np.testing.assert_array_equal(model.forecast(short, 30), model.forecast(padded, 30))


def test_what_has_no_solution_has_no_coefficients() -> None:
    values = panel()
    values[:, 0] = 0.0
    values[:, 1] = np.nan
    values[:, 2] = 4.0  # its lags are all the same
    phi = fit_sparse_ar(values, LAGS).phi
    assert not phi[:3].any()
    assert phi[3:].all()
    assert not fit_sparse_ar(values[:60], LAGS).phi.any()


@pytest.mark.parametrize("lags", [[], [0, 1], [-3]])
def test_lags_are_positive(lags: list[int]) -> None:
    with pytest.raises(ModelError, match="all positive"):
        fit_sparse_ar(panel(), lags)
