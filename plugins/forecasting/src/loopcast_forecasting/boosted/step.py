"""The residual step of the combined template: other members, then a direct ridge.

With ``c`` the correction by the members, the response ``h`` steps ahead is

    f(x_{t+h}) + c(x_{t+h}) + r̂_{t+h|t},    r_s = g(y_s) - f(x_s) - c(x_s) for s ≤ t,

with ``r̂`` the direct ridge of `loopcast_forecasting.direct.step`, learnt from the residuals of
cross-fitting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

from loopcast.api import ModelError
from loopcast_forecasting.additive.files import Arrays
from loopcast_forecasting.additive.hyperparameters import GamBoostedParameters
from loopcast_forecasting.additive.series import AdditiveSeries
from loopcast_forecasting.additive.site import AdditiveSite
from loopcast_forecasting.additive.step import Recent
from loopcast_forecasting.boosted.correction import Correction, fit_correction
from loopcast_forecasting.boosted.trees import require_lightgbm
from loopcast_forecasting.direct.curves import Floats, day_grid
from loopcast_forecasting.direct.step import DirectStep
from loopcast_forecasting.gam.design import Design
from loopcast_forecasting.residual.crossfit import deal_days

if TYPE_CHECKING:
    from loopcast_forecasting.portable.memory import Memory


@dataclass(frozen=True, eq=False, kw_only=True)
class BoostedStep:
    """The members of a site's series, and their ridge.

    See `loopcast_forecasting.additive.step.ResidualStep`.
    """

    correction: Correction
    direct: DirectStep

    past_days: ClassVar[int] = DirectStep.past_days
    from_midnight: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, additive: AdditiveSite, settings: GamBoostedParameters
    ) -> tuple[Self, dict[str, str]]:
        """Fit all series of a site; none fails.

        Raises
        ------
        ModelError
            Where LightGBM is not installed.
        """
        require_lightgbm()
        data = additive.data
        day = day_grid(data.times, data.step, data.times[0]).day
        fold = deal_days(day, settings.folds)
        correction, residuals = fit_correction(additive, day, fold, settings.trees)
        direct = DirectStep.learn(residuals, data, settings)
        return cls(correction=correction, direct=direct), {}

    def forecast(self, recent: Recent, horizon: pd.DatetimeIndex) -> Floats:
        """Correct the horizon, and forecast what the correction left of the days before it."""
        times = pd.DatetimeIndex(recent.times.append(horizon))
        day = day_grid(times, recent.step, times[0]).day
        correction = self.correction.predict(recent.X, day)
        past, ahead = correction[: len(recent.times)], correction[len(recent.times) :]
        left = recent.residuals - past[-len(recent.residuals) :]
        return ahead + self.direct.forecast(recent.with_residuals(left), horizon)

    def memory(self, series: int, per_day: int) -> Memory:
        """Refuse: a device does not carry it on."""
        raise ModelError(
            "a model with boosted trees has no graph; train one of forecasting.gam_ar, "
            "forecasting.gam_arima or forecasting.gam_ridge, which have"
        )

    def encode(self, series: AdditiveSeries, site: int, arrays: Arrays) -> dict[str, Any]:
        """Return values for JSON; all that is numbers but the trees is an array."""
        correction = self.correction.encode(site, arrays)
        return self.direct.encode(series, site, arrays) | {"correction": correction}

    @classmethod
    def decode(
        cls, values: dict[str, Any], site: int, arrays: Arrays
    ) -> tuple[AdditiveSeries, Self]:
        """Rebuild what `encode` returned."""
        series, direct = DirectStep.decode(values, site, arrays)
        correction = Correction.decode(
            values["correction"], Design.from_dict(values["design"]), series.coef, site, arrays
        )
        return series, cls(correction=correction, direct=direct)
