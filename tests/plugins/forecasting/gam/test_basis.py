"""The sparse bases equal pyGAM's dense ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygam.terms import Intercept, TermList
from pygam.utils import b_spline_basis

from loopcast.api import DataError
from loopcast_forecasting.gam.basis import Marginal, SparseRows, spline_rows
from loopcast_forecasting.gam.design import compile_design

from .conftest import Floats, Simulation, terms


def dense(rows: SparseRows, n_columns: int) -> Floats:
    full = np.zeros((len(rows.values), n_columns))
    full[np.arange(len(full))[:, None], rows.columns] = rows.values
    return full


@settings(deadline=None)
@given(
    order=st.integers(0, 4),
    extra=st.integers(1, 12),
    periodic=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_splines_equal_pygam_inside_and_beyond_the_knots(
    order: int, extra: int, periodic: bool, seed: int
) -> None:
    x = np.random.default_rng(seed).uniform(-1.5, 2.5, 200)
    x = np.r_[x, 0.0, 1.0, 0.5]
    n_splines = order + extra
    ours = dense(spline_rows(x, n_splines, order, periodic=periodic), n_splines)
    theirs = b_spline_basis(
        x, np.array([0.0, 1.0]), n_splines, order, sparse=False, periodic=periodic
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_design_equals_pygams_model_matrix(simulation: Simulation, elsewhere: Floats) -> None:
    names = [f"x{k}" for k in range(6)]
    design, _ = compile_design(terms(), simulation.X, names)
    compiled = (TermList(terms()) + Intercept()).compile(simulation.X)
    for X in (simulation.X, elsewhere):
        theirs = compiled.build_columns(X).toarray()
        np.testing.assert_allclose(design.matrix(X).toarray(), theirs, atol=1e-8)


def test_cells_tell_rows_with_the_same_columns_apart(simulation: Simulation) -> None:
    design, _ = compile_design(terms(), simulation.X, [f"x{k}" for k in range(6)])
    for smooth in design.smooths[:-1]:  # the last is linear, and zero somewhere
        cells = smooth.cells(simulation.X)
        rows = smooth.evaluate(simulation.X)
        active = np.where(rows.values.any(axis=1), rows.columns[:, 0] + 1, 0)
        assert len(set(zip(cells, active, strict=True))) == len(set(cells))


def test_unknown_category_is_refused() -> None:
    marginal = Marginal(feature=0, kind="factor", lower=-0.5, upper=2.5, n_splines=3, bounded=True)
    with pytest.raises(DataError, match=r"feature 0: 2 rows .* first 7 in row 1.* 0 and 2"):
        marginal.evaluate(np.array([[1.0], [7.0], [9.0]]))
