"""A forecaster with another one that speaks for the series that it could not be fitted to.

Of thousands of series some have no usable past: a meter that never reported, one that was put in
last week. They must not stop the others. Such a series is forecast by the fallback, a template
that asks for little, and by zero where that has nothing to say either, which is what sums count
a series as whose actuals are unknown. Each is reported, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import FitContext, ForecastData, Forecaster, LoopcastError, ModelError
from loopcast.develop.fitting import fit_template
from loopcast.develop.forecast.horizon import horizon_end, horizon_index
from loopcast.plugins import calling

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.develop.course import Contender


@dataclass(frozen=True, eq=False, kw_only=True)
class Covered:
    """A fitted template, and the fallback of the series that it could not be fitted to.

    Attributes
    ----------
    template
        Its name, for messages.
    model
        The fitted template.
    stand_in
        The fallback, fitted to the other series alone; ``None`` where there are none.
    """

    template: str
    model: Forecaster
    stand_in: Forecaster | None = None

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> CoveredForecast:
        """Forecast every series.

        Raises
        ------
        ModelError
            Where the answer has the wrong shape, is not finite for a series that has a model, or
            the template fails.
        """
        with calling(self.template, "predict"):
            mean = np.array(self.model.predict(known, horizon).mean, dtype=np.float64)
        expected = (len(horizon), len(known.series))
        if mean.shape != expected:
            raise ModelError(
                f"template {self.template}: forecast from {horizon[0]} has shape {mean.shape}; "
                f"expected {expected} (steps, series)"
            )
        reasons: dict[str, str] = {}
        if self.stand_in is not None:
            column = {name: k for k, name in enumerate(known.series)}
            names = [name for name in self.model.failures if name in column]
            values, reasons = self._stand_ins(self.stand_in, names, known, horizon)
            mean[:, [column[name] for name in names]] = values
        self._check_finite(mean, known, horizon)
        return CoveredForecast(mean=mean, reasons=reasons)

    def _stand_ins(
        self,
        stand_in: Forecaster,
        names: list[str],
        known: ForecastData,
        horizon: pd.DatetimeIndex,
    ) -> tuple[NDArray[np.float64], dict[str, str]]:
        those = replace(known, target=known.target[names])
        with calling("that is the fallback", "predict"):
            values = np.asarray(stand_in.predict(those, horizon).mean, dtype=np.float64)
        silent = np.isnan(values.sum(axis=0))
        reasons = {
            name: self.model.failures[name] + ("; the fallback has no value, so 0" if none else "")
            for name, none in zip(names, silent, strict=True)
        }
        return np.where(silent, 0.0, values), reasons

    def _check_finite(
        self, mean: NDArray[np.float64], known: ForecastData, horizon: pd.DatetimeIndex
    ) -> None:
        finite = np.isfinite(mean)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise ModelError(
                f"template {self.template}: forecast from {horizon[0]} is not finite for "
                f"series {known.series[column]} at {horizon[row]}"
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class CoveredForecast:
    """Forecasts of every series.

    Attributes
    ----------
    mean : ndarray, shape (steps, series)
        Finite.
    reasons
        Why some of them are the fallback's.
    """

    mean: NDArray[np.float64]
    reasons: Mapping[str, str]


def fit_one(
    contender: Contender,
    fallback: Contender | None,
    data: ForecastData,
    segment: str,
    context: FitContext,
) -> Covered:
    """Fit a template to one segment, and the fallback to the series that it refuses.

    Raises
    ------
    LoopcastError
        The error that a template yields for the segment.
    ModelError
        Where some of its series could not be fitted and there is no fallback.
    """
    model = fit_alone(contender, data, segment, context)
    failed = [name for name in data.series if name in model.failures]
    if not failed:
        return Covered(template=contender.template.name, model=model)
    if fallback is None:
        raise ModelError(
            f"template {contender.template.name}: {len(failed)} of {len(data.series)} series could "
            f"not be fitted at step {data.step}, the first {failed[0]}: "
            f"{model.failures[failed[0]]}; set fallback to a template that forecasts such series"
        )
    those = replace(data, target=data.target[failed])
    stand_in = fit_alone(fallback, those, segment, context)
    return Covered(template=contender.template.name, model=model, stand_in=stand_in)


def fit_alone(
    contender: Contender, data: ForecastData, segment: str, context: FitContext
) -> Forecaster:
    """Fit a template to one segment; raises the error that it yields."""
    outcome = fit_template(contender, context, {segment: data})[segment]
    if isinstance(outcome, LoopcastError):
        raise outcome
    model: Forecaster = outcome
    return model


def predict_one(
    model: Covered, data: ForecastData, origin: pd.Timestamp
) -> tuple[pd.DatetimeIndex, NDArray[np.float64]]:
    """Forecast from one origin, showing the model nothing that came after it."""
    index = horizon_index(origin, data.horizon, data.step)
    known = data.until(origin, horizon_end(origin, data.horizon))
    return index, model.predict(known, index).mean
