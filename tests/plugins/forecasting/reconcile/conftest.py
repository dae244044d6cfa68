"""References that share no code with the engine: dense, and written as in the textbooks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from loopcast_forecasting.reconcile import Covariance, Hierarchy, as_hierarchy, crossed

Array = NDArray[np.float64]


def _textbook(summing: csr_array[np.float64], weights: Array, base: Array) -> Array:
    """S (S' W^-1 S)^-1 S' W^-1 y, as least squares on whitened rows."""
    S = summing.toarray()
    root = np.linalg.cholesky(weights)
    white, target = np.linalg.solve(root, S), np.linalg.solve(root, base)
    result: Array = S @ np.linalg.lstsq(white, target, rcond=None)[0]
    return result


def _exact(summing: csr_array[np.float64], variance: Array, base: Array) -> Array:
    """The same for diagonal W and one column, in rational arithmetic."""
    S = [[Fraction(v) for v in row] for row in summing.toarray().tolist()]
    p = [1 / Fraction(v) for v in variance.tolist()]
    y = [Fraction(v) for v in base.tolist()]
    n, m = len(S), len(S[0])
    rows = [
        [sum((S[i][a] * p[i] * S[i][b] for i in range(n)), Fraction(0)) for b in range(m)]
        + [sum((S[i][a] * p[i] * y[i] for i in range(n)), Fraction(0))]
        for a in range(m)
    ]
    for j in range(m):
        pivot = rows[j] = [v / rows[j][j] for v in rows[j]]
        for r in range(m):
            if r != j and rows[r][j]:
                factor = rows[r][j]
                rows[r] = [u - factor * v for u, v in zip(rows[r], pivot, strict=True)]
    b = [row[m] for row in rows]
    return np.array([float(sum(S[i][k] * b[k] for k in range(m))) for i in range(n)])


@pytest.fixture(scope="session")
def textbook() -> Callable[[csr_array[np.float64], Array, Array], Array]:
    return _textbook


@pytest.fixture(scope="session")
def exact() -> Callable[[csr_array[np.float64], Array, Array], Array]:
    return _exact


@pytest.fixture(scope="session")
def dense_covariance() -> Callable[[Covariance], Array]:
    def dense(covariance: Covariance) -> Array:
        W = np.diag(covariance.variance)
        if covariance.samples is not None:
            W = W + covariance.loading * covariance.samples.T @ covariance.samples
        return W

    return dense


def _panel(n_bottom: int, *, cross: bool) -> Hierarchy:
    index = np.arange(n_bottom)
    labels = [index // 100, index // 10]
    if cross:
        labels.append(np.random.default_rng(5).integers(0, 7, n_bottom))
    return as_hierarchy(crossed(labels))


@pytest.fixture(scope="session", params=["tree", "crossed"])
def panel(request: pytest.FixtureRequest) -> Hierarchy:
    """1,000 bottom series in four levels, with and without a crossed grouping."""
    return _panel(1000, cross=request.param == "crossed")


@pytest.fixture(scope="session", params=["tree", "crossed"])
def small_panel(request: pytest.FixtureRequest) -> Hierarchy:
    return _panel(120, cross=request.param == "crossed")


@pytest.fixture(scope="session")
def problem() -> Callable[[Hierarchy, int], tuple[Array, Array]]:
    """Base forecasts and past errors; 5 % of the nodes are zero or near-constant meters."""

    def make(hierarchy: Hierarchy, seed: int) -> tuple[Array, Array]:
        rng = np.random.default_rng(seed)
        n, m = hierarchy.summing.shape
        summing: Any = hierarchy.summing
        base = summing @ rng.gamma(2.0, 50.0, (m, 4)) + rng.normal(0.0, 10.0, (n, 4))
        errors = rng.normal(size=(60, n)) * rng.lognormal(sigma=1.5, size=n)
        errors += 0.3 * (rng.normal(size=(60, m)) @ summing.T)
        dull = rng.choice(hierarchy.bottom, m // 20, replace=False)
        errors[:, dull[::2]] = 0.0
        base[dull[::2]] = 0.0
        errors[:, dull[1::2]] *= 1e-7
        return base, errors

    return make
