"""The additive models of the series of a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import ForecastData
from loopcast_forecasting.additive.fit import fit_additive, stride
from loopcast_forecasting.additive.hyperparameters import AdditiveParameters
from loopcast_forecasting.additive.series import AdditiveSeries
from loopcast_forecasting.additive.terms import build_terms
from loopcast_forecasting.features import FeatureSpec, feature_matrix
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import PanelGam

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
    gams
        One for each of them.
    X : ndarray, shape (n, n_features)
    Y : ndarray, shape (n, N)
        The response; NaN where an actual is missing.
    """

    data: ForecastData
    spec: FeatureSpec
    series: AdditiveSeries
    gams: tuple[PanelGam, ...]
    X: Floats
    Y: Floats

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
    actuals = data.target.to_numpy(np.float64)
    log = (settings.response == "log") & (np.nanmin(actuals, axis=0) > 0)
    Y = np.where(log, np.log(np.where(log, actuals, 1.0)), actuals)
    terms = _terms(data, spec, features, settings)
    gams = fit_additive(
        terms, X, Y, features=tuple(features), series=data.series, apart=stride(spec)
    )
    fitted = np.array([not gam.failures for gam in gams])
    failures = {
        name: gam.failures[0].reason
        for name, gam in zip(data.series, gams, strict=True)
        if gam.failures
    }
    if not fitted.any():
        return None, failures
    kept = tuple(gam for gam in gams if not gam.failures)
    names = tuple(name for name in data.series if name not in failures)
    Y, log = Y[:, fitted], log[fitted]
    additive = AdditiveSite(
        data=data,
        spec=spec,
        series=_series(names, kept, log, Y),
        gams=kept,
        X=X,
        Y=Y,
    )
    return additive, failures


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


def _series(
    names: tuple[str, ...], gams: tuple[PanelGam, ...], log: NDArray[np.bool_], Y: Floats
) -> AdditiveSeries:
    level = np.nanmean(Y, axis=0)
    return AdditiveSeries(
        names=names,
        log=log,
        level=np.where(log, np.exp(np.where(log, level, 0.0)), level),
        coef=np.column_stack([gam.coef[:, 0] for gam in gams]),
    )
