"""Fits equal pyGAM's: several terms, extrapolation, weights, missing values, statistics."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from pygam import f, l, s, te
from pygam.terms import TermList

from loopcast.api import ConvergenceError, DataError, ModelError
from loopcast_forecasting.gam import Fixed, GcvGrid, PanelGam, Reml, fit_panel, fit_series

from .conftest import Floats, Simulation, reference, terms

TOLERANCE = 1e-6


def assert_same_predictions(model: PanelGam, gam: Any, X: Floats, series: int = 0) -> None:
    expected = gam.predict(X)
    error = np.abs(model.predict(X)[:, series] - expected).max()
    assert error <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("lam", [1e-3, 0.6, 1e4])
def test_predictions_equal_pygam(simulation: Simulation, elsewhere: Floats, lam: float) -> None:
    gam = reference(simulation.X, simulation.y, terms(lam))
    model = fit_series(terms(lam), simulation.X, simulation.y, smoothing=Fixed())
    assert_same_predictions(model, gam, simulation.X)
    assert_same_predictions(model, gam, elsewhere)


@pytest.mark.parametrize(
    "specification",
    [
        s(2),
        s(2, spline_order=1) + s(0, basis="cp"),
        s(2, penalties=["derivative", "l2"], lam=[0.5, 0.1]) + f(5, coding="dummy"),
        s(2, penalties="l2") + l(4, penalties=None) + s(1, penalties=None, n_splines=6),
        s(0, by=2) + s(5, dtype="categorical", n_splines=7, spline_order=0),
        te(0, 1, 2, n_splines=[5, 4, 4]) + l(3),
        te(s(0, by=3, n_splines=6), l(2)) + te(1, 2, by=4, n_splines=5),
        te(f(3), s(0, basis="cp", n_splines=9)),
        s(0, lam=0) + s(1, lam=0),
    ],
    ids=str,
)
def test_every_kind_of_term_equals_pygam(
    simulation: Simulation, elsewhere: Floats, specification: Any
) -> None:
    gam = reference(simulation.X, simulation.y, deepcopy(TermList(specification)))
    model = fit_series(specification, simulation.X, simulation.y, smoothing=Fixed())
    assert_same_predictions(model, gam, simulation.X)
    assert_same_predictions(model, gam, elsewhere)


def test_statistics_equal_pygam(simulation: Simulation) -> None:
    theirs = reference(simulation.X, simulation.y).statistics_
    model = fit_series(terms(), simulation.X, simulation.y, smoothing=Fixed())
    assert model.edf.sum() == pytest.approx(theirs["edof"], rel=1e-6)
    assert model.scale[0] == pytest.approx(theirs["scale"], rel=1e-6)
    assert model.gcv[0] == pytest.approx(theirs["GCV"], rel=1e-6)
    assert model.aic[0] == pytest.approx(theirs["AIC"], rel=1e-6)
    per_term = np.add.reduceat(theirs["edof_per_coef"], _starts(model))
    assert per_term.sum() == pytest.approx(model.edf.sum(), rel=1e-6)


def _starts(model: PanelGam) -> list[int]:
    return [*(where.start for _, where in model.design.slices()), model.design.n_coefs - 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_panel_equals_series_one_by_one(simulation: Simulation, dtype: Any, order: Any) -> None:
    Y = np.array(simulation.Y, dtype=dtype, order=order)
    model = fit_panel(terms(), simulation.X, Y, smoothing=Fixed(), series=["a", "b"])
    for k in range(2):
        gam = reference(simulation.X, Y[:, k].astype(float))
        assert_same_predictions(model, gam, simulation.X, k)


def test_float32_keeps_digits_under_a_large_level(simulation: Simulation) -> None:
    Y = (simulation.Y[:, :1] + 50_000).astype(np.float32)
    model = fit_panel(terms(), simulation.X, Y, smoothing=Fixed())
    gam = reference(simulation.X, Y[:, 0].astype(float))
    np.testing.assert_allclose(
        model.predict(simulation.X)[:, 0], gam.predict(simulation.X), rtol=1e-8
    )
    assert model.scale[0] == pytest.approx(gam.statistics_["scale"], rel=1e-4)


def test_weights_equal_pygam(simulation: Simulation) -> None:
    rng = np.random.default_rng(1)
    weights = np.float32(rng.uniform(0.1, 3, simulation.Y.shape)).astype(float)
    model = fit_panel(terms(), simulation.X, simulation.Y, smoothing=Fixed(), weights=weights)
    shared = fit_panel(
        terms(), simulation.X, simulation.Y, smoothing=Fixed(), weights=weights[:, 1]
    )
    for k in range(2):
        gam = reference(simulation.X, simulation.Y[:, k], weights=weights[:, k])
        assert_same_predictions(model, gam, simulation.X, k)
    assert_same_predictions(shared, gam, simulation.X, 1)
    assert shared.scale[1] == pytest.approx(gam.statistics_["scale"])


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("weighted", [False, True])
def test_missing_values_equal_pygam_without_those_rows(
    simulation: Simulation, share: float, weighted: bool
) -> None:
    rng = np.random.default_rng(2)
    Y = np.hstack([simulation.Y, simulation.Y])
    Y[rng.random(Y.shape) < share] = np.nan
    Y[:, 1] = simulation.Y[:, 1]
    weights = np.float32(rng.uniform(0.5, 2, len(Y))).astype(float) if weighted else None
    model = fit_panel(terms(), simulation.X, Y, smoothing=Fixed(), weights=weights)
    for k in range(4):
        here = ~np.isnan(Y[:, k])
        of_here = None if weights is None else weights[here]
        gam = reference(simulation.X[here], Y[here, k], _with_knots(simulation), of_here)
        assert_same_predictions(model, gam, simulation.X, k)
        assert model.n_values[k] == here.sum()


def _with_knots(simulation: Simulation) -> TermList:
    """Return terms compiled on all rows, as a panel's are."""
    compiled: TermList = TermList(terms()).compile(simulation.X)
    return compiled


def test_series_missing_on_the_same_rows_share_their_equations(simulation: Simulation) -> None:
    Y = np.repeat(simulation.Y, 10, axis=1)
    Y[100:200] = np.nan
    model = fit_panel(terms(), simulation.X, Y, smoothing=Fixed())
    assert len(model.systems) == 1
    assert np.ptp(model.predict(simulation.X)[:, :10], axis=1).max() < 1e-9


def test_streamed_chunks_give_the_same_model(simulation: Simulation) -> None:
    Y = np.hstack([simulation.Y, 2 * simulation.Y, simulation.Y + 1])
    whole = fit_panel(terms(), simulation.X, Y, smoothing=GcvGrid())
    parts = fit_panel(
        terms(), simulation.X, (Y[:, k : k + 2] for k in (0, 2, 4)), smoothing=GcvGrid()
    )
    np.testing.assert_allclose(parts.predict(simulation.X), whole.predict(simulation.X), rtol=1e-9)


def test_terms_are_not_changed(simulation: Simulation) -> None:
    specification = terms()
    fit_series(specification, simulation.X, simulation.y, smoothing=Fixed())
    assert not hasattr(specification[2], "edge_knots_")


def test_unfit_series_are_reported_and_the_rest_is_fitted(simulation: Simulation) -> None:
    Y = np.repeat(simulation.Y[:, :1], 5, axis=1)
    Y[:, 1] = np.nan
    Y[5:, 2] = np.nan
    Y[7, 3] = np.inf
    model = fit_panel(terms(), simulation.X, Y)
    assert sorted(model.failures) == [1, 2, 3]
    assert model.failures[1].reason == "no values at all"
    assert "only 5 values" in model.failures[2].reason
    assert "infinite" in model.failures[3].reason
    predicted = model.predict(simulation.X)
    assert np.isnan(predicted[:, 1:4]).all()
    assert np.isfinite(predicted[:, [0, 4]]).all()
    with pytest.raises(ModelError, match="series '2': only 5 values"):
        model.effects(2)


@pytest.mark.parametrize("smoothing", [Fixed(), GcvGrid(), Reml()])
@pytest.mark.parametrize("level", [0.0, 1e6 / 3])
def test_constant_series(simulation: Simulation, smoothing: Any, level: float) -> None:
    Y = np.column_stack([np.full(len(simulation.X), level), simulation.y])
    model = fit_panel(terms(), simulation.X, Y, smoothing=smoothing)
    assert not model.failures
    np.testing.assert_allclose(model.predict(simulation.X)[:, 0], level, rtol=1e-6, atol=1e-9)


def test_non_convergence_is_an_error(simulation: Simulation) -> None:
    reml = Reml(max_iterations=1, tolerance=1e-12)
    with pytest.raises(ConvergenceError, match="did not converge in 1 iterations"):
        fit_series(terms(), simulation.X, simulation.y, smoothing=reml)
    panel = fit_panel(terms(), simulation.X, simulation.Y, smoothing=reml)
    assert {failure.kind for failure in panel.failures.values()} == {"convergence"}
    assert np.isnan(panel.coef).all()
    with pytest.raises(ConvergenceError, match="shared smoothing parameters"):
        fit_panel(
            terms(),
            simulation.X,
            simulation.Y,
            smoothing=Reml(shared=True, max_iterations=1, tolerance=1e-12),
        )


def test_bad_input_is_one_clear_error(simulation: Simulation) -> None:
    X, Y = simulation.X, simulation.Y
    holed = X.copy()
    holed[[4, 9], 2] = np.nan
    with pytest.raises(DataError, match=r"'warmth': 2 values are missing .* first in row 4"):
        fit_panel(terms(), holed, Y, feature_names=["h", "d", "warmth", "w", "t", "dow"])
    with pytest.raises(DataError, match=r"panel has shape \(10, 2\); expected \(3000, series\)"):
        fit_panel(terms(), X, Y[:10])
    with pytest.raises(DataError, match=r"weights: 1 are negative .* first in row 3"):
        fit_panel(terms(), X, Y, weights=np.r_[1.0, 1, 1, -1, np.ones(2996)])
    with pytest.raises(DataError, match="3 names for 2 series"):
        fit_panel(terms(), X, Y, smoothing=Fixed(), series=["a", "b", "c"])
    with pytest.raises(DataError, match="no series"):
        fit_panel(terms(), X, iter(()))
    with pytest.raises(DataError, match="give Y as one array"):
        fit_panel(terms(), X, iter((Y,)), weights=np.ones(Y.shape))
    with pytest.raises(ModelError, match="requires feature 9"):
        fit_panel(s(9), X, Y)
    with pytest.raises(ModelError, match="constraints are not supported"):
        fit_panel(s(0, constraints="monotonic_inc"), X, Y)
    with pytest.raises(DataError, match=r"series 'y' has shape \(3000, 2\)"):
        fit_series(terms(), X, Y)


@pytest.mark.parametrize("smoothing", [Fixed(), GcvGrid(), Reml()])
def test_unpenalised_terms_are_least_squares(simulation: Simulation, smoothing: Any) -> None:
    specification = l(2, penalties=None) + l(3, penalties=None)
    model = fit_series(specification, simulation.X, simulation.y, smoothing=smoothing)
    B = np.column_stack([simulation.X[:, [2, 3]], np.ones(len(simulation.X))])
    expected = np.linalg.lstsq(B, simulation.y)[0]
    np.testing.assert_allclose(model.coef[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1e6])
def test_features_of_any_scale(simulation: Simulation, scale: float) -> None:
    X = simulation.X * [1, 1, scale, scale, scale, 1]
    Y = np.where(simulation.X[:, :2] > 20, np.nan, simulation.Y)
    model, usual = fit_panel(terms(), X, Y), fit_panel(terms(), simulation.X, Y)
    assert not model.failures
    np.testing.assert_allclose(model.scale, usual.scale, rtol=1e-4)
    seen = ~np.isnan(Y)
    expected = usual.predict(simulation.X)[seen]
    np.testing.assert_allclose(model.predict(X)[seen], expected, rtol=1e-3)


def test_multipliers_must_be_positive() -> None:
    with pytest.raises(ModelError, match="must be positive"):
        GcvGrid(multipliers=np.array([1.0, 0.0]))
