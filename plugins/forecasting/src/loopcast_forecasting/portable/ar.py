"""Sparse autoregression of the residuals, step by step.

With the notation of `loopcast_forecasting.residual.ar`, the state is the residuals of the longest
lag; one that is missing is its own forecast from those before it. Over the steps of a day, lags
shorter than the day meet what is forecast itself. With ``u_h`` the sum of what is known, and S the
matrix of the lags within the day,

    r̂_{t+h} = u_h + Σ_{s_k < h} φ_k r̂_{t+h-s_k},    so that    r̂ = (I - S)⁻¹ u.

Each row of this inverse is the one above it, moved by a step: it is what a shock is worth after so
many steps, ψ_0 = 1, ψ_1, …, and r̂_{t+h} = Σ_i ψ_i u_{h-i} a filter, of as many weights as steps.
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
        missing = g.Product(complement(seen.observed), self._weighted(lagged))
        kept = [g.Columns(state, tuple(range(1, self.size)))] if self.size > 1 else []
        following = g.Joined((*kept, g.Sum((seen.residual, missing))))
        known = g.Stacked(self._weighted(self._seen_ahead(following)), self.steps)
        before = g.Constant((0.0,) * (self.steps - 1))
        ahead = g.Filtered(g.Joined((before, known)), self._worth()[::-1])
        return g.Following(ahead), following

    def _seen_ahead(self, past: g.Block) -> g.Block:
        """Return what each step sees of the past at each lag, a row for each; zero where nothing.

        One look-up is less of a file, and faster, than a slice for each lag.
        """
        nothing = self.size
        places = [
            self.size - lag + step if step < lag else nothing
            for step in range(self.steps)
            for lag in self.ar.lags
        ]
        whole = g.Joined((past, g.Constant((0.0,))))
        return g.Stacked(g.Columns(whole, tuple(places)), len(self.ar.lags))

    def _weighted(self, lagged: g.Block) -> g.Block:
        return g.Linear(lagged, self.ar.phi[None, :, self.series], np.zeros(1), exact=True)

    def _worth(self) -> Floats:
        """Return what a shock is worth after so many steps, ψ."""
        shock = np.ones((1, self.ar.phi.shape[1]))
        later = self.ar.forecast(shock, self.steps - 1)
        return np.concatenate([shock[:, self.series], later[:, self.series]])

    def state(self, recent: Recent) -> Floats:
        """Fill the residuals before the last one."""
        return self.ar.filled(recent.residuals[:-1])[-self.size :, self.series]
