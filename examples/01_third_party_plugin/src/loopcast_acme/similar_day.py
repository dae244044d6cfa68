"""Similar day: tomorrow looks like the past days whose weather and day type it shares.

Source: R. Weron (2006), Modeling and Forecasting Electricity Loads and Prices, section 3.4.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

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

TEMPERATURE = "temperature"


class SimilarDayParameters(Hyperparameters, frozen=True):
    """Hyperparameters; configuration knows their names, types, bounds and defaults from here.

    Attributes
    ----------
    neighbours
        How many of the most similar days are averaged.
    window
        How many days before the origin are searched.
    recency
        How many degrees of temperature a week of age counts for.
    day_types
        Flags among the covariates that tell day types apart, beside the weekend.
    """

    neighbours: Annotated[int, msgspec.Meta(ge=1)] = 5
    window: Annotated[int, msgspec.Meta(ge=7)] = 365
    recency: Annotated[float, msgspec.Meta(ge=0.0)] = 0.5
    day_types: tuple[str, ...] = ("working_day", "holiday")


class SimilarDay:
    """Template: the mean of the days that were most like the day to forecast."""

    name = "acme.similar_day"
    task: Literal["forecast"] = "forecast"
    summary = "mean of the recent days with the most similar temperature, of the same day type"
    hyperparameters = SimilarDayParameters

    def fit(
        self,
        family: Mapping[str, ForecastData],
        hyperparameters: SimilarDayParameters,
        context: FitContext,
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        """Check what the method needs; it estimates nothing."""

        def fit_one(data: ForecastData) -> Forecaster:
            if TEMPERATURE not in data.covariates:
                raise DataError(
                    f"template {self.name} needs the covariate {TEMPERATURE!r}; "
                    f"the data has: {', '.join(data.covariates) or 'none'}"
                )
            return SimilarDayModel(hyperparameters)

        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        """Rebuild a model from its file."""
        return SimilarDayModel(msgspec.json.decode(files["model.json"], type=SimilarDayParameters))


@dataclass(frozen=True)
class SimilarDayModel:
    """The method with its hyperparameters; the days to choose from come with each forecast."""

    hyperparameters: SimilarDayParameters
    failures: Mapping[str, str] = field(default_factory=dict, init=False)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        """Average the most similar days, time of day by time of day.

        Raises
        ------
        DataError
            Where a series has no complete day in the window.
        """
        import numpy as np

        mean = np.empty((len(horizon), len(known.series)))
        for column, series in enumerate(known.series):
            features = self._features(known, known.site_of[series])
            profiles = self._profiles(known.target[series], _clock(horizon).unique())
            if profiles.empty:
                raise DataError(
                    f"series {series!r} has no complete day in the {self.hyperparameters.window} "
                    f"days before {horizon[0]}"
                )
            for day in _dates(horizon).unique():
                steps = _dates(horizon) == day
                similar = self._similar(features, day, profiles.index)
                profile = profiles.loc[similar].mean()
                mean[steps, column] = profile.reindex(_clock(horizon[steps])).to_numpy()
        return Forecast(mean=mean)

    def _features(self, known: ForecastData, site: str) -> pd.DataFrame:
        """Mean temperature and day type of each local day, in the past and in the horizon."""
        import pandas as pd

        flags = [name for name in self.hyperparameters.day_types if name in known.covariates]
        frame = pd.DataFrame({name: known.covariates[name][site] for name in (TEMPERATURE, *flags)})
        days = frame.groupby(_dates(pd.DatetimeIndex(frame.index))).mean()
        types = days[flags].round().assign(weekend=pd.DatetimeIndex(days.index).day_of_week >= 5)
        return pd.DataFrame({TEMPERATURE: days[TEMPERATURE], "type": types.apply(tuple, axis=1)})

    def _profiles(self, actuals: pd.Series[float], clock: pd.Index[int]) -> pd.DataFrame:
        """Complete days of the window: a row for each day, a column for each time of ``clock``.

        The day on which clocks go forward lacks an hour and is left out; where they go back,
        the hour that comes twice is averaged.
        """
        import pandas as pd

        index = pd.DatetimeIndex(actuals.index)
        profiles = actuals.groupby([_dates(index), _clock(index)]).mean().unstack()
        return profiles.reindex(columns=clock).dropna().tail(self.hyperparameters.window)

    def _similar(
        self, features: pd.DataFrame, day: pd.Timestamp, past: pd.Index[pd.Timestamp]
    ) -> pd.DatetimeIndex:
        """The nearest past days of the day's type; of any type if there is none."""
        import pandas as pd

        known = features.loc[past]
        same = known[known["type"] == features.at[day, "type"]]
        candidates = known if same.empty else same
        weeks = (day - pd.DatetimeIndex(candidates.index)).days / 7
        warmer = candidates[TEMPERATURE] - features[TEMPERATURE].loc[day]
        distance = warmer.abs() + self.hyperparameters.recency * weeks
        nearest = distance.nsmallest(self.hyperparameters.neighbours, keep="last")
        return pd.DatetimeIndex(nearest.index)

    def save(self) -> Files:
        """Return the hyperparameters: they are all there is."""
        return {"model.json": msgspec.json.encode(self.hyperparameters)}


def _dates(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return index.tz_localize(None).normalize()


def _clock(index: pd.DatetimeIndex) -> pd.Index[int]:
    """Minutes since midnight on the wall clock."""
    return index.hour * 60 + index.minute
