"""What a broken meter or a damaged state costs a forecast that remembers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ForecastData
from loopcast.api import graph as g
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast_edge.agent.carried import Carried, state_at
from loopcast_edge.agent.package import Loaded, load
from loopcast_edge.agent.predict import Answer, ask
from loopcast_edge.agent.readings import Readings
from loopcast_edge.agent.slots import Package
from loopcast_edge.wire import Golden, Measurement, Output, Recipe, Tensor, encode, recipe
from loopcast_forecasting.additive.model import HybridModel

from ...edge.centre import Centre
from .conftest import SERIES, ZONE
from .test_features import measured

DAY = pd.Timestamp("2014-08-20", tz=ZONE)
BROKEN = DAY + pd.Timedelta("5h")
BOUNDS = {"minimum": 500.0, "maximum": 14_000.0}


def loaded(content: bytes, plan: Recipe, width: int, **bounds: Any) -> tuple[Loaded, Readings]:
    """A package with a state of so many numbers, whose answers and target have bounds."""
    readings = Readings()
    nothing, features, answer = (
        Tensor.of(np.zeros((1, size), np.float32)) for size in (width, len(plan.columns), 1)
    )
    golden = Golden(features=features, state=nothing, output=answer, next_state=nothing)
    made = Centre().package(
        model=content,
        recipe=plan,
        golden=(golden,),
        state=nothing,
        outputs=(Output(name="mean", series=SERIES, **bounds),),
    )
    package = Package(encode(made.envelope), made.model)
    return load(package, made.digest, readings), readings


class Hours:
    """A device that asks a model about each hour, and hears the target when it is over."""

    def __init__(self, found: tuple[Loaded, Readings]) -> None:
        self.loaded, self.readings = found
        self.carried: Carried | None = None

    def asked(self, second: float, before: dict[str, Any], then: dict[str, Any]) -> Answer:
        self.readings.write(second, before)
        interval = self.loaded.features.interval(second)
        state = state_at(self.loaded, interval, self.carried)
        answer = ask(self.loaded, interval, state)
        if answer.state is not None:
            assert state is not None
            self.carried = Carried(interval, state, answer.state)
        self.readings.write(second, then)
        return answer


def forecasts(
    model: HybridModel, data: ForecastData, broken: float | None, **bounds: Any
) -> list[float]:
    """Forecasts of three days, hour by hour; one meter reading is another than it was."""
    portable = model.to_graph(data, SERIES)
    content = write_tflite(portable.graph).content
    device = Hours(loaded(content, portable.recipe, portable.graph.state, **bounds))
    said = []
    for second, values in measured(data, DAY + pd.Timedelta("47h")).items():
        if second < (DAY - pd.Timedelta("8D")).timestamp():
            device.readings.write(second, values)
            continue
        told = {SERIES: values.get(SERIES, math.nan)}
        if second == BROKEN.timestamp():
            told = {} if broken is None else {SERIES: broken}
        answer = device.asked(second, {"temperature": values["temperature"]}, told)
        said.append(math.nan if answer.outputs is None else float(answer.outputs[0]))
    return said[-42:]


def test_an_absurd_target_is_a_missing_one(model: HybridModel, data: ForecastData) -> None:
    """No answer is lost, and what the model remembers is what it was without the reading."""
    without = forecasts(model, data, None, **BOUNDS)
    assert np.isfinite(without).all()
    for broken in (60.0, 65_535.0):
        assert forecasts(model, data, broken, **BOUNDS) == without
    believed = forecasts(model, data, 65_535.0)
    assert np.abs(np.divide(believed, without) - 1.0).max() > 0.02


def test_an_absurd_target_is_an_outcome_all_the_same(
    model: HybridModel, data: ForecastData
) -> None:
    portable = model.to_graph(data, SERIES)
    content = write_tflite(portable.graph).content
    found, readings = loaded(content, portable.recipe, portable.graph.state, **BOUNDS)
    readings.write(BROKEN.timestamp(), {SERIES: 65_535.0})
    interval = found.features.interval(BROKEN.timestamp())
    assert found.features.outcome(interval) == 65_535.0
    assert found.features.row(interval).inputs[SERIES] is None


SUM = Recipe(
    step_seconds=3600,
    measurements=(Measurement(name="warmth"),),
    steps=(recipe.Number(name="warm", of="warmth"),),
    features=("warm",),
)


def running_sum() -> Hours:
    """The sum of what was measured since its state was zero, and what was not counts as nothing."""
    total = g.Sum((g.State(), g.Filled(g.Features())))
    graph = g.Graph(
        features=("warmth",), output=total, outputs=("mean",), state=1, next_state=total
    )
    return Hours(loaded(write_tflite(graph).content, SUM, 1, maximum=1_000.0))


def hour(number: int) -> float:
    return 3600.0 * (400_000 + number)


def test_a_row_that_is_absurd_costs_its_own_answer_alone() -> None:
    device = running_sum()
    said = [device.asked(hour(n), {"warmth": w}, {}) for n, w in enumerate((10.0, 5e6, 7.0))]
    assert [each.action for each in said] == ["served", "refused", "served"]
    assert said[1].reason == "mean is 5.00001e+06, out of its bounds; its state is kept"
    assert said[2].outputs == pytest.approx([17.0])


def test_a_state_that_is_absurd_begins_anew() -> None:
    device = running_sum()
    device.asked(hour(0), {"warmth": 10.0}, {})
    assert device.carried is not None
    device.carried = device.carried._replace(after=np.full((1, 1), 1e9, np.float32))
    said = [device.asked(hour(n), {"warmth": 5.0}, {}) for n in (1, 2)]
    assert [each.action for each in said] == ["refused", "served"]
    assert said[0].reason.endswith("its state begins anew")
    assert said[1].outputs == pytest.approx([10.0])
