from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import ForecastData
from loopcast_forecasting.additive.terms import build_terms
from loopcast_forecasting.features import FeatureSpec, feature_matrix, feature_spec

CHOICES = {"whole_year": True, "trend": True, "interactions": True}


def labels(panel: ForecastData, **changes: bool) -> set[tuple[str, ...]]:
    """Return the names of the features in each term, with what multiplies it."""
    spec = feature_spec(panel, (6.0, 24.0))
    features = feature_matrix(panel, "town", spec, panel.times)
    return {_label(term, list(features)) for term in _terms(spec, features, changes)}


def _terms(spec: FeatureSpec, features: dict[str, NDArray[np.float64]], changes: Any) -> Any:
    return build_terms(spec, features, **(CHOICES | changes))


def _label(term: Any, names: list[str]) -> tuple[str, ...]:
    marginals = list(term) if term.istensor else [term]
    by = [] if getattr(term, "by", None) is None else [names[term.by]]
    return (*(names[marginal.feature] for marginal in marginals), *by)


def test_what_people_expect_to_see(panel: ForecastData) -> None:
    found = labels(panel)
    for expected in [
        ("hour",),
        ("hour", "monday"),
        ("hour", "holiday"),
        ("standard_hour", "daylight_saving"),
        ("day_of_year",),
        ("temperature",),
        ("day_of_year", "weekend"),
        ("day_of_year", "hour", "weekend"),
        ("temperature", "hour"),
        ("temperature_smoothed_24h",),
        ("previous_day_maximum",),
        ("hour", "years"),
    ]:
        assert expected in found, expected


def test_nothing_that_training_did_not_see(panel: ForecastData) -> None:
    assert ("days_from_christmas", "christmas") not in labels(panel)
    winter = replace(
        panel,
        target=panel.target.iloc[-480:],
        covariates={n: f.loc[panel.times[-480] :] for n, f in panel.covariates.items()},
    )
    assert ("standard_hour", "daylight_saving") not in labels(winter)


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"trend": False}, ("years",)),
        ({"interactions": False}, ("temperature", "hour")),
        ({"whole_year": False}, ("temperature", "day_of_year")),
        ({"whole_year": False}, ("day_of_year", "hour")),
    ],
)
def test_choices(panel: ForecastData, change: dict[str, bool], gone: tuple[str, ...]) -> None:
    assert gone in labels(panel)
    assert gone not in labels(panel, **change)


def test_without_weather(panel: ForecastData) -> None:
    found = labels(replace(panel, covariates={}))
    assert ("hour",) in found
    assert not any("temperature" in name for label in found for name in label)


def test_christmas_has_a_curve_only_where_both_sides_were_seen(panel: ForecastData) -> None:
    spec = feature_spec(panel, ())
    features = feature_matrix(panel, "town", spec, panel.times)
    start = np.arange(len(panel.times)) < 240
    for name in ("christmas", "year_end_workday"):
        features[name] = start.astype(np.float64)
    features["days_from_christmas"] = np.where(start, 7.0, 16.0)
    curve, hours = ("days_from_christmas", "christmas"), ("hour", "year_end_workday")
    for whole_year in (True, False):
        terms = _terms(spec, features, {"whole_year": whole_year})
        found = {_label(term, list(features)) for term in terms}
        assert (curve in found) == whole_year
        assert hours in found
