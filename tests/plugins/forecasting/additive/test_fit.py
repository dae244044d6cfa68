from __future__ import annotations

import numpy as np
import pytest
from pygam import LinearGAM

from loopcast.api import ForecastData
from loopcast_forecasting.additive.fit import fit_additive, rows_apart
from loopcast_forecasting.additive.terms import build_terms
from loopcast_forecasting.features import FeatureSpec, feature_matrix, feature_spec

from ..pygam_terms import with_lam


def test_the_additive_part_is_that_of_pygam(panel: ForecastData) -> None:
    spec = feature_spec(panel, (6.0,))
    features = feature_matrix(panel, "town", spec, panel.times)
    X = np.column_stack(list(features.values()))
    Y = np.log(panel.target[["homes", "port"]].interpolate().to_numpy())
    terms = build_terms(spec, features, whole_year=False, trend=True, interactions=True)
    names = ("homes", "port")
    gam = fit_additive(terms, X, Y, features=tuple(features), series=names, apart=5)
    for lam, fitted, y in zip(gam.lam, gam.predict(X).T, Y.T, strict=True):
        reference = LinearGAM(with_lam(terms, lam)).fit(X, y)
        np.testing.assert_allclose(fitted, reference.predict(X), rtol=1e-6)


@pytest.mark.parametrize(
    ("step", "apart"), [("15min", 17), ("30min", 7), ("1h", 5), ("6h", 1), ("1D", 1)]
)
def test_rows_for_the_choice_of_smoothing_visit_every_time_of_day(step: str, apart: int) -> None:
    spec = FeatureSpec(step=step, trained_until="", temperature=False)
    assert rows_apart(spec) == apart
    visited = np.arange(0, 1000 * apart, apart) % spec.steps_per_day
    assert len(np.unique(visited)) == spec.steps_per_day
