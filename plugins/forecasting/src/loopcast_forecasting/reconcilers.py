"""The reconcilers that configuration can name, made of the reconciliation engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy import sparse

    from loopcast.api import Reconciliation
    from loopcast_forecasting.reconcile import Reconciliation as Prepared


@dataclass(frozen=True)
class MinT:
    """Minimum-trace reconciliation with one estimator of the covariance of errors.

    Source: S. L. Wickramasuriya, G. Athanasopoulos and R. J. Hyndman (2019), Optimal forecast
    reconciliation for hierarchical and grouped time series through trace minimization, JASA
    114, section 2.4.

    Attributes
    ----------
    estimator
        ``variance`` for a diagonal of error variances, ``shrink`` for the covariance shrunk
        towards it.
    """

    name: str
    summary: str
    estimator: Literal["variance", "shrink"]

    def fit(
        self,
        summing: sparse.csr_array,
        errors: NDArray[np.floating[Any]],
        *,
        nonnegative: bool = False,
    ) -> Reconciliation:
        """Weigh the nodes by their past errors."""
        import numpy as np

        from loopcast_forecasting.reconcile import prepare, shrinkage, variance_scaled

        past = np.asarray(errors, dtype=np.float64)
        covariance = (
            variance_scaled(summing, past)
            if self.estimator == "variance"
            else shrinkage(summing, past)
        )
        return _Projection(prepare(summing, covariance, lower=0.0 if nonnegative else None))


@dataclass(frozen=True, eq=False)
class _Projection:
    prepared: Prepared

    def project(self, base: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.prepared(base)


RECONCILERS = (
    MinT(
        name="forecasting.mint_shrink",
        summary="MinT with the covariance of errors shrunk towards its diagonal",
        estimator="shrink",
    ),
    MinT(
        name="forecasting.mint_variance",
        summary="MinT with error variances only (weighted least squares)",
        estimator="variance",
    ),
)
