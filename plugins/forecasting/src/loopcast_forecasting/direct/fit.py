"""Fit the additive model with direct ridge: site by site, all series of a site together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from loopcast.api import Engine, ForecastData, step_minutes
from loopcast_forecasting.direct.additive import AdditiveSite, fit_additive_site
from loopcast_forecasting.direct.curves import DayGrid
from loopcast_forecasting.direct.hyperparameters import GamRidgeParameters
from loopcast_forecasting.direct.model import GamRidgeModel, SiteModel
from loopcast_forecasting.direct.ridge_days import DirectRidge, fit_direct_ridge
from loopcast_forecasting.features import FeatureSpec, feature_spec


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteTask:
    """The series of a site that can be fitted, to run anywhere."""

    data: ForecastData
    site: str
    spec: FeatureSpec
    hyperparameters: GamRidgeParameters


def fit_model(
    data: ForecastData, hyperparameters: GamRidgeParameters, engine: Engine
) -> GamRidgeModel:
    """Fit every series of a panel.

    A series whose actuals are all equal (a meter that stands still) is forecast as that value.

    Raises
    ------
    DataError
        Where a covariate is missing, or the step is longer than a day.
    """
    spec = feature_spec(data, hyperparameters.smoothed_hours)
    failures, constants = triage(data.target)
    ready = [name for name in data.series if name not in failures and name not in constants]
    tasks = [
        SiteTask(
            data=replace(data, target=data.target[members]),
            site=site,
            spec=spec,
            hyperparameters=hyperparameters,
        )
        for site in data.sites
        if (members := [name for name in ready if data.site_of[name] == site])
    ]
    fitted = list(engine.map(fit_site, tasks))
    for _, of_site in fitted:
        failures |= of_site
    return GamRidgeModel(
        spec=spec,
        sites=tuple(site for site, _ in fitted if site is not None),
        constants=constants,
        failures=failures,
    )


def triage(target: pd.DataFrame) -> tuple[dict[str, str], dict[str, float]]:
    """Return why some series can have no model, and the value of those that never change."""
    failures: dict[str, str] = {}
    constants: dict[str, float] = {}
    for name in map(str, target.columns):
        values = target[name].to_numpy(np.float64)
        present = values[~np.isnan(values)]
        if not len(present):
            failures[name] = f"all {len(values)} actuals are missing"
        elif np.isinf(present).any():
            failures[name] = f"{int(np.isinf(present).sum())} actuals are infinite"
        elif np.ptp(present) == 0:
            constants[name] = float(present[0])
    return failures, constants


def fit_site(task: SiteTask) -> tuple[SiteModel | None, dict[str, str]]:
    """Fit the additive models and the residual step of a site.

    Returns
    -------
    SiteModel or None
        Of the series that could be fitted, if any.
    dict
        The reason for each other series.
    """
    additive = fit_additive_site(task.data, task.site, task.spec, task.hyperparameters)
    if not additive.names:
        return None, additive.failures
    site = SiteModel(
        site=task.site,
        design=additive.gams[0].design,
        names=additive.names,
        log=additive.log,
        level=additive.level,
        coef=np.column_stack([gam.coef[:, 0] for gam in additive.gams]),
        residual=_fit_residual(additive, task),
        gams=additive.gams,
        sample=additive.sample,
    )
    return site, additive.failures


def _fit_residual(additive: AdditiveSite, task: SiteTask) -> DirectRidge:
    settings, grid = task.hyperparameters, additive.grid
    first = max(int(grid.day[-1]) + 1 - 7 * settings.season_weeks, 0)
    return fit_direct_ridge(
        additive.residuals,
        DayGrid(day=grid.day - first, slot=grid.slot, per_day=grid.per_day),
        settings.seasonal_days,
        horizon_days=step_minutes(task.data.horizon) // 1440,
        cosines=settings.cosines,
    )
