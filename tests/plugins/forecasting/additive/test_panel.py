from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from loopcast.api import ConvergenceError, ForecastData
from loopcast_forecasting.additive.model import HybridModel
from loopcast_forecasting.features import feature_matrix
from loopcast_forecasting.residual import arima_step
from loopcast_forecasting.residual.arima import ResidualModel, fit_residuals

Fit = Callable[..., HybridModel]


def test_series_that_cannot_be_fitted_stop_no_other(model: HybridModel) -> None:
    assert model.failures == {"dead": "all 2401 actuals are missing"}
    assert model.constants == {"still": 3.0}
    names = {name for site in model.sites for name in site.series.names}
    assert names == {"homes", "shops", "port"}


def test_the_logarithm_only_where_all_actuals_are_positive(model: HybridModel) -> None:
    town = next(site for site in model.sites if site.site == "town").series
    assert dict(zip(town.names, town.log.tolist(), strict=True)) == {"homes": True, "shops": False}


def test_no_convergence_is_a_failure_of_the_series(
    panel: ForecastData, fits: dict[str, Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ConvergenceError("no maximum")

    monkeypatch.setattr(arima_step, "fit_residuals", refuse)
    few = replace(panel, target=panel.target[["homes", "still"]])
    failed = fits["arima"](few)
    assert failed.failures == {"homes": "no maximum"}
    assert failed.sites == ()


def test_no_convergence_stops_no_other_series_of_the_site(
    panel: ForecastData,
    arima: HybridModel,
    fits: dict[str, Fit],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes = iter([ConvergenceError("no maximum"), None])

    def refuse_first(*arguments: Any) -> ResidualModel:
        if outcome := next(outcomes):
            raise outcome
        return fit_residuals(*arguments)

    monkeypatch.setattr(arima_step, "fit_residuals", refuse_first)
    town = fits["arima"](replace(panel, target=panel.target[["homes", "shops"]]))
    (site,) = town.sites
    assert town.failures == {"homes": "no maximum"}
    assert site.series.names == ("shops",)
    whole = next(each for each in arima.sites if "homes" in each.series.names)
    X = whole.sample
    np.testing.assert_allclose(site.additive(X)[:, 0], whole.additive(X)[:, 1], rtol=1e-9)
    assert {effect.series for effect in town.effects(["shops"])} == {"shops"}


def test_infinite_actuals_are_a_failure(panel: ForecastData, fit: Fit) -> None:
    target = panel.target[["homes", "still"]].copy()
    target.iloc[5, 0] = np.inf
    failed = fit(replace(panel, target=target))
    assert failed.failures == {"homes": "1 actuals are infinite"}


def test_missing_actuals_are_left_out(panel: ForecastData, model: HybridModel, fit: Fit) -> None:
    target = panel.target[["homes"]].copy()
    target.iloc[300:400] = np.nan
    holed = fit(replace(panel, target=target))
    whole = next(site for site in model.sites if "homes" in site.series.names)
    features = feature_matrix(panel, "town", model.spec, panel.times)
    X = np.column_stack(list(features.values()))
    difference = holed.sites[0].additive(X)[:, 0] - whole.additive(X)[:, 0]
    assert not holed.failures
    assert 0 < np.abs(difference).max() < 0.1
