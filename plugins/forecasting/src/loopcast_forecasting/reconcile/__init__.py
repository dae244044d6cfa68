"""Reconciliation: forecasts of a hierarchy that add up, exactly and at scale.

One module a method. `hierarchy` and `laminar` read a summing matrix, `builders` make one;
`covariance` estimates W; `elimination` (forests) and `augmented` (anything) solve the diagonal
problem, `lowrank` extends it to shrunk covariances, `bounds` to bounded series, and `engine` puts
them together. `crosstemporal` reconciles over series and time in one step without the product of
their summing matrices.
"""

from loopcast_forecasting.reconcile.builders import cross_temporal, crossed, temporal, tree
from loopcast_forecasting.reconcile.covariance import (
    Covariance,
    ols,
    shrinkage,
    shrinkage_intensity,
    structural,
    variance_scaled,
)
from loopcast_forecasting.reconcile.crosstemporal import reconcile_kronecker, reconcile_levels
from loopcast_forecasting.reconcile.engine import (
    Reconciliation,
    prepare,
    reconcile,
    reconcile_blocks,
)
from loopcast_forecasting.reconcile.hierarchy import Hierarchy, as_hierarchy, coherence_error

__all__ = [
    "Covariance",
    "Hierarchy",
    "Reconciliation",
    "as_hierarchy",
    "coherence_error",
    "cross_temporal",
    "crossed",
    "ols",
    "prepare",
    "reconcile",
    "reconcile_blocks",
    "reconcile_kronecker",
    "reconcile_levels",
    "shrinkage",
    "shrinkage_intensity",
    "structural",
    "temporal",
    "tree",
    "variance_scaled",
]
