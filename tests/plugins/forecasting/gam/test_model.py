"""Saved models, effects and standard errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pygam import s
from scipy import linalg

from loopcast.api import ModelError
from loopcast_forecasting.gam import Fixed, PanelGam, fit_panel, fit_series

from .conftest import Floats, Simulation, reference, simulate, terms


@pytest.fixture(scope="module")
def model(simulation: Simulation) -> PanelGam:
    Y = np.column_stack([simulation.Y, np.full(len(simulation.Y), np.nan)])
    Y[:50, 1] = np.nan
    names = ["hour", "day", "temperature", "workday", "trend", "weekday"]
    return fit_panel(terms(), simulation.X, Y, feature_names=names, series=["a", "b", "c"])


def test_saved_and_loaded_model_is_the_same_to_the_last_bit(
    model: PanelGam, elsewhere: Floats
) -> None:
    files = model.save()
    again = PanelGam.load(files)
    assert again.predict(elsewhere).tobytes() == model.predict(elsewhere).tobytes()
    assert again.save() == files
    assert again.failures == model.failures
    assert again.design == model.design
    for ours, theirs in zip(model.effects("b"), again.effects("b"), strict=True):
        assert ours.se.tobytes() == theirs.se.tobytes()


def test_load_refuses_what_it_does_not_know(model: PanelGam) -> None:
    files = model.save()
    with pytest.raises(ModelError, match=r"gam\.npz is missing"):
        PanelGam.load({"gam.json": files["gam.json"]})
    other = json.dumps({**json.loads(files["gam.json"]), "format": 99}).encode()
    with pytest.raises(ModelError, match="has format 99; expected 1"):
        PanelGam.load({**files, "gam.json": other})


def test_labels(model: PanelGam) -> None:
    assert model.terms == (
        "s(hour):workday",
        "s(day)",
        "s(temperature)",
        "te(hour, temperature)",
        "f(weekday)",
        "l(trend)",
        "intercept",
    )
    with pytest.raises(ModelError, match="no series 'z'"):
        model.effects("z")


def test_effects_are_centred_partial_dependence(simulation: Simulation) -> None:
    gam = reference(simulation.X, simulation.y)
    model = fit_series(terms(), simulation.X, simulation.y, smoothing=Fixed())
    effects = model.effects(points=100, surface_points=20)
    assert [effect.label for effect in effects] == list(model.terms[:-1])
    for k, effect in enumerate(effects):
        if len(effect.grids) == 1 and effect.smooth.marginals[0].kind == "spline":
            theirs = gam.partial_dependence(k, gam.generate_X_grid(k))
            np.testing.assert_allclose(np.diff(effect.value), np.diff(theirs), atol=1e-5)
    assert effects[3].value.shape == effects[3].se.shape == (20, 20)
    np.testing.assert_array_equal(effects[4].grids[0], np.arange(7))
    weekday = simulation.X[:, 5].astype(int)
    np.testing.assert_allclose(effects[4].value[weekday].mean(), 0, atol=1e-8)
    workday = simulation.X[:, 3] == 1
    inside = np.interp(simulation.X[workday, 0], effects[0].grids[0], effects[0].value)
    assert abs(inside.mean()) < 0.02


def test_covariance_is_the_dense_bayesian_one(simulation: Simulation) -> None:
    model = fit_series(terms(), simulation.X, simulation.y, smoothing=Fixed())
    gam = reference(simulation.X, simulation.y)
    B = gam._modelmat(simulation.X).toarray()
    S = gam.terms.build_penalties().toarray() + 1.5e-8 * np.eye(B.shape[1])
    # Without forming BᵀB + S, whose inverse loses eleven digits where only the ridge acts.
    R = np.linalg.qr(np.vstack([B, np.linalg.cholesky(S).T]))[1]
    rows = B[::100]
    half = linalg.solve_triangular(R.T, rows.T, lower=True)
    np.testing.assert_allclose(
        rows @ model.covariance() @ rows.T,
        model.scale[0] ** 2 * half.T @ half,
        rtol=1e-5,
        atol=1e-7,
    )


def test_standard_errors_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((400, 1))
    mean = np.sin(6 * x)
    Y = mean + rng.normal(size=(400, 200))
    model = fit_panel(s(0), x, Y)
    inside = []
    for k in range(200):
        (effect,) = model.effects(k, points=50)
        shown = np.sin(6 * effect.grids[0]) - mean.mean()
        inside.append(np.abs(effect.value - shown) <= 1.96 * effect.se)
    assert 0.92 <= np.mean(inside) <= 0.98


def test_standard_errors_when_more_sets_of_rows_than_are_kept() -> None:
    small = simulate(1500)
    rng = np.random.default_rng(0)
    Y = np.repeat(small.Y[:, :1], 30, axis=1)
    Y[rng.random(Y.shape) < 0.2] = np.nan
    Y[:, 0] = small.y
    model = fit_panel(terms(), small.X, Y, smoothing=Fixed())
    alone = fit_series(terms(), small.X, Y[:, 29], smoothing=Fixed())
    assert model.system_of[29] == -1
    for ours, theirs in zip(model.effects(29), alone.effects(), strict=True):
        np.testing.assert_allclose(ours.value, theirs.value, atol=1e-6)
        np.testing.assert_allclose(ours.se, theirs.se, rtol=0.35)
