"""A forecast as a .tflite file: of one series, compared over the horizon of its scenario."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    DeviceCall,
    Forecast,
    ForecastData,
    IntegrityError,
    ModelError,
    Portable,
    Site,
)
from loopcast.api import graph as g
from loopcast.api import recipe as r
from loopcast.deploy.export.export import Exported, export
from loopcast.deploy.export.forms import Names
from loopcast.deploy.forecast_scenario import scenario_bytes

ORIGIN = pd.Timestamp("2024-03-02", tz="UTC")


def panel(*series: str) -> ForecastData:
    times = pd.date_range("2024-03-01", periods=48, freq="1h", tz="UTC")
    values = {name: np.arange(48.0) * (k + 1) for k, name in enumerate(series)}
    return ForecastData(
        target=pd.DataFrame(values, index=times),
        covariates={"temperature": pd.DataFrame({"here": np.sin(np.arange(48.0))}, index=times)},
        sites={"here": Site(timezone="UTC")},
        site_of=dict.fromkeys(series, "here"),
        step="1h",
        timezone="UTC",
    )


@dataclass
class Persistent:
    """The last actual, which the state has, and twice the temperature."""

    forgets: bool = False

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        temperature = known.covariates["temperature"].loc[horizon, "here"].to_numpy()
        return Forecast(mean=known.target.iloc[-1].to_numpy() + 2.0 * temperature[:, None])

    def to_graph(self, known: ForecastData, series: str) -> Portable:
        kept = g.Constant((0.0,)) if self.forgets else g.State()
        twice = g.Linear(g.Features(), np.array([[2.0]]), np.zeros(1))
        graph = g.Graph(
            features=("temperature",),
            output=g.Sum((twice, kept)),
            outputs=("mean",),
            state=1,
            next_state=g.State(),
        )
        measured = (r.Measurement(name="temperature"), r.Measurement(name=series))
        recipe = r.Recipe(
            step_seconds=3600,
            measurements=measured,
            steps=(r.Number(name="temperature", of="temperature"),),
            features=("temperature",),
            target=series,
        )
        return Portable(graph=graph, recipe=recipe)

    def device_call(
        self, known: ForecastData, horizon: pd.DatetimeIndex, series: str
    ) -> DeviceCall:
        temperature = known.covariates["temperature"].loc[horizon].to_numpy(np.float64)
        return DeviceCall(features=temperature, state=known.target[[series]].iloc[-1:].to_numpy())


def exported(model: Any, *series: str, of: str = "") -> Exported:
    data = panel(*series)
    known = data.until(ORIGIN, ORIGIN + pd.Timedelta("1D"))
    horizon = pd.date_range(ORIGIN, periods=24, freq="1h")
    answer = Persistent().predict(known, horizon).mean
    loaded: Any = SimpleNamespace(
        models={"1h": SimpleNamespace(model=model)},
        version=SimpleNamespace(id="0123456789abcdef", template="example.persistent"),
        logical_model=SimpleNamespace(name="load", task="forecast"),
        bundle=SimpleNamespace(files={"scenarios/1h.npz": scenario_bytes(data, ORIGIN, answer)}),
    )
    return export(loaded, "tflite", Names("t", "k"), series=of)


def test_a_series_is_compared_over_its_horizon_with_its_state() -> None:
    done = exported(Persistent(), "a")
    assert done.rows == 24
    assert done.worst["LiteRT"] < 1e-6
    assert exported(Persistent(), "a", "b", of="b").worst["LiteRT"] < 1e-6
    with pytest.raises(IntegrityError, match="run by LiteRT, differs from the model"):
        exported(Persistent(forgets=True), "a")


def test_one_series_has_to_be_meant() -> None:
    with pytest.raises(ModelError, match=r"'' is none of the version; give one of a, b: --series"):
        exported(Persistent(), "a", "b")
    with pytest.raises(ModelError, match="'c' is none of the version"):
        exported(Persistent(), "a", of="c")


@pytest.mark.parametrize("what", ["to_graph", "device_call"])
def test_what_a_template_raises_names_it(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(Persistent, what, lambda *_: int("knots"))
    with pytest.raises(
        ModelError, match=rf"example\.persistent: {what} raised ValueError: .*knots"
    ):
        exported(Persistent(), "a")


def test_a_template_without_a_graph_says_so() -> None:
    with pytest.raises(ModelError, match=r"example\.persistent has no export to tflite"):
        exported(object(), "a")
