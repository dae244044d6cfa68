"""A device makes the features of a forecast as the model does, and forecasts the same from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ForecastData
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast_edge.agent.features import Features
from loopcast_edge.agent.package import load
from loopcast_edge.agent.predict import ask
from loopcast_edge.agent.readings import Readings
from loopcast_edge.agent.runtime import Model
from loopcast_edge.agent.slots import Package
from loopcast_edge.wire import Golden, Tensor, encode
from loopcast_forecasting.additive.model import HybridModel

from ...edge.centre import Centre
from .conftest import SERIES, ZONE

STEP = pd.Timedelta("1h")


def measured(data: ForecastData, until: pd.Timestamp) -> dict[float, dict[str, Any]]:
    """What a device reads in the five weeks before a time, by the second."""
    temperature: dict[Any, float] = data.covariates["temperature"]["melbourne"].to_dict()
    target: dict[Any, float] = data.target[SERIES].to_dict()
    rows: dict[float, dict[str, Any]] = {}
    for time in pd.date_range(until - pd.Timedelta("36D"), until, freq=STEP):
        rows[time.timestamp()] = {"temperature": temperature[time]}
        if time < until:
            rows[time.timestamp()][SERIES] = target[time]
    return rows


@pytest.mark.parametrize(
    "time",
    [
        "2014-04-06 03:00",  # the clock was turned back an hour ago
        "2014-10-05 03:00",  # the clock was turned forward
        "2014-11-03 09:00",  # the day before a holiday
        "2014-11-04 15:00",  # the holiday
        "2014-12-24 18:00",
        "2014-12-31 23:00",
        "2014-08-17 00:00",
    ],
)
def test_features_of_any_hour_are_those_of_the_model(
    model: HybridModel, data: ForecastData, time: str
) -> None:
    at = pd.Timestamp(time, tz=ZONE)
    horizon = pd.date_range(at, periods=1, freq=STEP)
    known = data.until(at, at + STEP)
    expected = model.device_call(known, horizon, SERIES).features
    recipe = model.to_graph(data, SERIES).recipe
    readings = Readings()
    features = Features(recipe, readings)
    for second, values in measured(data, at).items():
        readings.write(second, values)
    row = features.row(features.interval(at.timestamp()))
    assert row.missing == ()
    differs = {
        name: (float(a), float(b))
        for name, a, b in zip(recipe.columns, row.features[0], expected[0], strict=True)
        if not np.isclose(a, b, rtol=1e-6, atol=1e-6)
    }
    assert not differs


def test_a_device_forecasts_a_day_hour_by_hour_as_the_model_does(
    model: HybridModel, data: ForecastData
) -> None:
    """From a state of a week of calls that began with none."""
    portable = model.to_graph(data, SERIES)
    device = Model(write_tflite(portable.graph).content)
    readings = Readings()
    features = Features(portable.recipe, readings)
    day = pd.Timestamp("2014-08-20", tz=ZONE)
    first, state, answers = day - pd.Timedelta("8D"), None, []
    last = day + pd.Timedelta("23h")
    for second, values in measured(data, last).items():
        interval = features.interval(second)
        if second >= first.timestamp():
            # The target of an hour is measured when the hour is over.
            readings.write(second, {"temperature": values["temperature"]})
            output, state = device.predict(features.row(interval).features, state)
            answers.append(float(output[0, 0]))
        readings.write(second, values)
    horizon = pd.date_range(day, periods=24, freq=STEP)
    expected = model.predict(data.until(day, last + STEP), horizon).mean[:, 0]
    np.testing.assert_allclose(answers[-24:], expected, rtol=1e-5)


@pytest.mark.parametrize(("left_out", "action"), [(SERIES, "served"), ("temperature", "refused")])
def test_a_device_answers_without_the_last_actual_and_not_without_the_weather(
    model: HybridModel, data: ForecastData, left_out: str, action: str
) -> None:
    portable = model.to_graph(data, SERIES)
    nothing = Tensor.of(np.zeros((1, 1), np.float32))
    features = Tensor.of(np.zeros((1, len(portable.recipe.columns)), np.float32))
    state = Tensor.of(np.zeros((1, portable.graph.state), np.float32))
    golden = Golden(features=features, output=nothing, state=state, next_state=state)
    made = Centre().package(
        model=write_tflite(portable.graph).content,
        recipe=portable.recipe,
        golden=(golden,),
        state=state,
    )
    readings = Readings()
    loaded = load(Package(encode(made.envelope), made.model), made.digest, readings)
    at = pd.Timestamp("2014-08-20 10:00", tz=ZONE)
    for second, values in measured(data, at).items():
        late = second >= (at - STEP).timestamp()
        readings.write(second, {k: v for k, v in values.items() if not (late and k == left_out)})
    answer = ask(loaded, loaded.features.interval(at.timestamp()), state.array())
    assert answer.action == action
    if answer.outputs is not None:
        assert answer.outputs == pytest.approx([data.target[SERIES][at]], rel=0.1)
