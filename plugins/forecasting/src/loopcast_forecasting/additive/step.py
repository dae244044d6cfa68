"""What a model of the residuals offers, so that the additive model can be corrected by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

import pandas as pd

from loopcast_forecasting.additive.files import Arrays
from loopcast_forecasting.additive.hyperparameters import AdditiveParameters
from loopcast_forecasting.additive.series import AdditiveSeries
from loopcast_forecasting.additive.site import AdditiveSite
from loopcast_forecasting.features.clock import Floats

if TYPE_CHECKING:
    from loopcast_forecasting.portable.memory import Memory

Settings_contra = TypeVar("Settings_contra", bound=AdditiveParameters, contravariant=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class Recent:
    """What is known at an origin.

    Attributes
    ----------
    residuals : ndarray, shape (n, N), float64
        Of the last n times; NaN where one is missing.
    times : DatetimeIndex, shape (m,)
        The last times before the horizon, n or more.
    X : ndarray, shape (m + steps, n_features), float64
        Features of these times and of the horizon.
    step
        Length of an interval.
    """

    residuals: Floats
    times: pd.DatetimeIndex
    X: Floats
    step: str

    @property
    def past(self) -> pd.DatetimeIndex:
        """The times of the residuals."""
        return self.times[-len(self.residuals) :]

    def with_residuals(self, residuals: Floats) -> Recent:
        """Return the same with other residuals."""
        return replace(self, residuals=residuals)


class ResidualStep(Protocol[Settings_contra]):
    """A fitted model of the residuals of a site's series.

    Attributes
    ----------
    past_days
        Of residuals that a forecast looks at.
    from_midnight
        Whether a horizon has to begin at midnight.
    """

    past_days: ClassVar[int]
    from_midnight: ClassVar[bool]

    @classmethod
    def fit(cls, additive: AdditiveSite, settings: Settings_contra) -> tuple[Self, dict[str, str]]:
        """Fit the step, and tell why it could not be fitted for some series; it lacks those."""

    def forecast(self, recent: Recent, horizon: pd.DatetimeIndex) -> Floats:
        """Forecast the residuals of a horizon, shape (steps, N), float64."""

    def memory(self, series: int, per_day: int) -> Memory:
        """Return the step of one series as a device carries it on.

        Raises
        ------
        ModelError
            Where it has no such form.
        """

    def encode(self, series: AdditiveSeries, site: int, arrays: Arrays) -> dict[str, Any]:
        """Return the series and their step as values for JSON, with the arrays set aside.

        Parameters
        ----------
        series
            The additive part.
        site : int
            Number of the site, for the names of the arrays.
        arrays : dict
            Where the arrays are added.
        """

    @classmethod
    def decode(
        cls, values: dict[str, Any], site: int, arrays: Arrays
    ) -> tuple[AdditiveSeries, Self]:
        """Rebuild what `encode` returned."""
