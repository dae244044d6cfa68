"""What the additive model learned, as curves and surfaces that people can read.

The effect of an input is averaged over what else the model looks at: partial dependence
(Friedman 2001, Annals of Statistics 29, section 8.2), over a sample of training rows. For an
additive model this is a linear function of the coefficients, so its standard error is exact
given λ. On the logarithm, effects are shown at the typical level of the series, in its unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from loopcast.api import Effect, Surface
from loopcast_forecasting.additive.terms import smoothed_names
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.features.site import CHRISTMAS, DAYS, TEMPERATURE, FeatureSpec
from loopcast_forecasting.gam import PanelGam
from loopcast_forecasting.gam.design import Smooth
from loopcast_forecasting.gam.factor import Factor

POINTS = 49
TAIL = 0.005  # of the sample at each end is not drawn
SURFACE_POINTS = 25
SURFACE_ROWS = 32

DAY_TITLES = {**{day: day.title() for day in DAYS}, "sunday": "Sunday, holiday"}
DAY_FLAGS = {
    "holiday": "holiday, against a Sunday",
    "day_before_holiday": "day before a holiday",
    "day_after_holiday": "day after a holiday",
    "year_end_workday": "working day between Christmas and New Year",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Explainer:
    """Averages over a sample of rows.

    Attributes
    ----------
    gam
        The fit of one series.
    sample : ndarray, shape (k, n_features)
    level : float, optional
        Typical value of the series, where the response is its logarithm.
    """

    gam: PanelGam
    sample: Floats
    level: float | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.gam.design.feature_names

    @cached_property
    def factor(self) -> Factor:
        """The factorised normal equations."""
        return self.gam.factor(0)

    def smooths(self, wanted: Set[str]) -> list[tuple[Smooth, slice]]:
        """Return the terms that involve one of some features."""
        return [
            (smooth, where)
            for smooth, where in self.gam.design.slices()
            if wanted & self._involved(smooth)
        ]

    def _involved(self, smooth: Smooth) -> set[str]:
        columns = [marginal.feature for marginal in smooth.marginals]
        return {self.names[k] for k in (*columns, *smooth.by_features)}

    def contrasts(
        self, settings: Mapping[str, Floats], wanted: Set[str], rows: int | None = None
    ) -> Floats:
        """Return the mean columns of the terms that involve ``wanted``, at each setting.

        Parameters
        ----------
        settings : mapping of str to ndarray, shape (g,)
            Values of features, together, that replace those of the sample.

        Returns
        -------
        ndarray, shape (g, p)
        """
        sample = self.sample[:: max(1, len(self.sample) // (rows or len(self.sample)))]
        size = len(next(iter(settings.values())))
        X = np.tile(sample, (size, 1))
        for name, values in settings.items():
            X[:, self.names.index(name)] = np.repeat(values, len(sample))
        columns = np.zeros((size, self.gam.design.n_coefs))
        place = np.repeat(np.arange(size), len(sample))
        for smooth, where in self.smooths(wanted):
            found = smooth.evaluate(X)
            flat = place[:, None] * smooth.n_coefs + found.columns
            total = np.bincount(
                flat.ravel(), weights=found.values.ravel(), minlength=size * smooth.n_coefs
            )
            columns[:, where] = total.reshape(size, -1) / len(sample)
        return columns

    def evaluate(self, columns: Floats) -> tuple[Floats, Floats, Floats]:
        """Return value, low and high of linear functions of the coefficients."""
        value = columns @ self.gam.coef[:, 0]
        expanded = columns @ self.factor.system.expand
        half = linalg.solve_triangular(self.factor.cholesky, expanded.T, lower=True)
        error = self.gam.scale[0] * np.sqrt((half**2).sum(axis=0))
        return self.in_unit(value), self.in_unit(value - 2 * error), self.in_unit(value + 2 * error)

    def in_unit(self, value: Floats) -> Floats:
        """Return an effect on the response in the unit of the series."""
        return value if self.level is None else self.level * np.expm1(value)

    def grid(self, name: str, size: int) -> Floats:
        """Return evenly spaced values of a feature where there are data."""
        values = self.sample[:, self.names.index(name)]
        low, high = np.quantile(values, [TAIL, 1 - TAIL])
        return np.linspace(low, high, size)


def explain(
    gam: PanelGam, sample: Floats, spec: FeatureSpec, level: float | None
) -> tuple[Effect | Surface, ...]:
    """Return the effects of the inputs of a series.

    Parameters
    ----------
    gam : PanelGam
        The fit of one series.
    sample : ndarray, shape (k, n_features)
        Rows of training.
    spec : FeatureSpec
    level : float, optional
        Typical value of the series, where the response is its logarithm.
    """
    explainer = Explainer(gam=gam, sample=sample, level=level)
    return (
        *_time_of_day(explainer),
        *_curve(explainer, "day_of_year", "day of year", "day", scale=366.0),
        *_weather(explainer, spec),
        *_special_days(explainer, spec),
        *_curve(explainer, "years", "trend, years to the end of training", "year"),
        *(effect for name in spec.numbers for effect in _curve(explainer, name, _words(name), "")),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _time_of_day(explainer: Explainer) -> Iterator[Effect]:
    """Yield a curve for each day type, centred together so that levels can be compared."""
    if not explainer.smooths({"hour"}):
        yield from _day_types(explainer)
        return
    hours = np.linspace(0, 24, POINTS)
    days = [day for day in DAYS if explainer.smooths({day})]
    columns = [explainer.contrasts(_on(day, hours), {"hour", *DAYS}) for day in days]
    centre = np.mean(columns, axis=(0, 1))
    for day, of_day in zip(days, columns, strict=True):
        value, low, high = explainer.evaluate(of_day - centre)
        yield Effect(
            title="time of day",
            unit="h",
            series=explainer.gam.series[0],
            x=hours,
            value=value,
            low=low,
            high=high,
            by=DAY_TITLES[day],
        )


def _on(day: str, hours: Floats) -> dict[str, Floats]:
    """Return settings of the hours of a day type that is no holiday."""
    types = {name: np.full(len(hours), float(name == day)) for name in DAYS}
    weekend = np.full(len(hours), float(day in DAYS[5:]))
    return {"hour": hours, **types, "weekend": weekend, "holiday": np.zeros(len(hours))}


def _day_types(explainer: Explainer) -> Iterator[Effect]:
    days = [day for day in DAYS if explainer.smooths({day})]
    if days:
        columns = np.vstack([explainer.contrasts(_on(day, np.zeros(1)), {*DAYS}) for day in days])
        labels = tuple(DAY_TITLES[day] for day in days)
        yield _levels(explainer, "day of the week", labels, columns - columns.mean(axis=0))


def _levels(explainer: Explainer, title: str, labels: tuple[str, ...], columns: Floats) -> Effect:
    value, low, high = explainer.evaluate(columns)
    return Effect(
        title=title,
        unit="",
        series=explainer.gam.series[0],
        x=np.arange(len(labels), dtype=np.float64),
        value=value,
        low=low,
        high=high,
        labels=labels,
    )


def _curve(
    explainer: Explainer, name: str, title: str, unit: str, scale: float = 1.0
) -> Iterator[Effect]:
    """Yield the curve of a number, centred over the sample, if the model has a term of it."""
    if not explainer.smooths({name}):
        return
    grid = explainer.grid(name, POINTS)
    columns = explainer.contrasts({name: grid}, {name})
    value, low, high = explainer.evaluate(columns - _mean_columns(explainer, name, grid, columns))
    yield Effect(
        title=title,
        unit=unit,
        series=explainer.gam.series[0],
        x=grid * scale,
        value=value,
        low=low,
        high=high,
    )


def _mean_columns(explainer: Explainer, name: str, grid: Floats, columns: Floats) -> Floats:
    """Average the columns over the sample's values of a feature, each counted at its next point."""
    values = explainer.sample[:, explainer.names.index(name)]
    nearest = np.abs(values[:, None] - grid).argmin(axis=1)
    return np.asarray(columns[nearest].mean(axis=0))


def _weather(explainer: Explainer, spec: FeatureSpec) -> Iterator[Effect | Surface]:
    yield from _curve(explainer, TEMPERATURE, "temperature", "°C")
    yield from _temperature_by_hour(explainer)
    for name, hours in zip(smoothed_names(spec), spec.smoothed_hours, strict=True):
        title = f"temperature, smoothed over {hours:g} h"
        yield from _curve(explainer, name, title, "°C")
    yield from _curve(explainer, "previous_day_minimum", "minimum of the day before", "°C")
    yield from _curve(explainer, "previous_day_maximum", "maximum of the day before", "°C")


def _temperature_by_hour(explainer: Explainer) -> Iterator[Surface]:
    """Yield the effect of temperature at each time of day."""
    both = [s for s, _ in explainer.smooths({TEMPERATURE}) if s in _of(explainer, "hour")]
    if not both:
        return
    temperatures = explainer.grid(TEMPERATURE, SURFACE_POINTS)
    hours = np.linspace(0, 24, SURFACE_POINTS)
    mesh_hours, mesh_temperatures = (m.ravel() for m in np.meshgrid(hours, temperatures))
    columns = explainer.contrasts(
        {TEMPERATURE: mesh_temperatures, "hour": mesh_hours}, {TEMPERATURE}, SURFACE_ROWS
    )
    response = (columns @ explainer.gam.coef[:, 0]).reshape(SURFACE_POINTS, SURFACE_POINTS)
    yield Surface(
        title="temperature by time of day",
        x_title="time of day",
        y_title="temperature",
        series=explainer.gam.series[0],
        x=hours,
        y=temperatures,
        value=explainer.in_unit(response - response.mean(axis=0)),
    )


def _of(explainer: Explainer, name: str) -> list[Smooth]:
    return [smooth for smooth, _ in explainer.smooths({name})]


def _special_days(explainer: Explainer, spec: FeatureSpec) -> Iterator[Effect]:
    flags = DAY_FLAGS | {name: _words(name) for name in spec.flags}
    present = [name for name in flags if explainer.smooths({name})]
    if present:
        columns = np.vstack([explainer.contrasts({name: np.ones(1)}, {name}) for name in present])
        labels = tuple(flags[name] for name in present)
        yield _levels(explainer, "special days", labels, columns)
    if explainer.smooths({"christmas"}):
        days = np.arange(CHRISTMAS[0], CHRISTMAS[1] + 1.0)
        settings = {"days_from_christmas": days, "christmas": np.ones(len(days))}
        value, low, high = explainer.evaluate(explainer.contrasts(settings, {"christmas"}))
        yield Effect(
            title="days from Christmas",
            unit="day",
            series=explainer.gam.series[0],
            x=days,
            value=value,
            low=low,
            high=high,
        )
