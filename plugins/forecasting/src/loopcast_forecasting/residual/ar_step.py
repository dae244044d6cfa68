"""The residual step by sparse autoregression: all series of a site together.

Learnt from residuals of cross-fitting, as they are no smaller than those to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

from loopcast_forecasting.additive.files import Arrays
from loopcast_forecasting.additive.hyperparameters import GamArParameters
from loopcast_forecasting.additive.series import AdditiveSeries
from loopcast_forecasting.additive.site import AdditiveSite
from loopcast_forecasting.additive.step import Recent
from loopcast_forecasting.direct.curves import Floats, day_grid
from loopcast_forecasting.residual.ar import PanelAr, fit_ar
from loopcast_forecasting.residual.crossfit import cross_fit, deal_days

if TYPE_CHECKING:
    from loopcast_forecasting.portable.ar import ArMemory


@dataclass(frozen=True, eq=False, kw_only=True)
class ArStep:
    """The autoregressions of a site's series.

    See `loopcast_forecasting.additive.step.ResidualStep`.
    """

    ar: PanelAr

    past_days: ClassVar[int] = 15  # a week, and the lags of what is missing in it
    from_midnight: ClassVar[bool] = False

    @classmethod
    def fit(cls, additive: AdditiveSite, settings: GamArParameters) -> tuple[Self, dict[str, str]]:
        """Fit all series together; none fails."""
        data, per_day = additive.data, additive.spec.steps_per_day
        day = day_grid(data.times, data.step, data.times[0]).day
        residuals = cross_fit(additive.gam, additive.X, additive.Y, deal_days(day, settings.folds))
        recent = residuals[-settings.season_weeks * 7 * per_day :]
        return cls(ar=fit_ar(recent, lags_in_steps(settings, per_day))), {}

    def forecast(self, recent: Recent, horizon: pd.DatetimeIndex) -> Floats:
        """Forecast all series step by step, at whatever times the residuals are."""
        return self.ar.forecast(recent.residuals, len(horizon))

    def memory(self, series: int, per_day: int) -> ArMemory:
        """Return the step of one series as a device carries it on."""
        from loopcast_forecasting.portable.ar import ArMemory

        return ArMemory(ar=self.ar, series=series, steps=per_day)

    def encode(self, series: AdditiveSeries, site: int, arrays: Arrays) -> dict[str, Any]:
        """Return values for JSON; all that is numbers is an array."""
        arrays |= series.arrays(site) | {f"site_{site}_phi": self.ar.phi}
        return {"names": series.names, "lags": self.ar.lags}

    @classmethod
    def decode(
        cls, values: dict[str, Any], site: int, arrays: Arrays
    ) -> tuple[AdditiveSeries, Self]:
        """Rebuild what `encode` returned."""
        series = AdditiveSeries.from_arrays(values["names"], site, arrays)
        ar = PanelAr(lags=tuple(values["lags"]), phi=arrays[f"site_{site}_phi"])
        return series, cls(ar=ar)


def lags_in_steps(settings: GamArParameters, per_day: int) -> list[int]:
    """Return the lags, rising.

    Examples
    --------
    >>> lags_in_steps(GamArParameters(seasonal_days=(1, 7)), 48)
    [1, 2, 3, 47, 48, 49, 335, 336, 337]
    """
    around = range(-settings.around, settings.around + 1)
    seasonal = {days * per_day + k for days in settings.seasonal_days for k in around}
    return sorted({*settings.steps, *(lag for lag in seasonal if lag > 0)})
