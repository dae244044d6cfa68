"""Covariance of base forecast errors, diagonal or diagonal plus low rank.

All estimators use second moments about zero, as Wickramasuriya, Athanasopoulos and Hyndman (2019,
"Optimal forecast reconciliation through trace minimization", section 2.4) do: a bias is an error.

**Near-constant and zero meters.** A node whose error variance is below `floor` times what its
bottom series would give it if they were independent and typical,

    ``floor * v * sum_b S[i, b]**2``,  v the median positive variance of a bottom series,

is given that variance. So it is trusted far more than any ordinary node (with the default floor
of 1e-6, as if its standard deviation were a thousandth of the typical one), a zero meter stays at
zero to that accuracy, and no two such nodes can contradict each other. A variance of exactly 0
given by the caller is not lifted: it pins the node.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loopcast.api import DataError
from loopcast_forecasting.reconcile._types import FloatArray, SparseArray
from loopcast_forecasting.reconcile.hierarchy import Hierarchy, as_hierarchy

DEFAULT_FLOOR = 1e-6
LEAST_INTENSITY = 1e-4  # keeps W positive definite when there are fewer samples than nodes


@dataclass(frozen=True, eq=False)
class Covariance:
    """``W = diag(variance) + loading * samples.T @ samples``, never formed.

    Attributes
    ----------
    variance : float array, shape (n_nodes,)
        At least 0; 0 pins a node, ``inf`` means that its base forecast carries no information.
    samples : float array, shape (n_samples, n_nodes), optional
        Rows that span the low-rank part.
    loading : float
        Weight of the low-rank part, at least 0.
    """

    variance: FloatArray
    samples: FloatArray | None = None
    loading: float = 0.0

    def __post_init__(self) -> None:
        bad = np.flatnonzero(~(self.variance >= 0))
        if bad.size:
            raise DataError(
                f"the variance of {bad.size} nodes is negative or NaN, first node {bad[0]} "
                f"({self.variance[bad[0]]}); give variances of at least 0"
            )


def ols(summing: SparseArray | Hierarchy) -> Covariance:
    """Equal variances: ordinary least squares (Hyndman et al. 2011)."""
    return Covariance(np.ones(as_hierarchy(summing).n_nodes))


def structural(summing: SparseArray | Hierarchy) -> Covariance:
    """Variance of a sum of independent, alike bottom series: ``sum_b S[i, b]**2``.

    For plain sums this is the number of bottom series (Athanasopoulos et al. 2017, WLS_S); an
    hour in MW, the mean of two half-hours, gets 1/2. A node that sums nothing gets variance 0.
    """
    return Covariance(_structural_variance(as_hierarchy(summing).summing))


def variance_scaled(
    summing: SparseArray | Hierarchy, errors: FloatArray, floor: float = DEFAULT_FLOOR
) -> Covariance:
    """Mean squared error of each node, WLS_V, with the floor described above.

    Parameters
    ----------
    summing : csr_array or Hierarchy
    errors : float array, shape (n_samples, n_nodes)
        Errors of base forecasts. NaN is left out; every node needs one finite error at least.
    floor : float
        Relative variance floor, at least 0.

    Raises
    ------
    DataError
        If shapes differ, a node has no finite error, or all bottom series are without error.
    """
    hierarchy = as_hierarchy(summing)
    values = _check_errors(errors, hierarchy.n_nodes)
    seen = np.isfinite(values)
    count = seen.sum(axis=0)
    if not count.all():
        empty = np.flatnonzero(count == 0)
        raise DataError(
            f"{empty.size} nodes have no finite error, first node {empty[0]}; give each node at "
            "least one, or infinite variance"
        )
    square = np.einsum("ti,ti->i", *(2 * [values if seen.all() else np.where(seen, values, 0.0)]))
    return Covariance(_lift(square / count, hierarchy, floor))


def shrinkage(
    summing: SparseArray | Hierarchy,
    errors: FloatArray,
    floor: float = DEFAULT_FLOOR,
    intensity: float | None = None,
) -> Covariance:
    """MinT with correlations shrunk towards zero, in low-rank form.

    ``W = lambda * D + (1 - lambda) * E.T @ E / n``, D the diagonal of ``E.T @ E / n``, and the
    diagonal lifted to the floor described above.

    Parameters
    ----------
    summing : csr_array or Hierarchy
    errors : float array, shape (n_samples, n_nodes)
        Finite errors of base forecasts; kept by reference, not copied.
    floor : float
        Relative variance floor, at least 0.
    intensity : float, optional
        Lambda, above 0 and at most 1; estimated by `shrinkage_intensity` when not given, and then
        at least 1e-4.

    Raises
    ------
    DataError
        If shapes differ, an error is not finite, or all bottom series are without error.
    """
    hierarchy = as_hierarchy(summing)
    values = _check_errors(errors, hierarchy.n_nodes)
    square = np.einsum("ti,ti->i", values, values) / values.shape[0]
    if not np.isfinite(square).all():
        bad = np.flatnonzero(~np.isfinite(square))
        raise DataError(
            f"the errors of {bad.size} nodes are not finite, first node {bad[0]}; shrinkage needs "
            "complete rows, so leave out the times at which a node has none"
        )
    lam = max(shrinkage_intensity(values), LEAST_INTENSITY) if intensity is None else intensity
    if not 0.0 < lam <= 1.0:
        raise DataError(f"the shrinkage intensity is {lam}; give a number above 0, at most 1")
    lifted = _lift(square, hierarchy, floor)
    return Covariance(lifted - (1.0 - lam) * square, values, (1.0 - lam) / values.shape[0])


def shrinkage_intensity(errors: FloatArray) -> float:
    """Optimal shrinkage of correlations towards zero, without an n×n matrix.

    Schäfer and Strimmer (2005, "A shrinkage approach to large-scale covariance matrix
    estimation", table 2, target D on the scale of correlations): the sum of the estimated
    variances of all correlations over the sum of their squares, within [0, 1]. Both are sums over
    pairs of nodes, but each is a norm of the much smaller sample-by-sample Gram matrix.

    Parameters
    ----------
    errors : float array, shape (n_samples, n_nodes)
        Finite errors; nodes that are always zero are left out.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> 0.5 < shrinkage_intensity(rng.normal(size=(50, 8))) <= 1
    True
    """
    n = errors.shape[0]
    square = np.einsum("ti,ti->i", errors, errors)
    if n < 2 or not square.any():
        return 1.0
    inverse = np.divide(n, square, out=np.zeros_like(square), where=square > 0)
    gram = np.zeros((n, n))
    row_fourth = np.zeros(n)
    fourth = 0.0
    for start in range(0, square.size, 4096):
        part = slice(start, start + 4096)
        block = errors[:, part] * np.sqrt(inverse[part])
        gram += block @ block.T
        row_fourth += np.einsum("ti,ti->t", block, block)
        fourth += float((block**4).sum())
    nodes = int((square > 0).sum())
    # Sums over i != j of r_ij**2 and of sum_t (x_ti x_tj)**2, the diagonals taken out.
    correlation = float((gram**2).sum()) / n**2 - nodes
    products = float(row_fourth @ row_fourth) - fourth
    variance = (products - n * correlation) / (n * (n - 1))
    return float(np.clip(variance / correlation, 0.0, 1.0)) if correlation > 0 else 1.0


def _structural_variance(summing: SparseArray) -> FloatArray:
    owner = np.repeat(np.arange(summing.shape[0]), np.diff(summing.indptr))
    return np.bincount(owner, summing.data**2, summing.shape[0]).astype(np.float64)


def _lift(variance: FloatArray, hierarchy: Hierarchy, floor: float) -> FloatArray:
    if not floor >= 0:
        raise DataError(f"the variance floor is {floor}; give a number of at least 0")
    positive = variance[hierarchy.bottom]
    positive = positive[positive > 0]
    if not positive.size:
        raise DataError(
            "every bottom series has errors of exactly zero, so no node can be weighed against "
            "another; use structural variances"
        )
    typical = float(np.median(positive))
    return np.maximum(variance, floor * typical * _structural_variance(hierarchy.summing))


def _check_errors(errors: FloatArray, n_nodes: int) -> FloatArray:
    values = np.asarray(errors, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != n_nodes or not values.shape[0]:
        raise DataError(
            f"errors have shape {values.shape}; expected (n_samples, {n_nodes}), a column a node"
        )
    return values
