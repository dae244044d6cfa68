"""The direct ridge of a day's residuals, call by call.

With the notation of `loopcast_forecasting.direct.step`, the state is the curves of the last seven
days, the residuals of the day so far by slot, which of them are known, and the slot of the last
call. When the clock turns back by more than half a day, the day is complete: its missing slots get
the mean of the others, or all zero where half of it is missing, and its curve becomes the last of
the seven. All rows of a call belong to the day of the first one.

Where a clock goes back, the second of the two residuals of a slot counts, and not their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.api import graph as g
from loopcast_forecasting.direct.curves import Floats, cosine_basis, daily_table, day_grid
from loopcast_forecasting.direct.ridge_days import PAST_DAYS, DirectRidge
from loopcast_forecasting.portable.memory import Seen, complement, minus

if TYPE_CHECKING:
    from loopcast_forecasting.additive.step import Recent

DAY_HOURS = 24


@dataclass(frozen=True, eq=False, kw_only=True)
class RidgeMemory:
    """See `loopcast_forecasting.portable.memory.Memory`.

    Attributes
    ----------
    ridge
        Of all series of the site.
    series
        The place of this one.
    per_day
        Slots of a day.
    """

    ridge: DirectRidge
    series: int
    per_day: int

    @property
    def size(self) -> int:
        """Curves, the day so far, its mask, and a slot."""
        return (PAST_DAYS + 2) * self.per_day + 1

    def blocks(self, state: g.Block, seen: Seen) -> tuple[g.Block, g.Block]:
        """Put the last residual in its place, end the day if it is over, and forecast."""
        per_day, curves = self.per_day, PAST_DAYS * self.per_day
        slot = g.Product(g.Constant((per_day / DAY_HOURS,)), seen.hour)
        now, before = g.First(slot), g.Columns(state, (self.size - 1,))
        table = _range(state, 0, curves)
        place = g.Product(g.OneHot(before, per_day), seen.observed)
        day = _put(_range(state, curves, per_day), place, seen.residual)
        mask = _put(_range(state, curves + per_day, per_day), place, g.Constant((1.0,)))
        turned = g.Above(g.Sum((before, minus(now))), per_day / 2)
        moved = g.Joined((_range(table, per_day, curves - per_day), self._completed(day, mask)))
        following = g.Sum((g.Product(turned, moved), g.Product(complement(turned), table)))
        rest = [g.Product(complement(turned), part) for part in (day, mask)]
        ahead = g.Picked(g.Stacked(self._forecast(following), 1), slot)
        return ahead, g.Joined((following, *rest, now))

    def _completed(self, day: g.Block, mask: g.Block) -> g.Block:
        """Return the curve of a day that is over."""
        ones = np.ones((1, self.per_day))
        count, total = (g.Linear(part, ones, np.zeros(1), exact=True) for part in (mask, day))
        mean = g.Quotient(total, g.Clipped(count, 1.0, float(self.per_day)))
        filled = g.Sum((day, g.Product(mean, complement(mask))))
        return g.Product(g.Above(count, self.per_day / 2), filled)

    def _forecast(self, table: g.Block) -> g.Block:
        """Return the residuals of the day after the curves, one row."""
        basis = cosine_basis(self.per_day, self.ridge.cosines)
        cosines, first = basis.shape[1], self.ridge.days[0]
        of_days = g.Linear(g.Stacked(table, self.per_day), basis.T, np.zeros(cosines))
        flat = g.Stacked(of_days, PAST_DAYS * cosines)
        starts = [(PAST_DAYS - lag) * cosines for lag in first.lags]
        lagged = g.Columns(flat, tuple(start + k for start in starts for k in range(cosines)))
        coef, intercept = (getattr(first.ridge, n)[self.series] for n in ("coef", "intercept"))
        return g.Linear(g.Linear(lagged, coef, intercept), basis, np.zeros(self.per_day))

    def state(self, recent: Recent) -> Floats:
        """Lay out what is known before the last residual, which ends its day."""
        residuals = recent.residuals[:, [self.series]]
        first = recent.past[-1] - pd.DateOffset(days=PAST_DAYS - 1)
        grid = day_grid(recent.past, recent.step, first)
        table, _ = daily_table(residuals, grid, PAST_DAYS)
        before = (grid.day == PAST_DAYS - 1) & np.isfinite(residuals[:, 0])
        before[-1] = False
        day, mask = np.zeros((2, self.per_day))
        day[grid.slot[before]], mask[grid.slot[before]] = residuals[before, 0], 1.0
        # The oldest of seven curves leaves as soon as the day is over.
        curves = (np.zeros(self.per_day), *table[0, :-1])
        return np.concatenate([*curves, day, mask, grid.slot[-1:]])


def _range(of: g.Block, first: int, count: int) -> g.Block:
    return g.Columns(of, tuple(range(first, first + count)))


def _put(row: g.Block, place: g.Block, value: g.Block) -> g.Block:
    """Return a row with a value in a place, which a row of zeros and a one names."""
    return g.Sum((g.Product(row, complement(place)), g.Product(place, value)))
