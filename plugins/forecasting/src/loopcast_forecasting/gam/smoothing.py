"""How λ is chosen: given, from a grid by GCV, or per term by REML."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from loopcast.api import ModelError
from loopcast_forecasting.gam.basis import Floats


@dataclass(frozen=True)
class Fixed:
    """Every series uses the λ of the terms."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GcvGrid:
    """Each series multiplies the λ of the terms by one number of a grid, by GCV.

    Attributes
    ----------
    multipliers : ndarray, shape (g,)
        Positive.
    gamma : float
        Cost of a degree of freedom; pyGAM's grid search uses 1.4.
    """

    multipliers: Floats = field(default_factory=lambda: np.logspace(-6, 6, 37))
    gamma: float = 1.4

    def __post_init__(self) -> None:
        values = np.asarray(self.multipliers, np.float64)
        if values.ndim != 1 or not len(values) or not np.all(np.isfinite(values) & (values > 0)):
            raise ModelError("the multipliers of λ must be positive numbers, at least one")


@dataclass(frozen=True, kw_only=True)
class Reml:
    """Each series gets a λ per penalty by REML.

    Attributes
    ----------
    shared : bool
        Whether all series share one λ per penalty, the best for them together.
    tolerance : float
        A search has converged when another step promises less improvement of the restricted log
        likelihood; a tenth changes errors of predictions by about 0.1 %.
    max_iterations : int
    """

    shared: bool = False
    tolerance: float = 0.1
    max_iterations: int = 100


Smoothing = Fixed | GcvGrid | Reml
