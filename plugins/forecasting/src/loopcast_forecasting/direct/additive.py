"""The additive model of a site's series, and the residuals it would have left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loopcast.api import ForecastData
from loopcast_forecasting.additive.fit import (
    SAMPLE_ROWS,
    TREND_DAYS,
    YEAR_DAYS,
    fit_additive,
    stride,
)
from loopcast_forecasting.additive.terms import build_terms
from loopcast_forecasting.direct.curves import DayGrid, day_grid
from loopcast_forecasting.direct.hyperparameters import GamRidgeParameters
from loopcast_forecasting.features import FeatureSpec, feature_matrix
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import PanelGam
from loopcast_forecasting.residual.crossfit import cross_fit, deal_days


@dataclass(frozen=True, eq=False, kw_only=True)
class AdditiveSite:
    """Fitted additive models of a site.

    Attributes
    ----------
    names
        Of the series with a model.
    gams
        One for each of them.
    log : ndarray of bool, shape (N,)
        Whether the response is the logarithm.
    level : ndarray, shape (N,)
        Typical value of each series.
    residuals : ndarray, shape (n, N)
        By cross-fitting, of the response.
    grid
        Days and slots of the residuals.
    sample : ndarray, shape (k, n_features)
        Rows of training over which effects are averaged.
    failures
        Why other series have no model.
    """

    names: tuple[str, ...]
    gams: tuple[PanelGam, ...]
    log: NDArray[np.bool_]
    level: Floats
    residuals: Floats
    grid: DayGrid
    sample: Floats
    failures: dict[str, str]


def fit_additive_site(
    data: ForecastData, site: str, spec: FeatureSpec, settings: GamRidgeParameters
) -> AdditiveSite:
    """Fit the series of a site, all of which must belong to it."""
    features = feature_matrix(data, site, spec, data.times)
    X = np.column_stack(list(features.values()))
    actuals = data.target.to_numpy(np.float64)
    log = (settings.response == "log") & (np.nanmin(actuals, axis=0) > 0)
    Y = np.where(log, np.log(np.where(log, actuals, 1.0)), actuals)
    days = (data.times[-1] - data.times[0]).days
    terms = build_terms(
        spec,
        features,
        whole_year=days >= YEAR_DAYS,
        trend=settings.trend == "on" or (settings.trend == "auto" and days >= TREND_DAYS),
        interactions=settings.interactions,
    )
    gams = fit_additive(
        terms, X, Y, features=tuple(features), series=data.series, apart=stride(spec)
    )
    fitted = np.array([not gam.failures for gam in gams])
    kept = [gam for gam in gams if not gam.failures]
    grid = day_grid(data.times, data.step, data.times[0])
    Y = Y[:, fitted]
    level = np.nanmean(Y, axis=0)
    fold = deal_days(grid.day, settings.folds)
    return AdditiveSite(
        names=tuple(name for name, ok in zip(data.series, fitted, strict=True) if ok),
        gams=tuple(kept),
        log=log[fitted],
        level=np.where(log[fitted], np.exp(np.where(log[fitted], level, 0.0)), level),
        residuals=cross_fit(kept, X, Y, fold) if kept else Y,
        grid=grid,
        sample=X[np.linspace(0, len(X) - 1, min(SAMPLE_ROWS, len(X))).astype(int)],
        failures={
            name: gam.failures[0].reason
            for name, gam in zip(data.series, gams, strict=True)
            if gam.failures
        },
    )
