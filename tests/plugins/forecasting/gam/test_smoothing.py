"""λ by GCV and by REML against brute force and independent formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pygam import LinearGAM, s, te
from scipy.optimize import minimize

from loopcast.api import DataError
from loopcast_forecasting.gam import Fixed, GcvGrid, Reml, RemlGrid, fit_panel, fit_series
from loopcast_forecasting.gam.design import compile_design
from loopcast_forecasting.gam.factor import factorise
from loopcast_forecasting.gam.gram import gram, pack
from loopcast_forecasting.gam.reml import Problem, _Slopes, evaluate
from loopcast_forecasting.gam.system import build_system, eigenbasis

from .conftest import Floats, Simulation, terms


def additive(lam: Any = (0.6, 0.6, 0.6)) -> Any:
    return s(0, n_splines=12, lam=lam[0]) + s(1, n_splines=12, lam=lam[1]) + s(2, lam=lam[2])


def truth(n: int, seed: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    X = rng.random((n, 3))
    mean = 2 * np.sin(2 * np.pi * X[:, 0]) + np.exp(2 * X[:, 1])
    return X, mean, mean + 2 * rng.normal(size=n)


def test_grid_chooses_what_pygams_grid_search_chooses() -> None:
    X, _, y = truth(400, 1)
    grid = np.logspace(-3, 3, 11)
    gam = LinearGAM(additive((1, 1, 1))).gridsearch(X, y, lam=grid, progress=False)
    model = fit_series(additive((1, 1, 1)), X, y, smoothing=GcvGrid(multipliers=grid))
    np.testing.assert_allclose(model.lam[0], np.ravel(gam.lam))
    np.testing.assert_allclose(model.predict(X)[:, 0], gam.predict(X), rtol=1e-6)


def test_grid_fit_equals_a_fit_at_the_chosen_multiplier(simulation: Simulation) -> None:
    model = fit_panel(terms(), simulation.X, simulation.Y, smoothing=GcvGrid())
    for k in range(2):
        multiplier = model.lam[k, 0] / 0.6
        fixed = fit_series(
            terms(0.6 * multiplier), simulation.X, simulation.Y[:, k], smoothing=Fixed()
        )
        np.testing.assert_allclose(
            model.predict(simulation.X)[:, k], fixed.predict(simulation.X)[:, 0], rtol=1e-8
        )
        np.testing.assert_allclose(model.edf[k], fixed.edf[0], rtol=1e-6, atol=1e-9)
        assert model.gcv[k] == pytest.approx(fixed.gcv[0], rel=1e-8)


def restricted_likelihood(X: Floats, y: Floats, lam: Floats) -> float:
    """Return minus the restricted log likelihood, dense, from pyGAM's matrices."""
    gam = LinearGAM(additive(lam)).fit(X, y)
    B = gam._modelmat(X).toarray()
    S = gam.terms.build_penalties().toarray()
    identified = np.linalg.eigvalsh(B.T @ B + S)[3:]  # each basis sums to one, like the intercept
    ranks = np.array([10, 10, 18])
    residual = y - B @ gam.coef_
    deviance = residual @ residual + gam.coef_ @ S @ gam.coef_
    dof = len(y) - (len(identified) - ranks.sum())
    score = dof * np.log(deviance) + np.log(identified).sum() - ranks @ np.log(lam)
    return float(score) / 2


def test_reml_is_the_optimum_of_the_restricted_likelihood() -> None:
    X, _, y = truth(300, 2)

    def score(rho: Floats) -> float:
        return restricted_likelihood(X, y, np.exp(np.clip(rho, -9, 13)))

    ours = fit_series(additive(), X, y, smoothing=Reml(tolerance=1e-8))
    least = minimize(score, x0=np.log(ours.lam[0]) + 0.5, method="Nelder-Mead")
    from_afar = minimize(score, x0=np.zeros(3), method="Nelder-Mead")
    best = min(least.fun, from_afar.fun)
    assert score(np.log(ours.lam[0])) <= best + 0.002  # the last by a term that is a line
    default = fit_series(additive(), X, y)
    assert score(np.log(default.lam[0])) <= best + 0.12


def test_reml_is_near_the_best_lambda_for_a_simulated_truth() -> None:
    errors = []
    for seed in range(12):
        X, mean, y = truth(500, seed)
        errors.append(
            [
                _error(fit_series(additive(), X, y, smoothing=each), X, mean)
                for each in (Reml(), Reml(tolerance=1e-8), GcvGrid(), GcvGrid(gamma=1.0))
            ]
        )
    default, exact, *grids = np.mean(errors, axis=0)
    assert default <= 1.01 * exact
    assert default <= min(grids)


def _error(model: Any, X: Floats, mean: Floats) -> float:
    return float(np.sqrt(np.mean((model.predict(X)[:, 0] - mean) ** 2)))


def problem(simulation: Simulation) -> Problem:
    design, penalties = compile_design(terms(), simulation.X, [f"x{k}" for k in range(6)])
    whole = gram(pack(design, simulation.X), design.n_coefs)
    system = build_system(eigenbasis(design, penalties), whole, np.diagonal(whole))
    Y = simulation.Y - simulation.Y.mean(axis=0)
    right = system.expand.T @ (design.matrix(simulation.X).T @ Y)
    return Problem(
        system=system, right=np.asfortranarray(right), square=(Y**2).sum(axis=0), n_rows=len(Y)
    )


def test_slopes_are_the_derivatives_of_the_score(simulation: Simulation) -> None:
    of = problem(simulation)
    rho = np.array([1.0, 2.0, 0.5, 3.0, 1.5, 0.0, -1.0])
    h = 1e-4

    def at(rho: Floats) -> Any:
        return evaluate(of, factorise(of.system, np.exp(rho)))

    slopes = _Slopes.at(of, at(rho))
    steps = h * np.eye(len(rho))
    gradient = [(at(rho + e).score - at(rho - e).score) / (2 * h) for e in steps]
    np.testing.assert_allclose(slopes.gradient, gradient, rtol=1e-4, atol=1e-5)
    hessian = [
        (_Slopes.at(of, at(rho + e)).gradient - _Slopes.at(of, at(rho - e)).gradient) / (2 * h)
        for e in steps
    ]
    np.testing.assert_allclose(slopes.hessian, hessian, rtol=1e-4, atol=1e-4)


def test_fellner_schall_points_downwards(simulation: Simulation) -> None:
    of = problem(simulation)
    for rho in np.random.default_rng(0).normal(0, 3, (10, 7)):
        slopes = _Slopes.at(of, evaluate(of, factorise(of.system, np.exp(rho))))
        assert slopes.gradient @ slopes.fellner_schall < 0


def test_series_choose_alike_alone_and_in_a_panel(simulation: Simulation) -> None:
    Y = np.hstack([simulation.Y * k for k in (1, 3, 0.01)])
    model = fit_panel(terms(), simulation.X, Y, smoothing=Reml(tolerance=1e-8))
    for k in (0, 1):
        alone = fit_series(terms(), simulation.X, Y[:, k], smoothing=Reml(tolerance=1e-8))
        scale = alone.scale[0]
        assert model.scale[k] == pytest.approx(scale, rel=1e-5)
        difference = model.predict(simulation.X)[:, k] - alone.predict(simulation.X)[:, 0]
        assert np.abs(difference).max() < 0.01 * scale
    np.testing.assert_allclose(model.edf[2], model.edf[0], rtol=0.02, atol=0.02)


def test_shared_reml_gives_all_series_one_lambda(simulation: Simulation) -> None:
    model = fit_panel(terms(), simulation.X, simulation.Y, smoothing=Reml(shared=True))
    assert np.array_equal(model.lam[0], model.lam[1])
    fixed = fit_panel(terms(), simulation.X, simulation.Y)
    assert np.all(model.scale < 1.01 * fixed.scale)


def test_rows_apart_count_as_so_many_fewer() -> None:
    X, _, y = truth(300, 2)
    repeated = fit_series(
        additive(), np.repeat(X, 4, 0), np.repeat(y, 4), smoothing=Reml(apart=4, tolerance=1e-8)
    )
    once = fit_series(additive(), X, y, smoothing=Reml(tolerance=1e-8))
    seen = repeated.lam[0] < 1e6  # beyond, a term is a line whatever λ is
    np.testing.assert_allclose(repeated.lam[0][seen], 4 * once.lam[0][seen], rtol=0.01)
    np.testing.assert_allclose(repeated.predict(X), once.predict(X), atol=1e-3)
    with pytest.raises(DataError, match="only 16 values; the model needs 30"):
        fit_series(additive(), X[:16], y[:16], smoothing=Reml(apart=5))


def test_a_grid_by_reml_multiplies_what_the_panel_shares(simulation: Simulation) -> None:
    quiet = simulation.Y[:, :1]
    loud = quiet + np.random.default_rng(0).normal(0, 20, (len(quiet), 4))
    Y = np.hstack([quiet, loud])
    grid = RemlGrid(multipliers=np.logspace(-3, 3, 13))
    model = fit_panel(terms(), simulation.X, Y, smoothing=grid)
    shared = fit_panel(terms(), simulation.X, Y, smoothing=Reml(shared=True)).lam[0]
    multiplier = model.lam / shared
    np.testing.assert_allclose(multiplier, multiplier[:, :1] * np.ones(7))
    assert multiplier[0, 0] < multiplier[1:, 0].min()
    for k in (0, 1):
        chosen = model.lam[k] / multiplier[k, 0]
        scored = [_restricted(simulation.X, Y[:, k], chosen * each) for each in grid.multipliers]
        best = grid.multipliers[int(np.argmin(scored))]
        assert multiplier[k, 0] == pytest.approx(best)


def _restricted(X: Floats, y: Floats, lam: Floats) -> float:
    """Return minus the restricted log likelihood of a series at λ, by factorisation."""
    of = problem(Simulation(X=X, Y=y[:, None]))
    return evaluate(of, factorise(of.system, lam)).score


def test_few_series_of_a_grid_fit_like_a_search_for_each() -> None:
    errors = []
    for seed in range(12):
        X, mean, y = truth(500, seed)
        models = [fit_series(additive(), X, y, smoothing=each) for each in (Reml(), RemlGrid())]
        errors.append([_error(model, X, mean) for model in models])
    each, grid = np.mean(errors, axis=0)
    assert grid <= 1.01 * each


def test_lambda_of_a_tensor_term_is_chosen_per_direction() -> None:
    rng = np.random.default_rng(4)
    X = rng.random((2000, 2))
    y = np.sin(12 * X[:, 0]) * (1 + X[:, 1]) + 0.3 * rng.normal(size=2000)
    model = fit_series(te(0, 1, n_splines=12), X, y, feature_names=["wiggly", "straight"])
    assert model.penalties == ("te(wiggly, straight)[wiggly]", "te(wiggly, straight)[straight]")
    assert model.lam[0, 1] > 100 * model.lam[0, 0]


def test_penalties_that_do_not_commute_keep_their_ratio(simulation: Simulation) -> None:
    mixed = s(0, n_splines=12, penalties=["derivative", "periodic"], lam=[1.0, 4.0])
    model = fit_series(mixed, simulation.X, simulation.y)
    assert model.lam.shape == (1, 1)
