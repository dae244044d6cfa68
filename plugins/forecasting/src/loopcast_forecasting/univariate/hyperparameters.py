"""Hyperparameters of the models for one series each; light to import."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from loopcast.api import Hyperparameters

Order = Annotated[int, msgspec.Meta(ge=0, le=12)]
Differences = Annotated[int, msgspec.Meta(ge=0, le=2)]
SeasonalOrder = Annotated[int, msgspec.Meta(ge=0, le=2)]
SeasonalDifferences = Annotated[int, msgspec.Meta(ge=0, le=1)]
Season = Literal["1D", "7D"]
Weeks = Annotated[int, msgspec.Meta(ge=3, le=520)]
Harmonics = Annotated[int, msgspec.Meta(ge=0, le=12)]


class EtsParameters(Hyperparameters, frozen=True):
    """Hyperparameters of exponential smoothing.

    Attributes
    ----------
    error, trend, seasonal
        How the components enter; ``none`` leaves one out. ``mul`` needs positive actuals.
    damped
        Whether the trend levels off.
    season
        After which the pattern repeats.
    window_weeks
        How many last weeks a series is smoothed over, in training and at an origin; or 200 steps
        if that is more.
    """

    error: Literal["add", "mul"] = "add"
    trend: Literal["none", "add", "mul"] = "none"
    damped: bool = False
    seasonal: Literal["none", "add", "mul"] = "add"
    season: Season = "7D"
    window_weeks: Weeks = 8


class SarimaxParameters(Hyperparameters, frozen=True):
    """Hyperparameters of a regression with SARIMA errors.

    Attributes
    ----------
    order
        ``(p, d, q)``.
    seasonal_order
        ``(P, D, Q)`` at the season. A season of 48 steps costs half a minute a series; harmonics
        cost a second.
    season
        Of the seasonal order.
    daily_harmonics, weekly_harmonics
        Pairs of sine and cosine of the day and of the week that are regressors.
    covariates
        Whether covariates are regressors, those that are no flags with their squares.
    window_weeks
        How many last weeks a series is filtered over, in training and at an origin; or 200 steps
        if that is more.
    """

    order: tuple[Order, Differences, Order] = (2, 0, 1)
    seasonal_order: tuple[
        SeasonalOrder, Annotated[int, msgspec.Meta(ge=0, le=1)], SeasonalOrder
    ] = (
        0,
        0,
        0,
    )
    season: Season = "1D"
    daily_harmonics: Harmonics = 4
    weekly_harmonics: Harmonics = 2
    covariates: bool = True
    window_weeks: Weeks = 8
