"""Seasonal naive: the same time of the last season.

Source: R. J. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd edition,
section 5.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

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
from loopcast.api.formats import json_bytes, read_json

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


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
            silent = data.target.columns[data.target.isna().all()]
            failures = {str(name): f"all {len(data.target)} actuals are missing" for name in silent}
            return SeasonalNaiveModel(days=days, failures=failures)

        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its file."""
        return SeasonalNaiveModel(**read_json(files["model.json"]))


@dataclass(frozen=True)
class SeasonalNaiveModel:
    """The rule with its season.

    Attributes
    ----------
    days
        Length of the season in local calendar days.
    failures
        Series without any actual.
    """

    days: int
    failures: Mapping[str, str] = field(default_factory=dict)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        """Look each step up one season back, or as many as it takes to a known actual.

        Seasons are counted on the wall clock. A time that a clock change skipped takes the
        step after it. Where no season has an actual (a meter that is two days old has no Friday),
        the last actual stands in; a series without any has none.

        Raises
        ------
        DataError
            Where the past is shorter than a season.
        """
        import numpy as np

        past = known.target
        row = self._rows(past.index, horizon, 1)
        if row.min() < 0:
            raise DataError(
                f"the past begins at {past.index[0]}, less than a season of {self.days} days "
                f"before {horizon[0]}"
            )
        values = past.to_numpy()
        mean = values[row].astype(np.float64)
        gappy = np.flatnonzero(np.isnan(mean).any(axis=0))
        seasons = 1
        while len(gappy):
            seasons += 1
            row = self._rows(past.index, horizon, seasons)
            if row.min() < 0:
                break
            mean[:, gappy] = np.where(
                np.isnan(mean[:, gappy]), values[row][:, gappy], mean[:, gappy]
            )
            gappy = gappy[np.isnan(mean[:, gappy]).any(axis=0)]
        if len(gappy):
            last = past.iloc[:, gappy].ffill().iloc[-1].to_numpy(np.float64)
            mean[:, gappy] = np.where(np.isnan(mean[:, gappy]), last, mean[:, gappy])
        return Forecast(mean=mean)

    def _rows(
        self, past: pd.Index[Any], horizon: pd.DatetimeIndex, seasons: int
    ) -> NDArray[np.intp]:
        """Return the row so many seasons before each step; negative where the past is shorter."""
        import numpy as np
        import pandas as pd

        clock = horizon.tz_localize(None)
        ahead = (clock.normalize() - horizon[0].tz_localize(None).normalize()).days.to_numpy()
        back = pd.to_timedelta((ahead // self.days + seasons) * self.days, unit="D")
        source = (clock - back).tz_localize(
            horizon.tz, ambiguous=np.ones(len(horizon), bool), nonexistent="shift_forward"
        )
        return np.asarray(past.searchsorted(source, side="right") - 1, dtype=np.intp)

    def save(self) -> Files:
        """Return the season, and the series without a model."""
        return {"model.json": json_bytes({"days": self.days, "failures": dict(self.failures)})}
