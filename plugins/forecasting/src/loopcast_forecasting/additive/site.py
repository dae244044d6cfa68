"""The additive models of the series of a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import ForecastData
from loopcast_forecasting.additive.fit import fit_additive, rows_apart
from loopcast_forecasting.additive.hyperparameters import AdditiveParameters
from loopcast_forecasting.additive.series import AdditiveSeries
from loopcast_forecasting.additive.terms import build_terms
from loopcast_forecasting.features import FeatureSpec, feature_matrix
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import PanelGam
from loopcast_forecasting.gam.gram import Panel

if TYPE_CHECKING:
    from pygam.terms import TermList

TREND_DAYS = 548
YEAR_DAYS = 364
SAMPLE_ROWS = 256  # of training, over which effects are averaged


@dataclass(frozen=True, eq=False, kw_only=True)
class AdditiveSite:
    """Fitted additive models, with what they were fitted on.

    Attributes
    ----------
    data
        Of the site.
    spec
        What its features are.
    series
        Those with a model, length N.
    gam
        Their models.
    X : ndarray, shape (n, n_features)
    Y : ndarray, shape (n, N), float64 or float32
        The response; NaN where an actual is missing.
    """

    data: ForecastData
    spec: FeatureSpec
    series: AdditiveSeries
    gam: PanelGam
    X: Floats
    Y: Panel

    @property
    def sample(self) -> Floats:
        """Rows of training over which effects are averaged, shape (k, n_features)."""
        n = len(self.X)
        return np.asarray(self.X[np.linspace(0, n - 1, min(SAMPLE_ROWS, n)).astype(int)])


def fit_additive_site(
    data: ForecastData, site: str, spec: FeatureSpec, settings: AdditiveParameters
) -> tuple[AdditiveSite | None, dict[str, str]]:
    """Fit the series of a site, all of which must belong to it.

    Returns
    -------
    AdditiveSite or None
        Of the series that could be fitted, if any.
    dict
        The reason for each other series.
    """
    features = feature_matrix(data, site, spec, data.times)
    X = np.column_stack(list(features.values()))
    log, Y = _response(data.target.to_numpy(), settings)
    terms = _terms(data, spec, features, settings)
    gam = fit_additive(
        terms, X, Y, features=tuple(features), series=data.series, apart=rows_apart(spec)
    )
    failures = {data.series[k]: failure.reason for k, failure in gam.failures.items()}
    if len(failures) == len(data.series):
        return None, failures
    if failures:
        kept = [k for k in range(len(data.series)) if k not in gam.failures]
        gam, log, Y = gam.only(kept), log[kept], Y[:, kept]
    series = _series(gam, log, Y)
    return AdditiveSite(data=data, spec=spec, series=series, gam=gam, X=X, Y=Y), failures


def _response(actuals: Panel, settings: AdditiveParameters) -> tuple[NDArray[np.bool_], Panel]:
    """Return which series have their logarithm as response, and all responses."""
    positive = np.fmin.reduce(actuals, axis=0) > 0
    log = positive & (settings.response == "log")
    if log.all():
        return log, np.log(actuals)
    return log, np.where(log, np.log(np.where(log, actuals, 1)), actuals)


def _terms(
    data: ForecastData,
    spec: FeatureSpec,
    features: Mapping[str, Floats],
    settings: AdditiveParameters,
) -> TermList:
    days = (data.times[-1] - data.times[0]).days
    return build_terms(
        spec,
        features,
        whole_year=days >= YEAR_DAYS,
        trend=settings.trend == "on" or (settings.trend == "auto" and days >= TREND_DAYS),
        interactions=settings.interactions,
    )


def _series(gam: PanelGam, log: NDArray[np.bool_], Y: Panel) -> AdditiveSeries:
    level = np.nanmean(Y, axis=0, dtype=np.float64)
    return AdditiveSeries(
        names=gam.series,
        log=log,
        level=np.where(log, np.exp(np.where(log, level, 0.0)), level),
        coef=gam.coef,
    )
