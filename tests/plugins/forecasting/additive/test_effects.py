from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from loopcast.api import Effect, ForecastData, ModelError, Surface
from loopcast_forecasting.additive.effects import Explainer
from loopcast_forecasting.additive.model import HybridModel


@pytest.fixture(scope="module")
def homes(model: HybridModel) -> tuple[Effect | Surface, ...]:
    return model.effects(["homes"])


def curves(effects: tuple[Effect | Surface, ...], title: str) -> list[Effect]:
    return [e for e in effects if isinstance(e, Effect) and e.title == title]


def test_titles_units_and_shapes(homes: tuple[Effect | Surface, ...]) -> None:
    units = {effect.title: effect.unit for effect in homes if isinstance(effect, Effect)}
    assert units["time of day"] == "h"
    assert units["temperature"] == "°C"
    assert units["day of year"] == "day"
    assert units["temperature, smoothed over 24 h"] == "°C"
    for effect in homes:
        assert effect.series == "homes"
        assert np.isfinite(effect.value).all()
        if isinstance(effect, Effect):
            assert effect.value.shape == effect.low.shape == effect.high.shape == effect.x.shape
            assert np.all(effect.low <= effect.value)
            assert np.all(effect.value <= effect.high)


def test_a_curve_for_each_day_type_on_one_scale(homes: tuple[Effect | Surface, ...]) -> None:
    by = {curve.by: curve.value for curve in curves(homes, "time of day")}
    assert len(by) == 7
    # The simulated weekend is a tenth lower all day.
    assert by["Saturday"].mean() - by["Wednesday"].mean() == pytest.approx(-10, abs=3)
    assert np.mean(list(by.values())) == pytest.approx(0, abs=2)


def test_the_simulated_curve_of_temperature_is_found(
    model: HybridModel, homes: tuple[Effect | Surface, ...]
) -> None:
    (curve,) = curves(homes, "temperature")
    series = next(s.series for s in model.sites if "homes" in s.series.names)
    level = series.level[series.names.index("homes")]
    truth = 0.01 * (curve.x - 16) ** 2
    found = np.log1p(curve.value / level)
    middle = slice(8, -8)
    np.testing.assert_allclose(
        found[middle] - found[middle].mean(), truth[middle] - truth[middle].mean(), atol=0.05
    )


def test_temperature_by_time_of_day(homes: tuple[Effect | Surface, ...]) -> None:
    (surface,) = [effect for effect in homes if isinstance(effect, Surface)]
    assert surface.value.shape == (len(surface.y), len(surface.x))
    assert (surface.x_title, surface.y_title) == ("time of day", "temperature")
    assert (surface.x.min(), surface.x.max()) == (0, 24)


def test_averages_are_averages_of_the_model(model: HybridModel) -> None:
    """An effect at one setting is the mean prediction of its terms over the sample."""
    site = next(site for site in model.sites if "homes" in site.series.names)
    assert site.gam is not None
    gam = site.gam.only([site.series.names.index("homes")])
    explainer = Explainer(gam=gam, sample=site.sample, level=None)
    columns = explainer.contrasts({"temperature": np.array([21.0])}, {"temperature"})
    X = site.sample.copy()
    X[:, explainer.names.index("temperature")] = 21.0
    with_it = [k for k, s in enumerate(gam.terms) if "temperature," in s or "temperature)" in s]
    dense = gam.design.matrix(X).toarray()
    expected = np.zeros(gam.design.n_coefs)
    for k, (_, where) in enumerate(gam.design.slices()):
        if k in with_it:
            expected[where] = dense[:, where].mean(axis=0)
    np.testing.assert_allclose(columns[0], expected, atol=1e-12)


def test_standard_errors_are_those_of_the_covariance(model: HybridModel) -> None:
    site = next(site for site in model.sites if "homes" in site.series.names)
    assert site.gam is not None
    gam = site.gam.only([site.series.names.index("homes")])
    explainer = Explainer(gam=gam, sample=site.sample, level=None)
    columns = explainer.contrasts({"temperature": np.linspace(10, 20, 3)}, {"temperature"})
    value, low, high = explainer.evaluate(columns)
    error = np.sqrt(np.einsum("ij,jk,ik->i", columns, gam.covariance(0), columns))
    np.testing.assert_allclose(high - value, 2 * error, rtol=1e-6)
    np.testing.assert_allclose(value - low, 2 * error, rtol=1e-6)


def test_days_of_the_week_and_other_covariates(
    panel: ForecastData, fit: Callable[..., HybridModel]
) -> None:
    frame = panel.covariates["temperature"]
    rain = (frame * 0).where(frame < 18, 1.0)
    wind = frame * 0.5 + np.sin(np.arange(len(frame)))[:, None]
    rich = replace(
        panel,
        target=panel.target[["homes", "still"]],
        covariates=dict(panel.covariates) | {"wind_speed": wind, "rain": rain},
    )
    effects = fit(rich, trend="on").effects(["homes", "still"])
    titles = {effect.title for effect in effects}
    assert {"wind speed", "special days", "trend, years to the end of training"} <= titles
    (special,) = curves(effects, "special days")
    assert "rain" in special.labels
    assert "holiday, against a Sunday" in special.labels


def test_a_series_without_a_model_has_no_effects(model: HybridModel) -> None:
    assert model.effects(["still"]) == ()
    with pytest.raises(ModelError, match="'dead' has no effects: all 2401 actuals are missing"):
        model.effects(["dead"])
