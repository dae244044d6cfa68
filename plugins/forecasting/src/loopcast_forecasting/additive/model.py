"""The fitted hybrid: forecasts, effects, files.

With ``g`` the logarithm or the identity, ``f`` the additive model of calendar and weather and
``r̂`` the forecast of its residuals from the origin,

    ŷ_{t+h} = g⁻¹( f(x_{t+h}) + r̂_{t+h|t} ),    r_s = g(y_s) - f(x_s) for s ≤ t.

A forecast looks at the same length of the past whatever is given: the last 33 days, over which
smoothed temperatures forget their start, and the residuals of as many last days as the residual
step asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from loopcast.api import (
    DataError,
    DeviceCall,
    Effect,
    Files,
    Forecast,
    ForecastData,
    ModelError,
    Portable,
    Surface,
)
from loopcast_forecasting.additive import effects, files
from loopcast_forecasting.additive.files import Arrays
from loopcast_forecasting.additive.series import AdditiveSeries
from loopcast_forecasting.additive.step import Recent, ResidualStep
from loopcast_forecasting.features import FeatureSpec, feature_matrix
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import PanelGam
from loopcast_forecasting.gam.design import Design

EXPLAINED = 24  # series whose effects are saved with a model
HISTORY_DAYS = 33
LEAST_DAYS = 8
AnyStep = ResidualStep[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class HybridSite:
    """Models of the series of a site, which share a design.

    Attributes
    ----------
    site
        Its name.
    design
        Columns of the additive model.
    series
        The additive part of its N series.
    residual
        The residual step.
    gam
        The fits with what standard errors need; none once loaded.
    sample : ndarray, shape (k, n_features)
        Rows of training over which effects are averaged.
    """

    site: str
    design: Design
    series: AdditiveSeries
    residual: AnyStep
    gam: PanelGam | None = None
    sample: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def additive(self, X: Floats) -> Floats:
        """Return the additive part of each series, shape (n, N)."""
        return np.asarray(self.design.matrix(self.design.check(X)) @ self.series.coef)

    def forecast(self, known: ForecastData, spec: FeatureSpec, horizon: pd.DatetimeIndex) -> Floats:
        """Forecast the series, shape (steps, N)."""
        given, additive = self.at_origin(known, spec, horizon)
        ahead = self.residual.forecast(given, horizon)
        return self.series.invert(additive[-len(horizon) :] + ahead)

    def at_origin(
        self, known: ForecastData, spec: FeatureSpec, horizon: pd.DatetimeIndex
    ) -> tuple[Recent, Floats]:
        """Return what is known at the origin of a horizon, and the additive part.

        Returns
        -------
        Recent
            With the residuals that the residual step asks for.
        ndarray, shape (n + steps, N)
            At the times of these n residuals and of the horizon.
        """
        past = known.times[-HISTORY_DAYS * spec.steps_per_day :]
        times = pd.DatetimeIndex(past.append(horizon))
        X = np.column_stack(list(feature_matrix(known, self.site, spec, times).values()))
        recent = min(self.residual.past_days * spec.steps_per_day, len(past))
        additive = self.additive(X[-recent - len(horizon) :])
        actuals = known.target.iloc[-recent:][list(self.series.names)].to_numpy(np.float64)
        residuals = self.series.respond(actuals) - additive[:recent]
        return Recent(residuals=residuals, times=past, X=X, step=spec.step), additive

    def explain(self, name: str, spec: FeatureSpec) -> tuple[Effect | Surface, ...]:
        """Return the effects of a series; none once loaded."""
        if self.gam is None:
            return ()
        k = self.series.names.index(name)
        level = float(self.series.level[k]) if self.series.log[k] else None
        return effects.explain(self.gam.only([k]), self.sample, spec, level)


@dataclass(frozen=True, eq=False, kw_only=True)
class HybridModel:
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
    step
        The kind of its residual steps.
    explained
        Effects by series, where they were loaded.
    """

    spec: FeatureSpec
    sites: tuple[HybridSite, ...]
    constants: Mapping[str, float]
    failures: Mapping[str, str]
    step: type[AnyStep]
    explained: Mapping[str, tuple[Effect | Surface, ...]] = field(default_factory=dict)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        """Forecast every series.

        Raises
        ------
        DataError
            Where the past is shorter than 8 days, the horizon does not begin at midnight and
            the residual step needs it, a covariate is missing, the step is another one, or a
            series was not in training.
        """
        self._check(known, horizon)
        mean = np.full((len(horizon), len(known.series)), np.nan)
        column = {name: k for k, name in enumerate(known.series)}
        for name in self.constants.keys() & column.keys():
            mean[:, column[name]] = self.constants[name]
        for site in self.sites:
            chosen = [column[name] for name in site.series.names]
            mean[:, chosen] = site.forecast(known, self.spec, horizon)
        return Forecast(mean=mean)

    def _check(self, known: ForecastData, horizon: pd.DatetimeIndex) -> None:
        if known.step != self.spec.step:
            raise DataError(f"step {known.step}; the model was fitted at {self.spec.step}")
        trained = {name for site in self.sites for name in site.series.names}
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
        if self.step.from_midnight and horizon[0] != horizon[0].normalize():
            raise DataError(
                f"a horizon from {horizon[0]}; expected one from a midnight in {known.timezone}"
            )

    def to_graph(self, known: ForecastData, series: str) -> Portable:
        """Return the model of a series as a graph; see :class:`loopcast.api.PortableForecaster`."""
        from loopcast_forecasting.portable.model import portable

        return portable(self, known, series)

    def device_call(
        self, known: ForecastData, horizon: pd.DatetimeIndex, series: str
    ) -> DeviceCall:
        """Return what a device has at an origin; see :class:`loopcast.api.PortableForecaster`."""
        from loopcast_forecasting.portable.model import device_call

        return device_call(self, known, horizon, series)

    def effects(self, series: Sequence[str]) -> tuple[Effect | Surface, ...]:
        """Return what the additive part learned of each input.

        A loaded model has the effects of its largest series only.

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
        site = next((site for site in self.sites if name in site.series.names), None)
        if site is None:
            reason = self.failures.get(name, "it was not in training")
            raise ModelError(f"series {name!r} has no effects: {reason}")
        return site.explain(name, self.spec)

    def _largest(self, count: int) -> list[str]:
        """Return the names of the series with the highest level, in the order of the model."""
        names = [name for site in self.sites for name in site.series.names]
        levels = [abs(level) for site in self.sites for level in site.series.level.tolist()]
        largest = sorted(range(len(names)), key=lambda k: -levels[k])[:count]
        return [names[k] for k in sorted(largest)]

    def save(self) -> Files:
        """Return the parameters as JSON and arrays, with the effects of the largest series."""
        arrays: Arrays = {}
        explained = self.effects(self._largest(EXPLAINED))
        text = {
            "spec": asdict(self.spec),
            "constants": dict(self.constants),
            "failures": dict(self.failures),
            "sites": [
                {"site": each.site, "design": each.design.to_dict()}
                | each.residual.encode(each.series, k, arrays)
                for k, each in enumerate(self.sites)
            ],
            "effects": [files.encode_effect(e, k, arrays) for k, e in enumerate(explained)],
        }
        return files.pack(text, arrays)


def load_model(saved: Files, step: type[AnyStep], template: str) -> HybridModel:
    """Rebuild a model from its files.

    Raises
    ------
    ModelError
        Where a file is absent, or of another format.
    """
    text, arrays = files.unpack(saved, template)
    explained: dict[str, tuple[Effect | Surface, ...]] = {}
    for k, values in enumerate(text["effects"]):
        effect = files.decode_effect(values, k, arrays)
        explained[effect.series] = (*explained.get(effect.series, ()), effect)
    return HybridModel(
        spec=files.decode_spec(text["spec"]),
        sites=tuple(_load_site(site, k, arrays, step) for k, site in enumerate(text["sites"])),
        constants=text["constants"],
        failures=text["failures"],
        step=step,
        explained=explained,
    )


def _load_site(
    values: dict[str, Any], position: int, arrays: Arrays, step: type[AnyStep]
) -> HybridSite:
    series, residual = step.decode(values, position, arrays)
    design = Design.from_dict(values["design"])
    return HybridSite(site=values["site"], design=design, series=series, residual=residual)
