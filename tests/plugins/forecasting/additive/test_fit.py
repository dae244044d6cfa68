from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pygam import LinearGAM

from loopcast.api import ConvergenceError, ForecastData
from loopcast_forecasting.additive import fit
from loopcast_forecasting.additive.fit import fit_additive, fit_model, stride, with_lam
from loopcast_forecasting.additive.hyperparameters import GamArimaParameters
from loopcast_forecasting.additive.model import GamArimaModel
from loopcast_forecasting.additive.terms import build_terms
from loopcast_forecasting.features import FeatureSpec, feature_matrix, feature_spec


class Here:
    """An engine that runs work at once."""

    def map(self, function: Any, items: Any) -> Any:
        return map(function, items)


def test_the_additive_part_is_that_of_pygam(panel: ForecastData) -> None:
    spec = feature_spec(panel, (6.0,))
    features = feature_matrix(panel, "town", spec, panel.times)
    X = np.column_stack(list(features.values()))
    Y = np.log(panel.target[["homes", "port"]].to_numpy())
    terms = build_terms(spec, features, whole_year=False, trend=True, interactions=True)
    names = ("homes", "port")
    gams = fit_additive(terms, X, Y, features=tuple(features), series=names, apart=5)
    for gam, y in zip(gams, Y.T, strict=True):
        reference = LinearGAM(with_lam(terms, gam.lam[0])).fit(X, y)
        np.testing.assert_allclose(gam.predict(X)[:, 0], reference.predict(X), rtol=1e-6)


def test_series_that_cannot_be_fitted_stop_no_other(model: GamArimaModel) -> None:
    assert model.failures == {"dead": "all 2857 actuals are missing"}
    assert model.constants == {"still": 3.0}
    assert {name for site in model.sites for name in site.series} == {"homes", "shops", "port"}


def test_the_logarithm_only_where_all_actuals_are_positive(model: GamArimaModel) -> None:
    town = next(site for site in model.sites if site.site == "town")
    assert town.series["homes"].log
    assert not town.series["shops"].log


def test_no_convergence_is_a_failure_of_the_series(
    panel: ForecastData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ConvergenceError("no maximum")

    monkeypatch.setattr(fit, "fit_residuals", refuse)
    few = replace(panel, target=panel.target[["homes", "still"]])
    failed = fit_model(few, GamArimaParameters(), Here())
    assert failed.failures == {"homes": "no maximum"}
    assert failed.sites == ()


def test_infinite_actuals_are_a_failure(panel: ForecastData) -> None:
    target = panel.target[["homes", "still"]].copy()
    target.iloc[5, 0] = np.inf
    failed = fit_model(replace(panel, target=target), GamArimaParameters(), Here())
    assert failed.failures == {"homes": "1 actuals are infinite"}


def test_missing_actuals_are_left_out(panel: ForecastData, model: GamArimaModel) -> None:
    target = panel.target[["homes"]].copy()
    target.iloc[300:400] = np.nan
    holed = fit_model(replace(panel, target=target), GamArimaParameters(), Here())
    whole = next(site for site in model.sites if "homes" in site.series)
    features = feature_matrix(panel, "town", model.spec, panel.times)
    X = np.column_stack(list(features.values()))
    difference = holed.sites[0].additive(X)[:, 0] - whole.additive(X)[:, 0]
    assert not holed.failures
    assert 0 < np.abs(difference).max() < 0.1


@pytest.mark.parametrize(
    ("step", "apart"), [("15min", 17), ("30min", 7), ("1h", 5), ("6h", 1), ("1D", 1)]
)
def test_rows_for_the_choice_of_smoothing_visit_every_time_of_day(step: str, apart: int) -> None:
    spec = FeatureSpec(step=step, trained_until="", temperature=False)
    assert stride(spec) == apart
    visited = np.arange(0, 1000 * apart, apart) % spec.steps_per_day
    assert len(np.unique(visited)) == spec.steps_per_day
