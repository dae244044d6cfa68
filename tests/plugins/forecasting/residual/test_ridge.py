from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast_forecasting.residual import ridge
from loopcast_forecasting.residual.ridge import fit_ridge

Floats = NDArray[np.float64]


def panel(
    seed: int = 3, series: int = 6, rows: int = 80, inputs: int = 9, outputs: int = 4
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(series, inputs, rows)) * np.exp(rng.normal(size=(series, inputs, 1)))
    W = rng.normal(size=(series, outputs, inputs)) * (rng.random((series, 1, inputs)) < 0.5)
    scale = 10.0 ** rng.integers(-3, 4, (series, 1, 1))
    Y = (W @ Z + 3 * rng.normal(size=(series, outputs, rows)) + 1) * scale
    return Z, Y, rng.random((series, rows)) < 0.8


def least_squares(Z: Floats, Y: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Solve one ridge regression by an orthogonal factorisation of the augmented system."""
    n, p = len(Z), Z.shape[1]
    inputs = np.block([[Z, np.ones((n, 1))], [np.sqrt(penalty) * np.eye(p), np.zeros((p, 1))]])
    outputs = np.vstack([Y, np.zeros((p, Y.shape[1]))])
    found = np.linalg.lstsq(inputs, outputs)[0]
    return found[:-1], found[-1]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_each_series_is_its_own_least_squares_solution(seed: int) -> None:
    Z, Y, rows = panel(seed)
    fitted = fit_ridge(Z, Y, rows)
    for k, used in enumerate(rows):
        coef, intercept = least_squares(Z[k][:, used].T, Y[k][:, used].T, fitted.penalty[k])
        size = np.abs(Y[k]).max()
        np.testing.assert_allclose(fitted.coef[k].T, coef, rtol=0, atol=1e-9 * size)
        np.testing.assert_allclose(fitted.intercept[k], intercept, rtol=0, atol=1e-9 * size)


def test_predictions_are_linear_in_the_inputs() -> None:
    Z, Y, rows = panel()
    fitted = fit_ridge(Z, Y, rows)
    z = np.random.default_rng(1).normal(size=Z.shape[:2])
    for k, row in enumerate(z):
        expected = fitted.coef[k] @ row + fitted.intercept[k]
        np.testing.assert_allclose(fitted.predict(z)[k], expected, rtol=1e-12)


def test_the_penalty_has_the_least_error_on_rows_left_out_one_by_one() -> None:
    Z, Y, rows = panel(series=3, rows=40)
    fitted = fit_ridge(Z, Y, rows)
    for k, used in enumerate(rows):
        z, y = Z[k][:, used].T, Y[k][:, used].T
        scale = np.linalg.eigvalsh(np.cov(z.T, bias=True) * len(z)).mean()
        errors = []
        for penalty in scale * ridge.RELATIVE_PENALTIES:
            left_out = 0.0
            for row in range(len(z)):
                rest = np.arange(len(z)) != row
                coef, intercept = least_squares(z[rest], y[rest], penalty)
                left_out += np.sum((y[row] - intercept - z[row] @ coef) ** 2)
            errors.append(left_out)
        best = scale * ridge.RELATIVE_PENALTIES[int(np.argmin(errors))]
        np.testing.assert_allclose(fitted.penalty[k], best, rtol=1e-9)


def test_rows_that_do_not_count_change_nothing() -> None:
    Z, Y, rows = panel()
    other_z, other_y = Z.copy(), Y.copy()
    other_z.swapaxes(1, 2)[~rows] = 77.0
    other_y.swapaxes(1, 2)[~rows] = -1e5
    fitted, other = fit_ridge(Z, Y, rows), fit_ridge(other_z, other_y, rows)
    np.testing.assert_allclose(other.coef, fitted.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(other.intercept, fitted.intercept, rtol=1e-9, atol=1e-9)


def test_the_unit_and_the_neighbours_do_not_matter() -> None:
    Z, Y, rows = panel()
    whole = fit_ridge(Z, Y, rows)
    alone = fit_ridge(1000 * Z[2:3], 1000 * Y[2:3], rows[2:3])
    np.testing.assert_allclose(alone.coef[0], whole.coef[2], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(alone.penalty[0], 1e6 * whole.penalty[2], rtol=1e-9)


def test_too_few_rows_and_inputs_that_never_change_have_no_coefficients() -> None:
    Z, Y, rows = panel(series=3)
    rows[0] = np.arange(rows.shape[1]) < ridge.LEAST_ROWS - 1
    rows[1] = False
    Z[2] = 5.0
    fitted = fit_ridge(Z, Y, rows)
    assert not fitted.coef.any()
    assert fitted.penalty.tolist() == [0, 0, 0]
    assert not fitted.intercept[:2].any()
    np.testing.assert_allclose(fitted.intercept[2], Y[2][:, rows[2]].mean(axis=1), rtol=1e-12)
