"""Forecasts beyond the domain of their version: covariates of the horizon, and the last day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loopcast.develop.applicability import Domain, beyond, fit_domain
from loopcast.develop.beyond import Beyond, Reason
from loopcast.develop.forecast.horizon import horizon_index
from loopcast.develop.forecast.panel import interval_starts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loopcast.api import ForecastData
    from loopcast.develop.forecast.hierarchy import Hierarchy

    Codes = NDArray[np.intp]

_LEVELS = (
    Reason(text="the last day is below all actuals of the training", outside=True),
    Reason(text="the last day is above all actuals of the training", outside=True),
)


def site_domains(data: ForecastData) -> dict[str, Domain]:
    """Take down what the covariates of each site were in training; none where there are none."""
    if not data.covariates:
        return {}
    return {site: fit_domain(site_columns(data, site, data.times)) for site in data.sites}


def site_columns(
    data: ForecastData, site: str, times: pd.DatetimeIndex
) -> dict[str, NDArray[np.float64]]:
    """Return the covariates of a site at some times, NaN where they are not known."""
    return {
        name: frame[site].reindex(times).to_numpy(np.float64)
        for name, frame in data.covariates.items()
    }


def horizon_beyond(
    domains: Mapping[str, Domain],
    bounds: Mapping[str, Sequence[float]],
    data: ForecastData,
    hierarchy: Hierarchy,
    origin: pd.Timestamp,
    *,
    share: float,
) -> dict[str, Beyond]:
    """Tell which forecasts of a horizon a version was not trained for, and why.

    An aggregate, and a longer interval, is beyond where one of its parts is, with the reason of
    that part.

    Parameters
    ----------
    domains
        Of the covariates by site.
    bounds
        Smallest and largest actual in training by series.
    data
        Of the bottom series in the order of the hierarchy, with covariates over the horizon.
    share
        Of the training rows, which are as unlike the others as a novel one.

    Returns
    -------
    dict of str to Beyond
        By step; codes have the shape (intervals, series).
    """
    fine = horizon_index(origin, hierarchy.horizon, hierarchy.steps[0])
    reasons, codes = _of_covariates(domains, data, fine, share)
    reasons, codes = _of_last_day(reasons, codes, bounds, data, origin)
    reasons, codes = _strictest_last(reasons, codes)
    column = {name: place for place, name in enumerate(hierarchy.bottom)}
    sums = [codes[:, [column[m] for m in own]].max(axis=1) for own in hierarchy.members.values()]
    codes = np.column_stack([codes, *sums])
    return {
        step: Beyond(reasons=reasons, code=np.maximum.reduceat(codes, _firsts(fine, step), axis=0))
        for step in hierarchy.steps
    }


def _of_covariates(
    domains: Mapping[str, Domain], data: ForecastData, fine: pd.DatetimeIndex, share: float
) -> tuple[tuple[Reason, ...], Codes]:
    codes = np.full((len(fine), len(data.series)), -1, dtype=np.intp)
    places: dict[Reason, int] = {}
    sites = np.array([data.site_of[name] for name in data.series])
    for site, domain in domains.items():
        found = beyond(domain, site_columns(data, site, fine), share)
        if found.reasons:
            own = [places.setdefault(reason, len(places)) for reason in found.reasons]
            codes[:, sites == site] = np.array([*own, -1], dtype=np.intp)[found.code][:, None]
    return tuple(places), codes


def _of_last_day(
    reasons: tuple[Reason, ...],
    codes: Codes,
    bounds: Mapping[str, Sequence[float]],
    data: ForecastData,
    origin: pd.Timestamp,
) -> tuple[tuple[Reason, ...], Codes]:
    """Add series whose last actuals left the bounds of the training."""
    start, end = data.times.searchsorted([origin - pd.DateOffset(days=1), origin])
    day = data.target.to_numpy()[start:end]
    unbounded = (-np.inf, np.inf)
    low, high = np.array([bounds.get(name, unbounded) for name in data.series]).T
    found, codes = list(reasons), codes.copy()
    for reason, left in zip(_LEVELS, (day < low, day > high), strict=True):
        series = left.any(axis=0)
        for code in np.unique(codes[:, series]):
            joined = reason if code < 0 else found[code] & reason
            codes[(codes == code) & series] = len(found)
            found.append(joined)
    return tuple(found), codes


def _strictest_last(reasons: tuple[Reason, ...], codes: Codes) -> tuple[tuple[Reason, ...], Codes]:
    """Put reasons in an order in which the largest code of several parts is the strictest."""
    order = sorted(range(len(reasons)), key=lambda code: (reasons[code].outside, -code))
    place = np.full(len(reasons) + 1, -1, dtype=np.intp)
    place[order] = np.arange(len(reasons))
    return tuple(reasons[code] for code in order), place[codes]


def _firsts(fine: pd.DatetimeIndex, step: str) -> Codes:
    """Return where in the finest intervals each one of a step begins."""
    return np.unique(interval_starts(fine, step), return_index=True)[1]
