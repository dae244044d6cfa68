"""Hyperparameters of the additive model and of its residual steps; light to import."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Hyperparameters

Hours = Annotated[float, msgspec.Meta(gt=0, le=96)]
Lags = Annotated[int, msgspec.Meta(ge=1, le=7)]
Steps = Annotated[int, msgspec.Meta(ge=1, le=48)]
Count = Annotated[int, msgspec.Meta(ge=0, le=12)]
Folds = Annotated[int, msgspec.Meta(ge=2, le=12)]
Cosines = Annotated[int, msgspec.Meta(ge=1, le=288)]
Trees = Annotated[int, msgspec.Meta(ge=1, le=5000)]
Weeks = Annotated[int, msgspec.Meta(ge=3, le=520)]


class AdditiveParameters(Hyperparameters, frozen=True):
    """Hyperparameters of the additive model.

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
    """

    response: Literal["log", "identity"] = "log"
    interactions: bool = True
    smoothed_hours: tuple[Hours, ...] = (6.0, 24.0, 50.0)
    trend: Literal["auto", "on", "off"] = "auto"


class GamArimaParameters(AdditiveParameters, frozen=True):
    """Hyperparameters of the additive model with ARIMA residuals.

    Attributes
    ----------
    order
        ``(p, d, q)`` of the ARIMA on the residuals; p and q are lowered where there are fewer
        than 24 residuals for each parameter.
    seasonal_days
        Lags, in days, at which residuals persist.
    season_weeks, window_weeks
        How many last weeks the persistence at these lags, and the ARIMA, are estimated on; or
        200 steps if that is more.
    """

    order: tuple[Count, Annotated[int, msgspec.Meta(ge=0, le=2)], Count] = (3, 0, 3)
    seasonal_days: tuple[Lags, ...] = (1, 2, 7)
    season_weeks: Weeks = 52
    window_weeks: Weeks = 8


class GamArParameters(AdditiveParameters, frozen=True):
    """Hyperparameters of the additive model with a sparse autoregression of its residuals.

    Attributes
    ----------
    steps
        Lags in steps.
    seasonal_days
        Lags in days.
    around
        How many steps before and after each lag in days are lags too.
    season_weeks
        How many last weeks the autoregression is estimated on.
    folds
        Parts of training that are left out in turn for residuals to learn from.
    """

    steps: Annotated[tuple[Steps, ...], msgspec.Meta(min_length=1)] = (1, 2, 3)
    seasonal_days: tuple[Lags, ...] = (1, 2, 7)
    around: Annotated[int, msgspec.Meta(ge=0, le=3)] = 1
    season_weeks: Weeks = 52
    folds: Folds = 5


class GamRidgeParameters(AdditiveParameters, frozen=True):
    """Hyperparameters of the additive model with direct ridge on its residuals.

    Attributes
    ----------
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

    seasonal_days: Annotated[tuple[Lags, ...], msgspec.Meta(min_length=1)] = (1, 2, 7)
    season_weeks: Weeks = 156
    folds: Folds = 5
    cosines: Cosines = 16


class GamBoostedParameters(GamRidgeParameters, frozen=True):
    """Hyperparameters of the additive model with other members and a direct ridge.

    What the members leave has finer shapes in a day than what the additive model leaves alone,
    so that more cosines count.

    Attributes
    ----------
    trees
        Boosted trees of a series.
    """

    cosines: Cosines = 32
    trees: Trees = 600
