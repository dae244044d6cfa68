"""The residual step by ARIMA: a model for each series of a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from loopcast.api import ConvergenceError
from loopcast_forecasting.additive.files import Arrays
from loopcast_forecasting.additive.hyperparameters import GamArimaParameters
from loopcast_forecasting.additive.series import AdditiveSeries
from loopcast_forecasting.additive.site import AdditiveSite
from loopcast_forecasting.additive.step import Recent
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.residual.arima import ResidualModel, fit_residuals

if TYPE_CHECKING:
    from loopcast_forecasting.portable.arima import ArimaMemory

LEAST_WINDOW = 200  # steps


@dataclass(frozen=True, eq=False, kw_only=True)
class ArimaStep:
    """The models of a site's series; see `loopcast_forecasting.additive.step.ResidualStep`."""

    models: tuple[ResidualModel, ...]

    past_days: ClassVar[int] = 21
    from_midnight: ClassVar[bool] = False

    @classmethod
    def fit(
        cls, additive: AdditiveSite, settings: GamArimaParameters
    ) -> tuple[Self, dict[str, str]]:
        """Fit each series; one whose likelihood has no maximum that is found gets none."""
        models: list[ResidualModel] = []
        failures: dict[str, str] = {}
        for k, name in enumerate(additive.series.names):
            try:
                models.append(_fit_series(additive, k, settings))
            except ConvergenceError as error:
                failures[name] = str(error)
        return cls(models=tuple(models)), failures

    def forecast(self, recent: Recent, horizon: pd.DatetimeIndex) -> Floats:
        """Forecast each series from its residuals, at whatever times they are."""
        return np.column_stack(
            [
                model.forecast(recent.residuals[:, k], len(horizon))
                for k, model in enumerate(self.models)
            ]
        )

    def memory(self, series: int, per_day: int) -> ArimaMemory:
        """Return the step of one series as a device carries it on."""
        from loopcast_forecasting.portable.arima import ArimaMemory

        return ArimaMemory(model=self.models[series], series=series, steps=per_day)

    def encode(self, series: AdditiveSeries, site: int, arrays: Arrays) -> dict[str, Any]:
        """Return values for JSON; the coefficients of the additive part are an array."""
        arrays[f"coef_{site}"] = series.coef
        columns = zip(
            series.names, series.log.tolist(), series.level.tolist(), self.models, strict=True
        )
        return {
            "series": [
                {"name": name, "log": log, "level": level, "residual": _to_values(model)}
                for name, log, level, model in columns
            ]
        }

    @classmethod
    def decode(
        cls, values: dict[str, Any], site: int, arrays: Arrays
    ) -> tuple[AdditiveSeries, Self]:
        """Rebuild what `encode` returned."""
        each = values["series"]
        series = AdditiveSeries(
            names=tuple(one["name"] for one in each),
            log=np.array([one["log"] for one in each], dtype=np.bool_),
            level=np.array([one["level"] for one in each], dtype=np.float64),
            coef=arrays[f"coef_{site}"],
        )
        return series, cls(models=tuple(_from_values(one["residual"]) for one in each))


def _fit_series(additive: AdditiveSite, k: int, settings: GamArimaParameters) -> ResidualModel:
    per_day = additive.spec.steps_per_day
    season, window = (
        max(weeks * 7 * per_day, LEAST_WINDOW)
        for weeks in (settings.season_weeks, settings.window_weeks)
    )
    fitted = additive.gam.only([k]).predict(additive.X[-season:])[:, 0]
    lags = [days * per_day for days in settings.seasonal_days]
    return fit_residuals(additive.Y[-season:, k] - fitted, lags, settings.order, window)


def _to_values(model: ResidualModel) -> dict[str, Any]:
    return {
        "lags": model.lags,
        "phi": model.phi.tolist(),
        "order": model.order,
        "params": model.params.tolist(),
    }


def _from_values(values: dict[str, Any]) -> ResidualModel:
    p, d, q = values["order"]
    return ResidualModel(
        lags=tuple(values["lags"]),
        phi=np.array(values["phi"], dtype=np.float64),
        order=(p, d, q),
        params=np.array(values["params"], dtype=np.float64),
    )
