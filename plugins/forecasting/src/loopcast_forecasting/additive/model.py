"""The fitted hybrid: forecasts, effects, files.

With ``g`` the logarithm or the identity, ``f`` the additive model of calendar and weather and
``r̂`` the forecast of its residuals from the origin,

    ŷ_{t+h} = g⁻¹( f(x_{t+h}) + r̂_{t+h|t} ),    r_s = g(y_s) - f(x_s) for s ≤ t.

A forecast looks at the same length of the past whatever is given: the last 33 days, of which 12
let smoothed temperatures forget their start and 21 carry residuals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from loopcast.api import DataError, Effect, Files, Forecast, ForecastData, ModelError, Surface
from loopcast_forecasting.additive import effects, files
from loopcast_forecasting.features import FeatureSpec, feature_matrix
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import PanelGam
from loopcast_forecasting.gam.design import Design
from loopcast_forecasting.residual.arima import ResidualModel

HISTORY_DAYS = 33
RESIDUAL_DAYS = 21
LEAST_DAYS = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class SeriesModel:
    """The two parts of one series.

    Attributes
    ----------
    log
        Whether the response is the logarithm.
    level
        Typical value of the series, at which effects on a logarithm are shown.
    coef : ndarray, shape (p,)
        Of the additive model.
    residual
        The short-term part.
    """

    log: bool
    level: float
    coef: Floats
    residual: ResidualModel

    def respond(self, actuals: Floats) -> Floats:
        """Return the response of actuals; one without a logarithm counts as missing."""
        if not self.log:
            return actuals
        return np.log(np.where(actuals > 0, actuals, np.nan))

    def invert(self, response: Floats) -> Floats:
        """Return what has this response."""
        return np.exp(response) if self.log else response


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteModel:
    """Models of the series of a site, which share a design.

    Attributes
    ----------
    site
        Its name.
    design
        Columns of the additive model.
    series
        By name.
    gams
        Fits with what standard errors need, by series; empty once loaded.
    sample : ndarray, shape (k, n_features)
        Rows of training over which effects are averaged.
    """

    site: str
    design: Design
    series: Mapping[str, SeriesModel]
    gams: Mapping[str, PanelGam] = field(default_factory=dict)
    sample: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def additive(self, X: Floats) -> Floats:
        """Return the additive part of each series, shape (n, series)."""
        coef = np.column_stack([model.coef for model in self.series.values()])
        return np.asarray(self.design.matrix(self.design.check(X)) @ coef)

    def explain(self, name: str, spec: FeatureSpec) -> tuple[Effect | Surface, ...]:
        """Return the effects of a series."""
        scale = self.series[name].level if self.series[name].log else None
        return effects.explain(self.gams[name], self.sample, spec, scale)


@dataclass(frozen=True, eq=False, kw_only=True)
class GamArimaModel:
    """A fitted panel.

    Attributes
    ----------
    spec
        What its features are.
    sites
        Models by site.
    constants
        Value of each series that never changed in training.
    failures
        Why other series have no model.
    explained
        Effects by series, where they were loaded.
    """

    spec: FeatureSpec
    sites: tuple[SiteModel, ...]
    constants: Mapping[str, float]
    failures: Mapping[str, str]
    explained: Mapping[str, tuple[Effect | Surface, ...]] = field(default_factory=dict)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        """Forecast every series.

        Raises
        ------
        DataError
            Where the past is shorter than 8 days, a covariate is missing, the step is another
            one, or a series was not in training.
        """
        self._check(known)
        mean = np.full((len(horizon), len(known.series)), np.nan)
        column = {name: k for k, name in enumerate(known.series)}
        for name in self.constants.keys() & column.keys():
            mean[:, column[name]] = self.constants[name]
        for site in self.sites:
            chosen = [column[name] for name in site.series]
            mean[:, chosen] = self._forecast_site(site, known, horizon)
        return Forecast(mean=mean)

    def _check(self, known: ForecastData) -> None:
        if known.step != self.spec.step:
            raise DataError(f"step {known.step}; the model was fitted at {self.spec.step}")
        trained = {name for site in self.sites for name in site.series}
        trained |= self.constants.keys() | self.failures.keys()
        strange = [name for name in known.series if name not in trained]
        absent = sorted(trained - set(known.series))
        if strange or absent:
            problem = f"{strange[0]!r} was not" if strange else f"{absent[0]!r} is absent but was"
            raise DataError(f"series {problem} in training; expected the same series")
        if len(known.target) < LEAST_DAYS * self.spec.steps_per_day:
            raise DataError(
                f"{len(known.target)} steps of the past; the model needs {LEAST_DAYS} days before "
                "an origin"
            )

    def _forecast_site(
        self, site: SiteModel, known: ForecastData, horizon: pd.DatetimeIndex
    ) -> Floats:
        past = known.times[-HISTORY_DAYS * self.spec.steps_per_day :]
        recent = min(RESIDUAL_DAYS * self.spec.steps_per_day, len(past))
        times = pd.DatetimeIndex(past.append(horizon))
        features = feature_matrix(known, site.site, self.spec, times)
        X = np.column_stack(list(features.values()))
        additive = site.additive(X[-recent - len(horizon) :])
        actuals = known.target[list(site.series)].to_numpy(np.float64)[-recent:]
        return np.column_stack(
            [
                _forecast_series(model, actuals[:, k], additive[:, k])
                for k, model in enumerate(site.series.values())
            ]
        )

    def effects(self, series: Sequence[str]) -> tuple[Effect | Surface, ...]:
        """Return what the additive part learned of each input.

        Raises
        ------
        ModelError
            Where a series has no model.
        """
        return tuple(effect for name in series for effect in self._effects_of(name))

    def _effects_of(self, name: str) -> tuple[Effect | Surface, ...]:
        if name in self.constants:
            return ()
        if name in self.explained:
            return self.explained[name]
        site = next((site for site in self.sites if name in site.series), None)
        if site is None:
            reason = self.failures.get(name, "it was not in training")
            raise ModelError(f"series {name!r} has no effects: {reason}")
        return site.explain(name, self.spec)

    def save(self) -> Files:
        """Return the parameters as JSON and arrays, with the effects."""
        return files.encode(self)


def _forecast_series(model: SeriesModel, actuals: Floats, additive: Floats) -> Floats:
    past, ahead = additive[: len(actuals)], additive[len(actuals) :]
    residuals = model.respond(actuals) - past
    return model.invert(ahead + model.residual.forecast(residuals, len(ahead)))
