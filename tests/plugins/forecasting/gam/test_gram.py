"""Products over blocks equal dense ones."""

from __future__ import annotations

import numpy as np

from loopcast_forecasting.gam.design import compile_design
from loopcast_forecasting.gam.gram import gram, gram_of, pack, products

from .conftest import Simulation, terms


def test_blocks_hold_every_row_once_and_few_columns(simulation: Simulation) -> None:
    design, _ = compile_design(terms(), simulation.X, [f"x{k}" for k in range(6)])
    blocks = pack(design, simulation.X)
    rows = np.concatenate([block.rows for block in blocks])
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(simulation.X)))
    assert np.mean([len(block.columns) for block in blocks]) < 0.7 * design.n_coefs


def test_products_equal_dense_ones(simulation: Simulation) -> None:
    rng = np.random.default_rng(0)
    design, _ = compile_design(terms(), simulation.X, [f"x{k}" for k in range(6)])
    blocks = pack(design, simulation.X)
    B = design.matrix(simulation.X).toarray()
    weights = rng.random(len(B))
    Y = simulation.Y.copy()
    Y[::5, 0] = np.nan
    data = products(blocks, design.n_coefs, Y, weights)
    centred = np.nan_to_num(Y - data.shift)
    np.testing.assert_allclose(data.cross, B.T @ (weights[:, None] * centred), atol=1e-8)
    np.testing.assert_allclose(data.square, weights @ centred**2)
    assert list(data.present) == [0]
    np.testing.assert_array_equal(data.present[0], ~np.isnan(Y[:, 0]))
    np.testing.assert_allclose(
        gram(blocks, design.n_coefs, weights), B.T @ (weights[:, None] * B), atol=1e-9
    )


def test_gram_of_some_rows_by_subtraction_and_by_addition(simulation: Simulation) -> None:
    rng = np.random.default_rng(0)
    design, _ = compile_design(terms(), simulation.X, [f"x{k}" for k in range(6)])
    blocks = pack(design, simulation.X)
    B = design.matrix(simulation.X).toarray()
    ones = np.ones(len(B))
    whole = gram(blocks, design.n_coefs)
    for share in (0.05, 0.95):
        kept = (rng.random(len(B)) > share).astype(float)
        expected = B.T @ (kept[:, None] * B)
        np.testing.assert_allclose(gram_of(blocks, whole, ones, kept), expected, atol=1e-8)
