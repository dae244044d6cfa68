"""The residual step by direct ridge: regressions learnt from residuals of cross-fitting.

With ``r`` the curve of a day's residuals and ``B`` the first cosines of a day, those of day ``d``
of the horizon are predicted, for lags ``l_k`` that lie before the origin, as

    r̂_d = B (c + Σ_k W_k Bᵀ r_{d - l_k}).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

from loopcast.api import ForecastData, step_minutes
from loopcast_forecasting.additive.files import Arrays
from loopcast_forecasting.additive.hyperparameters import GamRidgeParameters
from loopcast_forecasting.additive.series import AdditiveSeries
from loopcast_forecasting.additive.site import AdditiveSite
from loopcast_forecasting.additive.step import Recent
from loopcast_forecasting.direct.curves import DayGrid, Floats, day_grid
from loopcast_forecasting.direct.ridge_days import (
    PAST_DAYS,
    DayRidge,
    DirectRidge,
    fit_direct_ridge,
)
from loopcast_forecasting.residual.crossfit import cross_fit, deal_days
from loopcast_forecasting.residual.ridge import PanelRidge

if TYPE_CHECKING:
    from loopcast_forecasting.portable.ridge import RidgeMemory

OF_RIDGE = ("coef", "intercept", "penalty")


@dataclass(frozen=True, eq=False, kw_only=True)
class DirectStep:
    """The ridge of a site's series; see `loopcast_forecasting.additive.step.ResidualStep`."""

    ridge: DirectRidge

    past_days: ClassVar[int] = PAST_DAYS + 1  # a day with a change of clocks is longer
    from_midnight: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, additive: AdditiveSite, settings: GamRidgeParameters
    ) -> tuple[Self, dict[str, str]]:
        """Fit all series together; none fails."""
        data = additive.data
        day = day_grid(data.times, data.step, data.times[0]).day
        residuals = cross_fit(additive.gam, additive.X, additive.Y, deal_days(day, settings.folds))
        return cls.learn(residuals, data, settings), {}

    @classmethod
    def learn(cls, residuals: Floats, data: ForecastData, settings: GamRidgeParameters) -> Self:
        """Fit the ridge to residuals of training, each by a model that did not know its row."""
        grid = day_grid(data.times, data.step, data.times[0])
        first = max(int(grid.day[-1]) + 1 - 7 * settings.season_weeks, 0)
        ridge = fit_direct_ridge(
            residuals,
            DayGrid(day=grid.day - first, slot=grid.slot, per_day=grid.per_day),
            settings.seasonal_days,
            horizon_days=step_minutes(data.horizon) // 1440,
            cosines=settings.cosines,
        )
        return cls(ridge=ridge)

    def forecast(self, recent: Recent, horizon: pd.DatetimeIndex) -> Floats:
        """Forecast all series from the curves of the days before the horizon."""
        first = horizon[0] - pd.DateOffset(days=PAST_DAYS)
        return self.ridge.forecast(
            recent.residuals,
            day_grid(recent.past, recent.step, first),
            day_grid(horizon, recent.step, first),
        )

    def memory(self, series: int, per_day: int) -> RidgeMemory:
        """Return the step of one series as a device carries it on."""
        from loopcast_forecasting.portable.ridge import RidgeMemory

        return RidgeMemory(ridge=self.ridge, series=series, per_day=per_day)

    def encode(self, series: AdditiveSeries, site: int, arrays: Arrays) -> dict[str, Any]:
        """Return values for JSON; all that is numbers is an array."""
        days = self.ridge.days
        arrays |= series.arrays(site)
        for h, day in enumerate(days):
            arrays |= {f"site_{site}_day_{h}_{name}": getattr(day.ridge, name) for name in OF_RIDGE}
        lags = [day.lags for day in days]
        return {"names": series.names, "cosines": self.ridge.cosines, "lags": lags}

    @classmethod
    def decode(
        cls, values: dict[str, Any], site: int, arrays: Arrays
    ) -> tuple[AdditiveSeries, Self]:
        """Rebuild what `encode` returned."""
        days = tuple(
            DayRidge(
                lags=tuple(lags),
                ridge=PanelRidge(**{n: arrays[f"site_{site}_day_{h}_{n}"] for n in OF_RIDGE}),
            )
            for h, lags in enumerate(values["lags"])
        )
        series = AdditiveSeries.from_arrays(values["names"], site, arrays)
        return series, cls(ridge=DirectRidge(cosines=values["cosines"], days=days))
