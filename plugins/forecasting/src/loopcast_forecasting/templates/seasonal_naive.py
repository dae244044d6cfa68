"""Seasonal naive: the same time of the last season.

Source: R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition,
section 5.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

from loopcast.api import (
    DataError,
    Files,
    FitContext,
    Forecast,
    ForecastData,
    Forecaster,
    Hyperparameters,
    LoopcastError,
    fit_each,
)

if TYPE_CHECKING:
    import pandas as pd


class SeasonalNaiveParameters(Hyperparameters, frozen=True):
    """Hyperparameters of the seasonal naive forecast.

    Attributes
    ----------
    season
        Whole days after which the pattern repeats: ``1D`` or ``7D``.
    """

    season: Literal["1D", "7D"] = "7D"


class SeasonalNaive:
    """Template: the same local time of the last day or week that is known."""

    name = "forecasting.seasonal_naive"
    task: Literal["forecast"] = "forecast"
    summary = "the same time of the day or week before"
    hyperparameters = SeasonalNaiveParameters

    def fit(
        self,
        family: Mapping[str, ForecastData],
        hyperparameters: SeasonalNaiveParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        """Return the model of each segment; there is nothing to estimate."""
        days = int(hyperparameters.season.removesuffix("D"))

        def fit_one(data: ForecastData) -> Forecaster:
            return SeasonalNaiveModel(days=days)

        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its file."""
        return SeasonalNaiveModel(**msgspec.json.decode(files["model.json"], type=dict[str, int]))


@dataclass(frozen=True)
class SeasonalNaiveModel:
    """The rule with its season.

    Attributes
    ----------
    days
        Length of the season in local calendar days.
    """

    days: int
    failures: Mapping[str, str] = field(default_factory=dict, init=False)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        """Look each step up one season back, or as many as it takes to be in the past.

        Seasons are counted on the wall clock. A time that a clock change skipped takes the
        step after it.

        Raises
        ------
        DataError
            Where the past is shorter than a season.
        """
        import numpy as np
        import pandas as pd

        past = known.target
        origin = horizon[0]
        clock = horizon.tz_localize(None)
        ahead = (clock.normalize() - origin.tz_localize(None).normalize()).days.to_numpy()
        back = pd.to_timedelta((ahead // self.days + 1) * self.days, unit="D")
        source = (clock - back).tz_localize(
            horizon.tz, ambiguous=np.ones(len(horizon), bool), nonexistent="shift_forward"
        )
        row = past.index.searchsorted(source, side="right") - 1
        if row.min() < 0:
            raise DataError(
                f"the past begins at {past.index[0]}, less than a season of {self.days} days "
                f"before {origin}"
            )
        return Forecast(mean=past.to_numpy(np.float64)[row])

    def save(self) -> Files:
        """Return the season."""
        return {"model.json": msgspec.json.encode({"days": self.days})}
