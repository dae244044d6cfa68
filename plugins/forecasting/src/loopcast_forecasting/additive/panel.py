"""Fit a hybrid: site by site, all series of a site together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
import pandas as pd

from loopcast.api import Engine, ForecastData
from loopcast_forecasting.additive.hyperparameters import AdditiveParameters
from loopcast_forecasting.additive.model import HybridModel, HybridSite
from loopcast_forecasting.additive.site import fit_additive_site
from loopcast_forecasting.additive.step import ResidualStep
from loopcast_forecasting.features import FeatureSpec, feature_spec

SettingsT = TypeVar("SettingsT", bound=AdditiveParameters)


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteTask(Generic[SettingsT]):
    """The series of a site that can be fitted, to run anywhere."""

    data: ForecastData
    site: str
    spec: FeatureSpec
    hyperparameters: SettingsT
    step: type[ResidualStep[SettingsT]]


def fit_model(
    data: ForecastData,
    hyperparameters: SettingsT,
    engine: Engine,
    step: type[ResidualStep[SettingsT]],
) -> HybridModel:
    """Fit every series of a panel.

    A series whose actuals are all equal (a meter that stands still) is forecast as that value.

    Parameters
    ----------
    data : ForecastData
    hyperparameters : AdditiveParameters
        Those of the residual step.
    engine : Engine
        Where sites are fitted.
    step : type
        The kind of residual step.

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
            step=step,
        )
        for site in data.sites
        if (members := [name for name in ready if data.site_of[name] == site])
    ]
    fitted = list(engine.map(fit_site, tasks))
    for _, of_site in fitted:
        failures |= of_site
    return HybridModel(
        spec=spec,
        sites=tuple(site for site, _ in fitted if site is not None),
        constants=constants,
        failures=failures,
        step=step,
    )


def triage(target: pd.DataFrame) -> tuple[dict[str, str], dict[str, float]]:
    """Return why some series can have no model, and the value of those that never change."""
    values = target.to_numpy()
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    infinite = np.isinf(low) | np.isinf(high)
    names = [str(name) for name in target.columns]
    failures = {
        names[k]: f"all {len(values)} actuals are missing" for k in np.flatnonzero(np.isnan(low))
    }
    for k in np.flatnonzero(infinite):
        failures[names[k]] = f"{int(np.isinf(values[:, k]).sum())} actuals are infinite"
    constants = {names[k]: float(low[k]) for k in np.flatnonzero((low == high) & ~infinite)}
    return failures, constants


def fit_site(task: SiteTask[SettingsT]) -> tuple[HybridSite | None, dict[str, str]]:
    """Fit the additive models and the residual step of a site.

    Returns
    -------
    HybridSite or None
        Of the series that could be fitted, if any.
    dict
        The reason for each other series.
    """
    additive, failures = fit_additive_site(task.data, task.site, task.spec, task.hyperparameters)
    if additive is None:
        return None, failures
    residual, refused = task.step.fit(additive, task.hyperparameters)
    failures |= refused
    kept = [k for k, name in enumerate(additive.series.names) if name not in refused]
    if not kept:
        return None, failures
    site = HybridSite(
        site=task.site,
        design=additive.gam.design,
        series=additive.series.only(kept) if refused else additive.series,
        residual=residual,
        gam=additive.gam.only(kept) if refused else additive.gam,
        sample=additive.sample,
    )
    return site, failures
