"""How λ is chosen: given, from a grid by GCV or REML, or per term by REML."""

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
        _check_multipliers(self.multipliers)


@dataclass(frozen=True, kw_only=True)
class Reml:
    """Each series gets a λ per penalty by REML.

    Attributes
    ----------
    shared : bool
        Whether all series share one λ per penalty, the best for them together.
    apart : int
        How many rows count as one independent observation. Residuals of neighbouring rows of a
        time series are alike; taken for independent evidence, they lead to too little smoothing.
        The log likelihood is divided by it (``gamma`` of mgcv in another form; Wood 2017,
        section 6.2).
    tolerance : float
        A search has converged when another step promises less improvement of the restricted log
        likelihood; a tenth changes errors of predictions by about 0.1 %.
    max_iterations : int
    """

    shared: bool = False
    apart: int = 1
    tolerance: float = 0.1
    max_iterations: int = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class RemlGrid:
    """The λ that a sample of the series shares by REML, times a number of a grid for each series.

    For large panels: what is rough or smooth is common to series of the same kind, and how much
    of each is noise is a series' own. Costs one decomposition for all series.

    Attributes
    ----------
    multipliers : ndarray, shape (g,)
        Positive; each series takes the one with the highest restricted likelihood.
    apart : int
        As for `Reml`.
    """

    multipliers: Floats = field(default_factory=lambda: np.logspace(-4, 4, 9, base=4))
    apart: int = 1

    def __post_init__(self) -> None:
        _check_multipliers(self.multipliers)


def _check_multipliers(multipliers: Floats) -> None:
    values = np.asarray(multipliers, np.float64)
    if values.ndim != 1 or not len(values) or not np.all(np.isfinite(values) & (values > 0)):
        raise ModelError("the multipliers of λ must be positive numbers, at least one")


Smoothing = Fixed | GcvGrid | Reml | RemlGrid


def apart_of(smoothing: Smoothing) -> int:
    """Return how many rows count as one independent observation."""
    return smoothing.apart if isinstance(smoothing, Reml | RemlGrid) else 1
