from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pygam import s, te

from loopcast_forecasting.gam import Fixed, PanelGam, fit_panel
from loopcast_forecasting.residual.crossfit import cross_fit, deal_days

from ..pygam_terms import with_lam

Floats = NDArray[np.float64]
TERMS = s(0, n_splines=8) + s(1, n_splines=6, basis="cp", edge_knots=[0, 1]) + te(0, 1, n_splines=5)
LAMS = np.array([[0.5, 2.0, 1.0, 3.0], [5.0, 0.1, 0.3, 0.3], [5.0, 0.1, 0.3, 0.3]])


def data() -> tuple[Floats, Floats, NDArray[np.intp]]:
    rng = np.random.default_rng(4)
    X = rng.random((400, 2))
    signal = np.sin(5 * X[:, 0]) + np.cos(2 * np.pi * X[:, 1]) * X[:, 0]
    Y = 50 + np.array([1.0, 10.0, 2.0]) * signal[:, None] + rng.normal(size=(400, 3))
    Y[30:60, 2] = np.nan
    Y[399, 2] = np.nan
    return X, Y, deal_days(np.arange(400) // 2, 4)


def one_by_one(X: Floats, Y: Floats) -> list[PanelGam]:
    return [
        fit_panel(with_lam(TERMS, lam), X, Y[:, k : k + 1], smoothing=Fixed())
        for k, lam in enumerate(LAMS[: Y.shape[1]])
    ]


def together(X: Floats, Y: Floats) -> PanelGam:
    """Return a panel whose series have a λ of their own each."""
    return replace(fit_panel(TERMS, X, Y, smoothing=Fixed()), lam=LAMS)


def test_residuals_are_those_of_fits_without_the_fold() -> None:
    X, Y, fold = data()
    residuals = cross_fit(together(X, Y), X, Y, fold)
    for left_out in range(4):
        rows = fold == left_out
        rest = Y.copy()
        rest[rows] = np.nan
        for k, gam in enumerate(one_by_one(X, rest)):
            expected = Y[rows, k] - gam.predict(X[rows])[:, 0]
            np.testing.assert_allclose(residuals[rows, k], expected, atol=1e-6)


def test_a_residual_does_not_look_at_its_own_fold() -> None:
    X, Y, fold = data()
    gam = together(X, Y)
    changed = Y.copy()
    changed[fold == 1, 0] += 1000.0
    before, after = (cross_fit(gam, X, values, fold) for values in (Y, changed))
    own = fold == 1
    np.testing.assert_allclose(after[own, 0] - 1000, before[own, 0], atol=1e-6)
    assert np.abs(after[~own, 0] - before[~own, 0]).min() > 1
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-9)


def test_missing_values_stay_missing() -> None:
    X, Y, fold = data()
    residuals = cross_fit(together(X, Y), X, Y, fold)
    np.testing.assert_array_equal(np.isnan(residuals), np.isnan(Y))


@given(days=st.integers(1, 1500), folds=st.integers(2, 12))
def test_days_are_dealt_in_contiguous_blocks(days: int, folds: int) -> None:
    fold = deal_days(np.arange(days), folds)
    assert fold.min() == 0
    assert fold.max() < folds
    lengths = np.diff([*np.flatnonzero(np.diff(fold, prepend=-1)), days])
    assert lengths.max() <= 30
    assert (lengths[:-1] >= 7).all()
    if days >= 14 * folds:
        assert set(fold) == set(range(folds))


@pytest.mark.parametrize("step", [1, 24, 48])
def test_a_day_is_in_one_fold(step: int) -> None:
    fold = deal_days(np.repeat(np.arange(200), step), 5).reshape(200, step)
    assert (fold == fold[:, :1]).all()
