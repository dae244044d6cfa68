"""How much each member counts.

The errors of a combination with weights w are ``E w``, with a column of E for each member, so the
best weights of past errors solve a least-squares problem (Bates & Granger 1969, Operational
Research Quarterly 20; not negative and adding up to one, as in Breiman 1996, Machine Learning 24).
Members are alike and their errors of the past are not those to come, so that equal weights are
hard to beat (Claeskens et al. 2016, International Journal of Forecasting 32): departures from
them cost as much as members differ from each other,

    minimise  ‖E w‖² + s² ‖w - 1/K‖²,   w ≥ 0, Σ w = 1,   s² = Σ_tk (e_tk - ē_t)² / K.
"""

from __future__ import annotations

import numpy as np

from loopcast_forecasting.features.clock import Floats

SUM_TO_ONE = 1e3  # how much more than the errors the sum of the weights counts
LEAST = 1e-9  # strength of the pull, as a share of the errors, where members agree


def combination_weights(errors: Floats) -> Floats:
    """Return the weights of K members.

    Parameters
    ----------
    errors : ndarray, shape (n, K)
        Of each member, on rows that it was not fitted on; rows with NaN do not count.

    Returns
    -------
    ndarray, shape (K,)

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> good, as_good, bad = (s * rng.normal(size=9999) for s in (1, 1, 3))
    >>> combination_weights(np.column_stack([good, as_good, bad])).round(2)
    array([0.43, 0.43, 0.13])
    """
    from scipy.optimize import nnls

    E = errors[np.isfinite(errors).all(axis=1)]
    K = errors.shape[1]
    equal = np.full(K, 1 / K)
    gram = E.T @ E
    if not gram.any():
        return equal
    strength = ((E - E.mean(axis=1, keepdims=True)) ** 2).sum() / K + LEAST * np.trace(gram)
    gram.flat[:: K + 1] += strength
    root = np.linalg.cholesky(gram).T
    pull = strength * np.linalg.solve(root.T, equal)
    heavy = SUM_TO_ONE * np.sqrt(np.trace(gram))
    weights, _ = nnls(np.vstack([root, np.full(K, heavy)]), np.append(pull, heavy))
    return np.asarray(weights / weights.sum())
