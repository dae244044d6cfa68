"""A panel of models for one series each: fitting in parallel, forecasts, files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from loopcast.api import (
    ConvergenceError,
    DataError,
    Engine,
    Files,
    Forecast,
    ForecastData,
    step_minutes,
)
from loopcast_forecasting.additive import files
from loopcast_forecasting.additive.panel import triage
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.univariate.ets import Ets
from loopcast_forecasting.univariate.hyperparameters import EtsParameters, SarimaxParameters
from loopcast_forecasting.univariate.method import Method
from loopcast_forecasting.univariate.regressors import Regressors
from loopcast_forecasting.univariate.sarimax import Sarimax

Settings = EtsParameters | SarimaxParameters
NONE = Regressors(
    daily=0, weekly=0, covariates=(), squared=(), centre=np.empty(0), spread=np.empty(0)
)


@dataclass(frozen=True, eq=False, kw_only=True)
class SeriesModel:
    """The model of one series.

    Attributes
    ----------
    centre, spread
        By which the series is shifted and scaled, as the method asks for.
    params : ndarray, shape (p,)
        Of the scaled series, as statsmodels orders them.
    """

    centre: float
    spread: float
    params: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class SeriesTask:
    """A series to fit, anywhere."""

    method: Method
    values: Floats
    X: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class UnivariateModel:
    """A fitted panel.

    Attributes
    ----------
    settings
        Hyperparameters.
    step
        Length of an interval.
    models
        By series.
    regressors
        By site.
    constants
        Value of each series that never changed in training.
    failures
        Why other series have no model.
    """

    settings: Settings
    step: str
    models: Mapping[str, SeriesModel]
    regressors: Mapping[str, Regressors]
    constants: Mapping[str, float]
    failures: Mapping[str, str]

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        """Forecast every series from the last weeks before the horizon.

        The forecast of a series whose last weeks do not suffice (most are missing, or not
        positive where they have to be) is NaN.

        Raises
        ------
        DataError
            Where a covariate is missing, the step is another one, or a series was not in training.
        """
        if known.step != self.step:
            raise DataError(f"step {known.step}; the model was fitted at {self.step}")
        method = method_of(self.settings, self.step)
        times = pd.DatetimeIndex(known.times[-method.window :].append(horizon))
        X = {
            site: self.regressors[site].matrix(known, site, times)
            for site in {known.site_of[name] for name in known.series if name in self.models}
        }
        columns = [self._forecast(method, known, name, X, len(horizon)) for name in known.series]
        return Forecast(mean=np.column_stack(columns))

    def _forecast(
        self, method: Method, known: ForecastData, name: str, X: Mapping[str, Floats], steps: int
    ) -> Floats:
        if name in self.constants or name in self.failures:
            return np.full(steps, self.constants.get(name, np.nan))
        if name not in self.models:
            raise DataError(f"series {name!r} was not in training; expected the same series")
        model = self.models[name]
        values = known.target[name].to_numpy(np.float64)[-method.window :]
        scaled = (values - model.centre) / model.spread
        try:
            ahead = method.forecast(model.params, scaled, X[known.site_of[name]], steps)
        except DataError:
            return np.full(steps, np.nan)
        return ahead * model.spread + model.centre

    def save(self) -> Files:
        """Return the parameters as JSON and arrays."""
        arrays: files.Arrays = {
            "params": np.concatenate([np.empty(0), *(m.params for m in self.models.values())]),
            "sizes": np.array([len(model.params) for model in self.models.values()], np.int64),
            "centre": np.array([model.centre for model in self.models.values()], np.float64),
            "spread": np.array([model.spread for model in self.models.values()], np.float64),
        }
        sites = []
        for k, (site, regressors) in enumerate(self.regressors.items()):
            values = asdict(regressors)
            arrays |= {f"site_{k}_{name}": values.pop(name) for name in ("centre", "spread")}
            sites.append({"site": site, **values})
        text = {
            "settings": msgspec.to_builtins(self.settings),
            "step": self.step,
            "series": list(self.models),
            "sites": sites,
            "constants": dict(self.constants),
            "failures": dict(self.failures),
        }
        return files.pack(text, arrays)


def method_of(settings: Settings, step: str) -> Method:
    """Return the kind of model that hyperparameters are for."""
    per_day = 1440 // step_minutes(step)
    if isinstance(settings, EtsParameters):
        return Ets(settings=settings, per_day=per_day)
    return Sarimax(settings=settings, per_day=per_day)


def fit_model(data: ForecastData, settings: Settings, engine: Engine) -> UnivariateModel:
    """Fit every series of a panel, in parallel; one that has no model is in ``failures``.

    Parameters
    ----------
    data : ForecastData
    settings : EtsParameters or SarimaxParameters
    engine : Engine
        Where series are fitted.

    Raises
    ------
    DataError
        Where a covariate is missing, or the step is longer than a day.
    """
    if step_minutes(data.step) > 1440:
        raise DataError(f"step {data.step} is longer than a day; expected 1D or a part of it")
    method = method_of(settings, data.step)
    times, recent = data.times[-method.window :], data.target.iloc[-method.window :]
    failures, constants = triage(recent)
    ready = [name for name in data.series if name not in failures and name not in constants]
    regressors = _regressors(data, ready, times, settings)
    X = {site: each.matrix(data, site, times) for site, each in regressors.items()}
    tasks = (
        SeriesTask(method=method, values=recent[name].to_numpy(np.float64), X=X[data.site_of[name]])
        for name in ready
    )
    outcomes = dict(zip(ready, engine.map(fit_series, tasks), strict=True))
    refused = {name: reason for name, reason in outcomes.items() if isinstance(reason, str)}
    return UnivariateModel(
        settings=settings,
        step=data.step,
        models={name: m for name, m in outcomes.items() if isinstance(m, SeriesModel)},
        regressors=regressors,
        constants=constants,
        failures=failures | refused,
    )


def _regressors(
    data: ForecastData, series: Sequence[str], times: pd.DatetimeIndex, settings: Settings
) -> dict[str, Regressors]:
    """Return the regressors of each site of some series."""
    sites = sorted({data.site_of[name] for name in series})
    if isinstance(settings, EtsParameters):
        return dict.fromkeys(sites, NONE)
    return {site: Regressors.of_training(data, site, times, settings) for site in sites}


def fit_series(task: SeriesTask) -> SeriesModel | str:
    """Return the model of a series, or why there is none."""
    centre, spread = task.method.scale(task.values)
    try:
        params = task.method.fit((task.values - centre) / spread, task.X)
        return SeriesModel(centre=centre, spread=spread, params=params)
    except (ConvergenceError, DataError) as error:
        return str(error)


def load_model(saved: Files, settings: type[Settings], template: str) -> UnivariateModel:
    """Rebuild a model from its files.

    Raises
    ------
    ModelError
        Where a file is absent, or of another format.
    """
    text, arrays = files.unpack(saved, template)
    each = np.split(arrays["params"], np.cumsum(arrays["sizes"]))[:-1]
    return UnivariateModel(
        settings=msgspec.convert(text["settings"], settings),
        step=text["step"],
        models={
            name: SeriesModel(centre=centre, spread=spread, params=params)
            for name, centre, spread, params in zip(
                text["series"],
                arrays["centre"].tolist(),
                arrays["spread"].tolist(),
                each,
                strict=True,
            )
        },
        regressors={
            values["site"]: _load_regressors(values, k, arrays)
            for k, values in enumerate(text["sites"])
        },
        constants=text["constants"],
        failures=text["failures"],
    )


def _load_regressors(values: dict[str, Any], k: int, arrays: files.Arrays) -> Regressors:
    return Regressors(
        daily=values["daily"],
        weekly=values["weekly"],
        covariates=tuple(values["covariates"]),
        squared=tuple(values["squared"]),
        centre=arrays[f"site_{k}_centre"],
        spread=arrays[f"site_{k}_spread"],
    )
