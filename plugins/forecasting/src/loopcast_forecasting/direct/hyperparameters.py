"""Hyperparameters of the additive model with direct ridge; light to import."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Hyperparameters

Hours = Annotated[float, msgspec.Meta(gt=0, le=96)]
Lags = Annotated[int, msgspec.Meta(ge=1, le=7)]
Folds = Annotated[int, msgspec.Meta(ge=2, le=12)]
Cosines = Annotated[int, msgspec.Meta(ge=1, le=288)]
Weeks = Annotated[int, msgspec.Meta(ge=3, le=520)]


class GamRidgeParameters(Hyperparameters, frozen=True):
    """Hyperparameters of the additive model with direct ridge on its residuals.

    Attributes
    ----------
    response
        ``log`` makes effects proportional; a series with a zero or negative actual in training
        is modelled as it is. ``identity`` models every series as it is.
    interactions
        Products of temperature with time of day and with time of year, and of each smoothed
        temperature with time of day.
    smoothed_hours
        Time constants of smoothed temperatures, for thermal inertia; those shorter than a step
        are left out.
    trend
        A linear trend by time of day: ``auto`` where training spans 1.5 years or more.
    seasonal_days
        Days before the forecast day from whose residuals its own are predicted.
    season_weeks
        How many last weeks the ridge is estimated on.
    folds
        Parts of training that are left out in turn for residuals to learn from.
    cosines
        How much of the shape of a day's residuals counts: the first so many cosines of the day.
        Cosines as many as a day has steps leave nothing out.
    """

    response: Literal["log", "identity"] = "log"
    interactions: bool = True
    smoothed_hours: tuple[Hours, ...] = (6.0, 24.0, 50.0)
    trend: Literal["auto", "on", "off"] = "auto"
    seasonal_days: Annotated[tuple[Lags, ...], msgspec.Meta(min_length=1)] = (1, 2, 7)
    season_weeks: Weeks = 156
    folds: Folds = 5
    cosines: Cosines = 16
