"""The task *forecast*: what goes into a forecasting template and what comes out.

Series share sites (calendar and weather); covariates are known over the horizon; a forecaster
sees actuals up to an origin and gives a value for each step and series after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from loopcast.api.errors import DataError
from loopcast.api.schema import Site, Step

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from loopcast.api.template import Files


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastData:
    """A panel of series with what is known about their past and their horizon.

    Attributes
    ----------
    target : DataFrame, shape (time, series), float64 or float32
        Actuals in the schema's unit. The index is a regular, time-zone-aware ``DatetimeIndex``
        of interval starts in ``timezone``. A missing actual is NaN.
    covariates : mapping of str to DataFrame, shape (time, site), float64
        What is known ahead. Each index starts where the target's starts and may reach beyond
        its end, over the horizon.
    sites : mapping of str to Site
        Calendars of the columns of the covariates.
    site_of : mapping of str to str
        The site of each series.
    step : str
        Length of one interval: ``30min``, ``1h``, ``1D`` (a local day).
    horizon : str
        How far forecasts will be asked for, from a local midnight on.
    unit : str
        Unit of the target.

    Raises
    ------
    DataError
        Where the parts do not fit together.
    """

    target: pd.DataFrame
    covariates: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    sites: Mapping[str, Site]
    site_of: Mapping[str, str]
    step: Step
    timezone: str
    horizon: Step = "1D"
    unit: str = ""

    def __post_init__(self) -> None:
        index = self.target.index
        zone = getattr(index, "tz", None)
        if zone is None or str(zone) != self.timezone:
            raise DataError(f"the index of the target is in zone {zone}; expected {self.timezone}")
        for name in self.target.columns:
            if self.site_of.get(name) not in self.sites:
                raise DataError(f"series {name!r} has no site among {', '.join(self.sites)}")
        for name, frame in self.covariates.items():
            absent = [site for site in self.sites if site not in frame.columns]
            if absent:
                raise DataError(f"covariate {name!r} has no column for site {absent[0]!r}")
            if len(frame) and len(index) and frame.index[0] != index[0]:
                raise DataError(
                    f"covariate {name!r} begins at {frame.index[0]}; the target at {index[0]}"
                )

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series, in column order."""
        return tuple(map(str, self.target.columns))

    @property
    def times(self) -> pd.DatetimeIndex:
        """Interval starts of the actuals, in local time."""
        index: pd.DatetimeIndex = self.target.index  # type: ignore[assignment]
        return index

    def until(self, origin: pd.Timestamp, horizon_end: pd.Timestamp) -> ForecastData:
        """Return what is known at an origin: actuals before it, covariates before the end.

        The frames are slices that share memory with this panel.
        """
        return replace(
            self,
            target=self.target.iloc[: self.target.index.searchsorted(origin)],
            covariates={
                name: frame.iloc[: frame.index.searchsorted(horizon_end)]
                for name, frame in self.covariates.items()
            },
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecast:
    """What a forecaster says.

    Quantiles are not its business: the core calibrates them on the errors of the backtest, by
    lead time and after reconciliation, in the same way for every template.

    Attributes
    ----------
    mean : ndarray, shape (horizon, series), float64
        In the unit of the target. NaN in the whole column of a series that the forecaster lists
        in ``failures``; nowhere else.
    """

    mean: NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Effect:
    """What a model says about one input: the fitted smooth, or a factor's levels.

    Attributes
    ----------
    title, unit
        For people: ``temperature``, ``°C``.
    series
        The series it belongs to.
    x : ndarray, shape (n,)
        Grid of the input; positions of the levels of a factor.
    value, low, high : ndarray, shape (n,)
        Centred partial effect in the target's unit, with an interval of two standard errors.
    labels
        Names of the levels of a factor; empty for a number.
    by
        Level of another input that this curve is for, for example a day type.
    """

    title: str
    unit: str
    series: str
    x: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    labels: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface:
    """The fitted interaction of two inputs.

    Attributes
    ----------
    x, y : ndarray, shapes (n,) and (m,)
        Grids of the two inputs.
    value : ndarray, shape (m, n)
        Centred partial effect in the target's unit.
    """

    title: str
    x_title: str
    y_title: str
    series: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    value: NDArray[np.float64]


@runtime_checkable
class Forecaster(Protocol):
    """A fitted forecasting model.

    Attributes
    ----------
    failures
        Series of the panel that could not be fitted, with the reason. They are reported, and
        their forecasts are NaN; one bad series does not stop a panel of thousands.
    """

    @property
    def failures(self) -> Mapping[str, str]:
        """Return series without a model, with the reason."""
        ...

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        """Forecast the steps of ``horizon``.

        Parameters
        ----------
        known
            Actuals of every series it was fitted on up to the origin, the first step of
            ``horizon``, and covariates through its last step.
        horizon : DatetimeIndex, shape (steps,)
            Interval starts to forecast, regular, directly after the last actual.

        Returns
        -------
        Forecast
            With columns in the order of ``known.series``.
        """
        ...

    def save(self) -> Files:
        """Return the fitted state as files in formats that cannot run code."""
        ...


@runtime_checkable
class ExplainedForecaster(Forecaster, Protocol):
    """A forecaster that can show what it learned."""

    def effects(self, series: Sequence[str]) -> tuple[Effect | Surface, ...]:
        """Return the fitted effect of each input on each of ``series``."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastOutcome:
    """Forecasts and what came true, aligned; what a forecast metric is computed from.

    Attributes
    ----------
    actual, mean : ndarray, shape (n,)
    levels : ndarray, shape (q,)
    quantiles : ndarray, shape (n, q), float32 or float64
    """

    actual: NDArray[np.float64]
    mean: NDArray[np.float64]
    levels: NDArray[np.float64]
    quantiles: NDArray[np.float32] | NDArray[np.float64]
