"""Direct forecasts of residuals: a ridge for each day of the horizon.

The curve of a day ``h`` days after the first day of the horizon is predicted from the curves of
the last known days, all its slots at once: no forecast is fed into another (the direct strategy
of Ben Taieb, Bontempi, Atiya & Sorjamaa 2012, Expert Systems with Applications 39).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loopcast_forecasting.direct.curves import (
    DayGrid,
    Floats,
    Rows,
    coefficients,
    cosine_basis,
    daily_table,
)
from loopcast_forecasting.residual.ridge import PanelRidge, fit_ridge

CORRECTED_DAYS = 14  # of a horizon; the additive model alone speaks for those after them
PAST_DAYS = 7  # before a horizon, that any day of it looks at
SERIES_AT_ONCE = 4  # as many as stay near the processor: 16 take half as long again


def lags_of_day(seasonal_days: Sequence[int], h: int) -> tuple[int, ...]:
    """Return how many days before day ``h`` of a horizon the days are that predict it.

    Whole weeks stay whole weeks, so that a day is predicted from its own weekday; other days
    move with the horizon.

    Examples
    --------
    >>> [lags_of_day((1, 2, 7), h) for h in (0, 1, 6, 7)]
    [(1, 2, 7), (2, 3, 7), (7, 8), (8, 9, 14)]
    """
    moved = {max(lag, 7 * (h // 7 + 1)) if lag % 7 == 0 else lag + h for lag in seasonal_days}
    return tuple(sorted(moved))


@dataclass(frozen=True, eq=False, kw_only=True)
class DayRidge:
    """The regression of one day of the horizon.

    Attributes
    ----------
    lags
        In days before it.
    ridge
        Inputs are the cosine coefficients of the curves at these lags, one lag after the other;
        outputs those of the day.
    """

    lags: tuple[int, ...]
    ridge: PanelRidge


@dataclass(frozen=True, eq=False, kw_only=True)
class DirectRidge:
    """The residual step of a panel.

    Attributes
    ----------
    cosines
        Number of coefficients of a curve.
    days
        One for each day of the horizon that is corrected.
    """

    cosines: int
    days: tuple[DayRidge, ...]

    def forecast(self, residuals: Floats, past: DayGrid, ahead: DayGrid) -> Floats:
        """Forecast the residuals of a horizon.

        Parameters
        ----------
        residuals : ndarray, shape (n, N)
            Of the days before the horizon; NaN where one is missing. A day without a curve
            counts as zero.
        past, ahead : DayGrid
            Of the residuals and of the horizon, with day `PAST_DAYS` the first of the horizon.

        Returns
        -------
        ndarray, shape (steps, N), float64
        """
        basis = cosine_basis(past.per_day, self.cosines)
        table, _ = daily_table(residuals, past, PAST_DAYS)
        curves = coefficients(table, basis)
        forecast = np.zeros((len(ahead.day), residuals.shape[1]))
        for h, day in enumerate(self.days):
            rows = ahead.day == PAST_DAYS + h
            inputs = np.hstack([curves[:, :, PAST_DAYS + h - lag] for lag in day.lags])
            forecast[rows] = (day.ridge.predict(inputs) @ basis.T).T[ahead.slot[rows]]
        return forecast


def fit_direct_ridge(
    residuals: Floats,
    grid: DayGrid,
    seasonal_days: Sequence[int],
    horizon_days: int,
    cosines: int,
) -> DirectRidge:
    """Estimate the residual step of a panel.

    Parameters
    ----------
    residuals : ndarray, shape (n, N)
        Such as a model leaves on days it was not fitted on; NaN where one is missing.
    grid : DayGrid
        With day 0 the first to use.
    seasonal_days : sequence of int
        For the first day of a horizon.
    horizon_days, cosines : int
    """
    days = int(grid.day[-1]) + 1
    basis = cosine_basis(grid.per_day, cosines)
    lags = [lags_of_day(seasonal_days, h) for h in range(min(horizon_days, CORRECTED_DAYS))]
    parts: list[list[PanelRidge]] = [[] for _ in lags]
    for start in range(0, residuals.shape[1], SERIES_AT_ONCE):
        table, known = daily_table(residuals[:, start : start + SERIES_AT_ONCE], grid, days)
        curves = coefficients(table, basis)
        for fitted, of_day in zip(parts, lags, strict=True):
            fitted.append(_fit_day(curves, known, of_day))
    return DirectRidge(
        cosines=basis.shape[1],
        days=tuple(
            DayRidge(lags=of_day, ridge=_joined(fitted))
            for of_day, fitted in zip(lags, parts, strict=True)
        ),
    )


def _fit_day(curves: Floats, known: Rows, lags: tuple[int, ...]) -> PanelRidge:
    """Fit all days that have the day of every lag before them; those without a curve are out."""
    days, longest = curves.shape[2], min(lags[-1], curves.shape[2])
    lagged = [slice(max(longest - lag, 0), max(days - lag, 0)) for lag in lags]
    inputs = np.concatenate([curves[:, :, where] for where in lagged], axis=1)
    return fit_ridge(inputs, curves[:, :, longest:], known[:, longest:])


def _joined(parts: Sequence[PanelRidge]) -> PanelRidge:
    return PanelRidge(
        coef=np.concatenate([part.coef for part in parts]),
        intercept=np.concatenate([part.intercept for part in parts]),
        penalty=np.concatenate([part.penalty for part in parts]),
    )
