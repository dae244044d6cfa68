"""Fit the hybrid: site by site, all series of a site as one panel."""

from __future__ import annotations

from collections.abc import Sequence, Set
from copy import deepcopy
from dataclasses import dataclass, replace
from math import ceil, gcd
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import ConvergenceError, Engine, ForecastData
from loopcast_forecasting.additive.hyperparameters import GamArimaParameters
from loopcast_forecasting.additive.model import GamArimaModel, SeriesModel, SiteModel
from loopcast_forecasting.additive.terms import build_terms
from loopcast_forecasting.features import FeatureSpec, feature_matrix, feature_spec
from loopcast_forecasting.features.clock import Floats
from loopcast_forecasting.gam import Fixed, PanelGam, Reml, fit_panel
from loopcast_forecasting.residual.arima import fit_residuals

if TYPE_CHECKING:
    from pygam.terms import TermList

TREND_DAYS = 548
YEAR_DAYS = 364
LEAST_WINDOW = 200  # steps
INDEPENDENT_HOURS = 3.5  # residuals further apart count as independent in the choice of λ
SAMPLE_ROWS = 256  # of training, over which effects are averaged


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteTask:
    """The series of a site that can be fitted, to run anywhere."""

    data: ForecastData
    site: str
    spec: FeatureSpec
    hyperparameters: GamArimaParameters


def fit_model(
    data: ForecastData, hyperparameters: GamArimaParameters, engine: Engine
) -> GamArimaModel:
    """Fit every series of a panel.

    A series whose actuals are all equal (a meter that stands still) is forecast as that value.

    Raises
    ------
    DataError
        Where a covariate is missing, or the step is longer than a day.
    """
    spec = feature_spec(data, hyperparameters.smoothed_hours)
    failures, constants = _triage(data)
    tasks = [
        SiteTask(
            data=replace(data, target=data.target[members]),
            site=site,
            spec=spec,
            hyperparameters=hyperparameters,
        )
        for site in data.sites
        if (members := _members(data, site, failures.keys() | constants.keys()))
    ]
    fitted = list(engine.map(fit_site, tasks))
    for _, site_failures in fitted:
        failures |= site_failures
    return GamArimaModel(
        spec=spec,
        sites=tuple(site for site, _ in fitted if site.series),
        constants=constants,
        failures=failures,
    )


def _triage(data: ForecastData) -> tuple[dict[str, str], dict[str, float]]:
    failures: dict[str, str] = {}
    constants: dict[str, float] = {}
    for name in data.series:
        values = data.target[name].to_numpy(np.float64)
        present = values[~np.isnan(values)]
        if not len(present):
            failures[name] = f"all {len(values)} actuals are missing"
        elif np.isinf(present).any():
            failures[name] = f"{int(np.isinf(present).sum())} actuals are infinite"
        elif np.ptp(present) == 0:
            constants[name] = float(present[0])
    return failures, constants


def _members(data: ForecastData, site: str, but: Set[str]) -> list[str]:
    return [name for name in data.series if data.site_of[name] == site and name not in but]


def fit_site(task: SiteTask) -> tuple[SiteModel, dict[str, str]]:
    """Fit the additive model and the residual models of a site.

    Returns
    -------
    SiteModel
        Of the series that could be fitted.
    dict
        The reason for each other series.
    """
    data, settings = task.data, task.hyperparameters
    features = feature_matrix(data, task.site, task.spec, data.times)
    X = np.column_stack(list(features.values()))
    actuals = data.target.to_numpy(np.float64)
    logged = np.array([settings.response == "log" and bool(np.nanmin(y) > 0) for y in actuals.T])
    Y = np.where(logged, np.log(np.where(logged, actuals, 1.0)), actuals)
    days = (data.times[-1] - data.times[0]).days
    terms = build_terms(
        task.spec,
        features,
        whole_year=days >= YEAR_DAYS,
        trend=settings.trend == "on" or (settings.trend == "auto" and days >= TREND_DAYS),
        interactions=settings.interactions,
    )
    gams = fit_additive(
        terms, X, Y, features=tuple(features), series=data.series, apart=stride(task.spec)
    )
    sample = X[np.linspace(0, len(X) - 1, min(SAMPLE_ROWS, len(X))).astype(int)]
    models: dict[str, SeriesModel] = {}
    failures: dict[str, str] = {}
    for k, name in enumerate(data.series):
        gam = gams[k]
        if gam.failures:
            failures[name] = gam.failures[0].reason
            continue
        try:
            models[name] = _fit_series(gam, X, Y[:, k], bool(logged[k]), task)
        except ConvergenceError as error:
            failures[name] = str(error)
    site = SiteModel(
        site=task.site,
        design=gams[0].design,
        series=models,
        gams={name: gams[k] for k, name in enumerate(data.series) if name in models},
        sample=sample,
    )
    return site, failures


def stride(spec: FeatureSpec) -> int:
    """Return how many steps apart the rows are from which λ is chosen.

    Residuals of neighbouring steps are alike, and REML would take them for independent evidence
    and smooth too little. A stride that shares no factor with the day visits every time of day.

    Examples
    --------
    >>> [stride(FeatureSpec(step=s, trained_until="", temperature=False)) for s in ("30min", "1D")]
    [7, 1]
    """
    if spec.steps_per_day == 1:
        return 1
    steps = ceil(INDEPENDENT_HOURS / spec.step_hours)
    return next(k for k in range(steps, steps + 64) if gcd(k, spec.steps_per_day) == 1)


def fit_additive(
    terms: TermList,
    X: Floats,
    Y: Floats,
    *,
    features: Sequence[str],
    series: Sequence[str],
    apart: int,
) -> list[PanelGam]:
    """Fit the additive model of each series, with λ by REML on every ``apart``-th row.

    The λ for all rows is ``apart`` times as large, so that the fit is as smooth as REML chose
    (the ``gamma`` of mgcv in another form; Wood 2017, section 6.2).

    Returns
    -------
    list of PanelGam
        One for each series, with its failure in it if it has no fit.
    """
    chosen = fit_panel(
        terms, X[::apart], Y[::apart], smoothing=Reml(), feature_names=features, series=series
    )
    return [
        _one(chosen, k)
        if k in chosen.failures
        else fit_panel(
            with_lam(terms, chosen.lam[k] * apart),
            X,
            Y[:, k : k + 1],
            smoothing=Fixed(),
            feature_names=features,
            series=series[k : k + 1],
        )
        for k in range(len(series))
    ]


def _one(gam: PanelGam, k: int) -> PanelGam:
    return replace(gam, failures={0: gam.failures[k]})


def with_lam(terms: TermList, lam: Floats) -> TermList:
    """Return terms with other smoothing parameters, in the order of the panel's penalties."""
    changed = deepcopy(terms)
    values = iter(lam.tolist())
    for term in changed:
        for marginal in term if term.istensor else [term]:
            marginal.lam = [next(values) for _ in marginal.lam]
    return changed


def _fit_series(gam: PanelGam, X: Floats, y: Floats, log: bool, task: SiteTask) -> SeriesModel:
    settings, spec = task.hyperparameters, task.spec
    season, window = (
        max(weeks * 7 * spec.steps_per_day, LEAST_WINDOW)
        for weeks in (settings.season_weeks, settings.window_weeks)
    )
    residuals = y[-season:] - gam.predict(X[-season:])[:, 0]
    lags = [days * spec.steps_per_day for days in settings.seasonal_days]
    level = float(np.nanmean(y))
    return SeriesModel(
        log=log,
        level=float(np.exp(level)) if log else level,
        coef=gam.coef[:, 0],
        residual=fit_residuals(residuals, lags, settings.order, window),
    )
