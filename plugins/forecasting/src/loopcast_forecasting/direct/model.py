"""The fitted model: forecasts, effects, files.

With ``g`` the logarithm or the identity, ``f`` the additive model of calendar and weather, ``r``
the curve of a day's residuals, and ``B`` the first cosines of a day,

    ŷ_d = g⁻¹( f(x_d) + B (c + Σ_k W_k Bᵀ r_{d - l_k}) ),    r_d = g(y_d) - f(x_d),

for day ``d`` of the horizon and lags ``l_k`` that lie before the origin. A forecast looks at the
same length of the past whatever is given: the last 33 days, over which smoothed temperatures
forget their start, and the residuals of the last 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import DataError, Effect, Files, Forecast, ForecastData, ModelError, Surface
from loopcast_forecasting.additive.effects import explain
from loopcast_forecasting.direct import files
from loopcast_forecasting.direct.curves import Floats, day_grid
from loopcast_forecasting.direct.ridge_days import PAST_DAYS, DirectRidge
from loopcast_forecasting.features import FeatureSpec, feature_matrix
from loopcast_forecasting.gam import PanelGam
from loopcast_forecasting.gam.design import Design

HISTORY_DAYS = 33
LEAST_DAYS = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteModel:
    """Models of the series of a site, which share a design.

    Attributes
    ----------
    site
        Its name.
    design
        Columns of the additive model.
    names
        Of its series, length N.
    log : ndarray of bool, shape (N,)
        Whether the response is the logarithm.
    level : ndarray, shape (N,)
        Typical value of each series, at which effects on a logarithm are shown.
    coef : ndarray, shape (p, N)
        Of the additive model.
    residual
        The residual step.
    gams
        Fits with what standard errors need; empty once loaded.
    sample : ndarray, shape (k, n_features)
        Rows of training over which effects are averaged.
    """

    site: str
    design: Design
    names: tuple[str, ...]
    log: NDArray[np.bool_]
    level: Floats
    coef: Floats
    residual: DirectRidge
    gams: tuple[PanelGam, ...] = ()
    sample: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def forecast(self, known: ForecastData, spec: FeatureSpec, horizon: pd.DatetimeIndex) -> Floats:
        """Forecast the series, shape (steps, N)."""
        past = known.times[-HISTORY_DAYS * spec.steps_per_day :]
        times = pd.DatetimeIndex(past.append(horizon))
        features = feature_matrix(known, self.site, spec, times)
        recent = min((PAST_DAYS + 1) * spec.steps_per_day, len(past))
        X = np.column_stack(list(features.values()))[-recent - len(horizon) :]
        additive = np.asarray(self.design.matrix(self.design.check(X)) @ self.coef)
        actuals = known.target[list(self.names)].to_numpy(np.float64)[-recent:]
        first = horizon[0] - pd.DateOffset(days=PAST_DAYS)
        ahead = additive[recent:] + self.residual.forecast(
            self._respond(actuals) - additive[:recent],
            day_grid(past[-recent:], spec.step, first),
            day_grid(horizon, spec.step, first),
        )
        return np.where(self.log, np.exp(np.where(self.log, ahead, 0.0)), ahead)

    def _respond(self, actuals: Floats) -> Floats:
        """Return the response of actuals; one without a logarithm counts as missing."""
        possible = np.where(self.log & ~(actuals > 0), np.nan, actuals)
        return np.where(self.log, np.log(np.where(self.log, possible, 1.0)), possible)

    def explain(self, name: str, spec: FeatureSpec) -> tuple[Effect | Surface, ...]:
        """Return the effects of a series."""
        k = self.names.index(name)
        return explain(
            self.gams[k], self.sample, spec, float(self.level[k]) if self.log[k] else None
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class GamRidgeModel:
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
            Where the past is shorter than 8 days, the horizon does not begin at midnight, a
            covariate is missing, the step is another one, or a series was not in training.
        """
        self._check(known, horizon)
        mean = np.full((len(horizon), len(known.series)), np.nan)
        column = {name: k for k, name in enumerate(known.series)}
        for name in self.constants.keys() & column.keys():
            mean[:, column[name]] = self.constants[name]
        for site in self.sites:
            chosen = [column[name] for name in site.names]
            mean[:, chosen] = site.forecast(known, self.spec, horizon)
        return Forecast(mean=mean)

    def _check(self, known: ForecastData, horizon: pd.DatetimeIndex) -> None:
        if known.step != self.spec.step:
            raise DataError(f"step {known.step}; the model was fitted at {self.spec.step}")
        trained = {name for site in self.sites for name in site.names}
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
        if horizon[0] != horizon[0].normalize():
            raise DataError(
                f"a horizon from {horizon[0]}; expected one from a midnight in {known.timezone}"
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
        site = next((site for site in self.sites if name in site.names), None)
        if site is None:
            reason = self.failures.get(name, "it was not in training")
            raise ModelError(f"series {name!r} has no effects: {reason}")
        return site.explain(name, self.spec)

    def save(self) -> Files:
        """Return the parameters as JSON and arrays, with the effects."""
        return files.encode(self)
