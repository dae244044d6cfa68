"""Regressors of the series of a site: harmonics of the day and the week, and covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from loopcast.api import ForecastData, step_minutes
from loopcast_forecasting.features.clock import Floats, local_clock
from loopcast_forecasting.features.site import complete_covariate
from loopcast_forecasting.univariate.hyperparameters import SarimaxParameters


@dataclass(frozen=True, eq=False, kw_only=True)
class Regressors:
    """What the k regressors of a site are.

    Attributes
    ----------
    daily, weekly
        Numbers of pairs of sine and cosine.
    covariates
        Their names.
    squared
        Names of the covariates whose squares are regressors too.
    centre, spread : ndarray, shape (k,)
        By which regressors are shifted and scaled; the spread of one that never changed in
        training is infinite, which leaves it out.
    """

    daily: int
    weekly: int
    covariates: tuple[str, ...]
    squared: tuple[str, ...]
    centre: Floats
    spread: Floats

    @classmethod
    def of_training(
        cls, data: ForecastData, site: str, times: pd.DatetimeIndex, settings: SarimaxParameters
    ) -> Self:
        """Decide what the regressors are, from the times that a model is fitted on.

        Raises
        ------
        DataError
            Where a covariate is missing.
        """
        per_day = 1440 // step_minutes(data.step)
        names = tuple(data.covariates) if settings.covariates else ()
        flags = {n for n in names if np.isin(data.covariates[n].to_numpy(), (0.0, 1.0)).all()}
        unscaled = cls(
            daily=min(settings.daily_harmonics, (per_day - 1) // 2),
            # From the seventh on they are those of the day.
            weekly=min(settings.weekly_harmonics, 6 if per_day > 1 else 3),
            covariates=names,
            squared=tuple(name for name in names if name not in flags),
            centre=np.zeros(1),
            spread=np.ones(1),
        )
        raw = unscaled.matrix(data, site, times)
        changes = np.ptp(raw, axis=0) > 0
        return cls(
            daily=unscaled.daily,
            weekly=unscaled.weekly,
            covariates=unscaled.covariates,
            squared=unscaled.squared,
            centre=raw.mean(axis=0),
            spread=np.where(changes, raw.std(axis=0), np.inf),
        )

    def matrix(self, data: ForecastData, site: str, times: pd.DatetimeIndex) -> Floats:
        """Return the regressors at some times, shape (n, k).

        Raises
        ------
        DataError
            Where a covariate is missing.
        """
        step = pd.Timedelta(minutes=step_minutes(data.step))
        clock = local_clock(times, data.sites[site].timezone, step)
        day = clock.hour / 24
        week = (clock.date.astype(int) + 3) % 7 + day  # 1970-01-01 was a Thursday
        values = {name: complete_covariate(data, name, site, times) for name in self.covariates}
        columns = [*_harmonics(day, self.daily), *_harmonics(week / 7, self.weekly)]
        columns += [*values.values(), *(values[name] ** 2 for name in self.squared)]
        raw = np.column_stack(columns) if columns else np.empty((len(times), 0))
        return np.asarray((raw - self.centre) / self.spread) if columns else raw


def _harmonics(turns: Floats, count: int) -> list[Floats]:
    angles = [2 * np.pi * k * turns for k in range(1, count + 1)]
    return [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
