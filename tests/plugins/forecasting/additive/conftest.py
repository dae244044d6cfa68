"""A simulated panel over a change of clocks: a gap, a meter that stands still, a dead one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ForecastData, Site
from loopcast.testing import fit_context
from loopcast_forecasting.additive.hyperparameters import (
    GamArimaParameters,
    GamArParameters,
    GamBoostedParameters,
    GamRidgeParameters,
)
from loopcast_forecasting.additive.model import HybridModel
from loopcast_forecasting.additive.panel import fit_model
from loopcast_forecasting.boosted.step import BoostedStep
from loopcast_forecasting.direct.step import DirectStep
from loopcast_forecasting.residual.ar_step import ArStep
from loopcast_forecasting.residual.arima_step import ArimaStep

ZONE = "Australia/Melbourne"
SITES = {
    "town": Site(timezone=ZONE, holidays="AU-VIC"),
    "coast": Site(timezone="Australia/Adelaide", holidays="AU-SA"),
}
SITE_OF = {"homes": "town", "shops": "town", "port": "coast", "still": "coast", "dead": "town"}


def simulate(step: str = "1h", days: int = 100, horizon: str = "2D") -> ForecastData:
    dates = pd.date_range("2014-02-01", periods=days + 15, freq="1D", tz=ZONE)
    index = pd.date_range(dates[0], dates[-1], freq=step, inclusive="left")
    times = index[index < dates[-15]]
    rng = np.random.default_rng(7)
    hour = times.hour.to_numpy()
    temperature = (
        16 + 5 * np.sin(2 * np.pi * (index.hour.to_numpy() - 9) / 24) + rng.normal(size=len(index))
    )
    seen = temperature[: len(times)]
    noise = np.zeros(len(times))
    for t in range(1, len(noise)):
        noise[t] = 0.97 * noise[t - 1] + 0.005 * rng.normal()
    weekend = times.day_of_week.to_numpy() >= 5
    shape = 0.2 * np.sin(2 * np.pi * (hour - 6) / 24) - 0.1 * weekend + 0.01 * (seen - 16) ** 2
    port = 500 * np.exp(0.5 * shape + noise)
    port[400:430] = np.nan
    target = pd.DataFrame(
        {
            "homes": 100 * np.exp(shape + noise),
            "shops": 40 + 10 * shape - 45 * (hour == 3) + rng.normal(size=len(times)),
            "port": port,
            "still": 3.0,
            "dead": np.nan,
        },
        index=times,
    )
    frame = pd.DataFrame(dict.fromkeys(SITES, temperature), index=index)
    return ForecastData(
        target=target,
        covariates={"temperature": frame},
        sites=SITES,
        site_of=SITE_OF,
        step=step,
        horizon=horizon,
        timezone=ZONE,
        unit="MW",
    )


@pytest.fixture(scope="session")
def simulated() -> Callable[..., ForecastData]:
    return simulate


@pytest.fixture(scope="session")
def panel() -> ForecastData:
    return simulate()


def fit_arima(data: ForecastData, **hyperparameters: Any) -> HybridModel:
    return fit_model(data, GamArimaParameters(**hyperparameters), fit_context().engine, ArimaStep)


def fit_ar(data: ForecastData, **hyperparameters: Any) -> HybridModel:
    return fit_model(data, GamArParameters(**hyperparameters), fit_context().engine, ArStep)


def fit_ridge(data: ForecastData, **hyperparameters: Any) -> HybridModel:
    return fit_model(data, GamRidgeParameters(**hyperparameters), fit_context().engine, DirectStep)


def fit_boosted(data: ForecastData, **hyperparameters: Any) -> HybridModel:
    chosen = {"trees": 50} | hyperparameters
    return fit_model(data, GamBoostedParameters(**chosen), fit_context().engine, BoostedStep)


Fit = Callable[..., HybridModel]
FITS: dict[str, Fit] = {
    "ar": fit_ar,
    "arima": fit_arima,
    "boosted": fit_boosted,
    "ridge": fit_ridge,
}


@pytest.fixture(scope="session")
def arima(panel: ForecastData) -> HybridModel:
    return fit_arima(panel)


@pytest.fixture(scope="session")
def ar(panel: ForecastData) -> HybridModel:
    return fit_ar(panel)


@pytest.fixture(scope="session")
def boosted(panel: ForecastData) -> HybridModel:
    return fit_boosted(panel)


@pytest.fixture(scope="session")
def ridge(panel: ForecastData) -> HybridModel:
    return fit_ridge(panel)


@pytest.fixture(scope="session", params=list(FITS))
def kind(request: pytest.FixtureRequest) -> str:
    """The residual step; what uses it runs with each."""
    return str(request.param)


@pytest.fixture(scope="session")
def model(kind: str, request: pytest.FixtureRequest) -> HybridModel:
    fitted = request.getfixturevalue(kind)
    assert isinstance(fitted, HybridModel)
    return fitted


@pytest.fixture(scope="session")
def fits() -> dict[str, Fit]:
    """Fit a panel with a residual step, with hyperparameters given by name."""
    return FITS


@pytest.fixture(scope="session")
def fit(kind: str) -> Fit:
    return FITS[kind]
