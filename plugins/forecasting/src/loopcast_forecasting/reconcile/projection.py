"""What every solver of the diagonal problem gives, and the choice between them.

For ``W = diag(variance)`` the coherent vector closest to the base forecasts y is

    ``x = y + W C' mu``,  ``(C W C') mu = -C y``,

where a row of C is a sum of children less their aggregate (Wickramasuriya et al. 2019, section 2.3,
in the zero-constraint form). A solver holds what depends on the hierarchy alone;
`factor` adds the variances, and the factorisation it returns serves any number of forecasts.
"""

from __future__ import annotations

from typing import Protocol

from loopcast_forecasting.reconcile._types import FloatArray
from loopcast_forecasting.reconcile.augmented import AugmentedSolver
from loopcast_forecasting.reconcile.elimination import TreeSolver
from loopcast_forecasting.reconcile.hierarchy import Hierarchy


class Projection(Protocol):
    """Hierarchy and variances, factored."""

    def apply(self, base: FloatArray) -> FloatArray:
        """Return the coherent forecasts nearest to base, shape (n_nodes, k)."""
        ...

    def solve(self, base: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return them with mu, shape (n_aggregates, k), in the order of `Hierarchy.aggregates`."""
        ...


class DiagonalSolver(Protocol):
    """A hierarchy, prepared for any variances."""

    def factor(self, variance: FloatArray) -> Projection:
        """Return the factorisation for variances of shape (n_nodes,), each in [0, inf]."""
        ...


def diagonal_solver(hierarchy: Hierarchy) -> DiagonalSolver:
    """Elimination for a forest, a sparse factorisation for anything else."""
    return TreeSolver(hierarchy) if hierarchy.is_forest else AugmentedSolver(hierarchy)
