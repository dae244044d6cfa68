"""Daily and weekly persistence with ARIMA, step by step.

With the notation of `loopcast_forecasting.residual.arima`, the state is the residuals of the
longest lag and the state vector a of the ARIMA in its steady state (Durbin & Koopman 2012, section
4.3): with the innovation v_t = u_t - Z a_t,

    a_{t+1} = T a_t + K v_t,    û_{t+h} = Z T^{h-1} a_{t+1}.

The gain K does not depend on the data; a filter reaches it within some steps. A missing residual
counts as zero where it is a lag, and has no innovation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import graph as g
from loopcast_forecasting.portable.memory import Seen, minus
from loopcast_forecasting.residual.arima import (
    Floats,
    ResidualModel,
    Space,
    seasonal_remainder,
    steady_state,
)

if TYPE_CHECKING:
    from loopcast_forecasting.additive.step import Recent


@dataclass(frozen=True, eq=False, kw_only=True)
class ArimaMemory:
    """See `loopcast_forecasting.portable.memory.Memory`.

    Attributes
    ----------
    model
        Of the series.
    series
        Its place.
    steps
        How many intervals are forecast at once, where no lag is shorter.
    """

    model: ResidualModel
    series: int
    steps: int

    @cached_property
    def _space(self) -> Space:
        return steady_state(self.model)

    @property
    def _longest(self) -> int:
        return max(self.model.lags, default=1)

    @property
    def _ahead(self) -> int:
        return min(self.model.lags, default=self.steps)

    @property
    def size(self) -> int:
        """Residuals of the longest lag, and the state vector."""
        return self._longest + len(self._space.gain)

    def blocks(self, state: g.Block, seen: Seen) -> tuple[g.Block, g.Block]:
        """Update the state by the last residual, and forecast from it."""
        space, longest = self._space, self._longest
        past = g.Columns(state, tuple(range(longest)))
        vector = g.Columns(state, tuple(range(longest, self.size)))
        expected = g.Sum((self._seasonal(past), _linear(vector, space.design)))
        innovation = g.Product(seen.observed, g.Sum((seen.residual, minus(expected))))
        moved = _linear(vector, space.transition)
        following = g.Sum((moved, _linear(innovation, space.gain[:, None])))
        later = g.Joined((g.Columns(past, tuple(range(1, longest))), seen.residual))
        ahead = [_linear(following, space.ahead(self._ahead))]
        for lag, weight in zip(self.model.lags, self.model.phi, strict=True):
            first = longest - lag
            lagged = g.Columns(later, tuple(range(first, first + self._ahead)))
            ahead.append(g.Product(g.Constant((float(weight),)), lagged))
        return g.Following(g.Sum(tuple(ahead))), g.Joined((later, following))

    def _seasonal(self, past: g.Block) -> g.Block:
        if not self.model.lags:
            return g.Constant((0.0,))
        lagged = g.Columns(past, tuple(self._longest - lag for lag in self.model.lags))
        return _linear(lagged, self.model.phi[None])

    def state(self, recent: Recent) -> Floats:
        """Filter the residuals before the last one."""
        before = recent.residuals[:-1, self.series]
        remainder = seasonal_remainder(before, self.model.lags, self.model.phi)
        return np.concatenate(
            [np.nan_to_num(before[-self._longest :]), self._space.filtered(remainder)]
        )


def _linear(of: g.Block, weights: Floats) -> g.Block:
    return g.Linear(of, weights, np.zeros(len(weights)), exact=True)
