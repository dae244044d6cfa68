"""Sparse autoregression of the residuals, step by step.

With the notation of `loopcast_forecasting.residual.ar`, the state is the residuals of the longest
lag; one that is missing is its own forecast from those before it. Over the steps of a day, lags
shorter than the day meet what is forecast itself. With ``u_h`` the sum of what is known, and S the
matrix of the lags within the day,

    r̂_{t+h} = u_h + Σ_{s_k < h} φ_k r̂_{t+h-s_k},    so that    r̂ = (I - S)⁻¹ u,

which is one product by a matrix that does not depend on the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import graph as g
from loopcast_forecasting.portable.memory import Seen, complement
from loopcast_forecasting.residual.ar import Floats, PanelAr

if TYPE_CHECKING:
    from loopcast_forecasting.additive.step import Recent


@dataclass(frozen=True, eq=False, kw_only=True)
class ArMemory:
    """See `loopcast_forecasting.portable.memory.Memory`.

    Attributes
    ----------
    ar
        Of all series of the site.
    series
        The place of this one.
    steps
        How many intervals are forecast at once.
    """

    ar: PanelAr
    series: int
    steps: int

    @property
    def size(self) -> int:
        """Residuals of the longest lag."""
        return self.ar.lags[-1]

    def blocks(self, state: g.Block, seen: Seen) -> tuple[g.Block, g.Block]:
        """Append the last residual, or what was expected of it, and forecast from there."""
        lagged = g.Columns(state, tuple(self.size - lag for lag in self.ar.lags))
        phi = self.ar.phi[:, self.series]
        expected = g.Linear(lagged, phi[None], np.zeros(1), exact=True)
        missing = g.Product(complement(seen.observed), expected)
        kept = g.Columns(state, tuple(range(1, self.size)))
        following = g.Joined((kept, g.Sum((seen.residual, missing))))
        known = tuple(
            g.Product(g.Constant((float(weight),)), self._lagged(following, lag))
            for lag, weight in zip(self.ar.lags, phi, strict=True)
        )
        ahead = g.Linear(g.Sum(known), self._within(phi), np.zeros(self.steps))
        return g.Following(ahead), following

    def _lagged(self, past: g.Block, lag: int) -> g.Block:
        """Return the past that each step sees at a lag, one row; zero where it sees none."""
        first = self.size - lag
        seen = g.Columns(past, tuple(range(first, first + min(lag, self.steps))))
        if lag >= self.steps:
            return seen
        return g.Joined((seen, g.Constant((0.0,) * (self.steps - lag))))

    def _within(self, phi: Floats) -> Floats:
        """Return what a step of the horizon makes of what each of them knows."""
        within = np.eye(self.steps)
        for lag, weight in zip(self.ar.lags, phi, strict=True):
            within -= weight * np.eye(self.steps, k=-lag)
        return np.asarray(np.linalg.inv(within), np.float64)

    def state(self, recent: Recent) -> Floats:
        """Fill the residuals before the last one."""
        return self.ar.filled(recent.residuals[:-1])[-self.size :, self.series]
