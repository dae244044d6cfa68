"""Small true templates for tests of the machinery around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from loopcast.api import (
    Files,
    FitContext,
    Forecast,
    ForecastData,
    Forecaster,
    Hyperparameters,
    LoopcastError,
    ModelError,
    fit_each,
)
from loopcast.api.formats import json_bytes, read_json


class Days(Hyperparameters, frozen=True):
    """How far to look back."""

    days: int = 7


class LastWeek:
    """Template: the values of some days before, by position."""

    name = "demo.last_week"
    task: Literal["forecast"] = "forecast"
    summary = "the values of some days before"
    hyperparameters = Days

    def fit(
        self, family: Mapping[str, ForecastData], hyperparameters: Days, context: FitContext
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        def fit_one(data: ForecastData) -> Forecaster:
            return LastWeekModel(days=hyperparameters.days)

        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        return LastWeekModel(days=read_json(files["model.json"]))


@dataclass(frozen=True)
class LastWeekModel:
    days: int
    failures: Mapping[str, str] = field(default_factory=dict)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        source = horizon - pd.Timedelta(days=self.days)
        row = np.clip(known.times.searchsorted(source, side="right") - 1, 0, None)
        return Forecast(mean=known.target.to_numpy()[row])

    def save(self) -> Files:
        return {"model.json": json_bytes(self.days)}


class Spy(LastWeek):
    """Template that fails if it is shown what it must not see."""

    name = "demo.spy"

    def fit(
        self, family: Mapping[str, ForecastData], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        for segment, data in family.items():
            assert all(len(c) == len(data.target) for c in data.covariates.values())
            yield segment, SpyModel(fitted_until=data.times[-1])


@dataclass(frozen=True)
class SpyModel:
    fitted_until: pd.Timestamp
    failures: Mapping[str, str] = field(default_factory=dict)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        assert known.times[-1] < horizon[0]
        assert self.fitted_until <= known.times[-1]
        for frame in known.covariates.values():
            assert frame.index[-1] == horizon[-1]
        return Forecast(mean=np.ones((len(horizon), len(known.series))))

    def save(self) -> Files:
        return {}


class Broken(LastWeek):
    """Template whose forecasts cannot be used."""

    name = "demo.broken"

    def __init__(self, value: float, columns: int = 0) -> None:
        self.value = value
        self.columns = columns

    def fit(
        self, family: Mapping[str, ForecastData], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        def fit_one(data: ForecastData) -> Forecaster:
            if self.value > 0:
                raise ModelError("nothing to learn")
            return BrokenModel(self.value, self.columns)

        return fit_each(family, fit_one)


@dataclass(frozen=True)
class BrokenModel:
    value: float
    columns: int
    failures: Mapping[str, str] = field(default_factory=dict)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        return Forecast(mean=np.full((len(horizon), self.columns or len(known.series)), self.value))

    def save(self) -> Files:
        return {}


@dataclass(frozen=True)
class PartialModel(LastWeekModel):
    """As :class:`LastWeekModel`, with NaN for a series that has no model."""

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        mean = super().predict(known, horizon).mean.copy()
        mean[:, [known.series.index(name) for name in self.failures]] = np.nan
        return Forecast(mean=mean)

    def save(self) -> Files:
        return {"model.json": json_bytes(self.days), "failures.json": json_bytes(self.failures)}


class Partial(LastWeek):
    """Template that cannot fit one of its series."""

    name = "demo.partial"

    def fit(
        self, family: Mapping[str, ForecastData], hyperparameters: Any, context: FitContext
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        def fit_one(data: ForecastData) -> Forecaster:
            return PartialModel(days=1, failures={"west": "too short"})

        return fit_each(family, fit_one)

    def load(self, files: Files) -> Forecaster:
        return PartialModel(
            days=read_json(files["model.json"]), failures=read_json(files["failures.json"])
        )
