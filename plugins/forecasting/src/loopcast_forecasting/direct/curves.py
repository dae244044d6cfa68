"""Residuals as one curve a day, on the wall clock of the panel, and in its first cosines.

A day's residuals are an entry for each slot of the day (48 half-hours). Where a clock goes back,
the two residuals of a slot are averaged; a slot that a day does not have, or whose residual is
missing, gets the mean of the day's others. A day of which half is missing has no curve.

The curves are smooth but for noise, so their first coefficients in an orthonormal cosine basis
(DCT-II: Ahmed, Natarajan & Rao 1974, IEEE Transactions on Computers C-23) hold what persists.
With as many cosines as slots the basis is a rotation, and a ridge of the coefficients is the
ridge of the residuals themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import step_minutes

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class DayGrid:
    """Where each time is in a table of days and slots.

    Attributes
    ----------
    day : ndarray, shape (n,), intp
        Local days since a given one.
    slot : ndarray, shape (n,), intp
        Place in the day by the wall clock.
    per_day
        Number of slots.
    """

    day: Indices
    slot: Indices
    per_day: int


def day_grid(times: pd.DatetimeIndex, step: str, since: pd.Timestamp) -> DayGrid:
    """Place times by local day and wall clock.

    Parameters
    ----------
    times : DatetimeIndex, shape (n,)
        Interval starts in the panel's zone.
    step : str
    since : Timestamp
        In the day that is number 0.

    Examples
    --------
    >>> clocks_back = pd.date_range("2014-04-06", periods=5, freq="1h", tz="Australia/Melbourne")
    >>> day_grid(clocks_back, "1h", clocks_back[0]).slot
    array([0, 1, 2, 2, 3])
    """
    minutes = min(step_minutes(step), 1440)
    dates = times.tz_localize(None).normalize()
    day = (dates - since.tz_localize(None).normalize()).days
    slot = (times.hour * 60 + times.minute) // minutes
    return DayGrid(
        day=day.to_numpy().astype(np.intp),
        slot=slot.to_numpy().astype(np.intp),
        per_day=1440 // minutes,
    )


def daily_table(residuals: Floats, grid: DayGrid, days: int) -> tuple[Floats, Rows]:
    """Lay residuals out by day and slot.

    Parameters
    ----------
    residuals : ndarray, shape (n, N)
        Fortran order is fastest.
    grid : DayGrid
        Of the residuals; times before its day 0 or from ``days`` on are left out.
    days : int

    Returns
    -------
    table : ndarray, shape (N, days, per_day), float64
        Complete; zero on days without a curve.
    known : ndarray of bool, shape (N, days)
        Which days have a curve.
    """
    inside = slice(*np.searchsorted(grid.day, (0, days)))
    cell = (grid.day * grid.per_day + grid.slot)[inside]
    values = residuals[inside].T
    cells = np.full((len(values), days * grid.per_day), np.nan)
    for run in _runs(cell):
        cells[:, cell[run.start] : cell[run.stop - 1] + 1] = values[:, run]
    _average_repeated(cells, cell, values)
    table = cells.reshape(len(values), days, grid.per_day)
    known = np.ones(table.shape[:2], bool)
    incomplete = np.nonzero(~np.isfinite(table.sum(axis=2)))
    table[incomplete], known[incomplete] = _completed(table[incomplete])
    return table, known


def _runs(cell: Indices) -> list[slice]:
    """Return the stretches of consecutive cells; clock changes come between them."""
    breaks = np.flatnonzero(np.diff(cell) != 1) + 1
    bounds = [0, *breaks.tolist(), len(cell)] if len(cell) else [0]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _average_repeated(cells: Floats, cell: Indices, values: Floats) -> None:
    """Set cells that were met twice, in the hour that a clock repeats, to the mean, in place."""
    order = np.argsort(cell, kind="stable")
    again = np.flatnonzero(np.diff(cell[order]) == 0)
    first, second = values[:, order[again]], values[:, order[again + 1]]
    one = np.where(np.isnan(first), second, first)
    cells[:, cell[order[again]]] = np.where(np.isnan(first + second), one, (first + second) / 2)


def _completed(curves: Floats) -> tuple[Floats, Rows]:
    """Fill the gaps of curves with their mean; tell which have enough values for it.

    Parameters
    ----------
    curves : ndarray, shape (k, per_day)
    """
    present = np.isfinite(curves)
    count = present.sum(axis=1)
    mean = np.where(present, curves, 0.0).sum(axis=1) / np.maximum(count, 1)
    known = 2 * count > curves.shape[1]
    filled = np.where(present, curves, mean[:, None])
    return np.where(known[:, None], filled, 0.0), known


def cosine_basis(per_day: int, cosines: int) -> Floats:
    """Return the first orthonormal cosines of a day, shape (per_day, at most ``cosines``)."""
    frequency = np.arange(min(cosines, per_day))
    phase = np.pi * (np.arange(per_day)[:, None] + 0.5) / per_day
    basis: Floats = np.sqrt(2 / per_day) * np.cos(phase * frequency)
    basis[:, 0] = np.sqrt(1 / per_day)
    return basis


def coefficients(table: Floats, basis: Floats) -> Floats:
    """Return the cosine coefficients of a table of days, shape (N, cosines, days)."""
    return np.ascontiguousarray((table @ basis).mT)
