"""What is predicted, and by what where the model does not answer."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from loopcast_edge.wire import (
    Assignment,
    Desired,
    Golden,
    Measurement,
    Output,
    Profile,
    Recipe,
    Tensor,
    Trial,
    TruthBatch,
    encode,
    recipe,
)

from .. import models
from ..centre import LOAD, STEP_S, Centre, Package
from .device import ONE, START, Device


def test_the_state_of_a_model_goes_round_and_outlives_the_process(
    device: Device, centre: Centre
) -> None:
    one, three = ONE, Tensor.of(np.full((1, 1), 3.0, np.float32))
    two = Tensor.of(np.full((1, 1), 2.0, np.float32))
    golden = Golden(features=one, state=two, output=three, next_state=three)
    package = centre.package(model=models.counting(), golden=(golden,), state=two)
    device.publish(package)
    device.want(1, package)
    said = [device.measure(number, 10.0)[0]["outputs"]["mean"] for number in range(3)]
    assert said == [12.0, 22.0, 32.0]
    device.agent.stop()
    device.power_cut()
    assert device.measure(3, 10.0)[0]["outputs"]["mean"] == 42.0


def test_fallbacks_when_inputs_are_missing(device: Device, centre: Centre) -> None:
    values = Tensor.of(np.full((168, 1), 33.0, np.float32))
    patient = Trial(seconds=0, predictions=100)
    package = centre.package(profile=Profile(zone="UTC", values=values), trial=patient)
    device.publish(package)
    device.want(1, package)
    assert device.measure(0, None, 40.0) == [], "the temperature may still come"
    late = device.measure(1, 20.0)
    assert [(line["action"], line["outputs"]["mean"]) for line in late] == [
        ("fallback", 33.0),
        ("served", pytest.approx(40.001)),
    ]
    assert "temperature" in late[0]["reason"]
    device.measure(2, 1000.0)
    device.seconds = 3.5 * STEP_S
    [line] = device.agent.overdue()
    assert (line["action"], line["outputs"]["mean"]) == ("fallback", 33.0)


def test_an_absurd_answer_is_none(device: Device, centre: Centre) -> None:
    bounded = (Output(name="mean", series="demand", minimum=-50.0, maximum=100.0),)
    package = centre.package(outputs=bounded, trial=Trial(seconds=0, predictions=100))
    device.publish(package)
    device.want(1, package)
    [line] = device.measure(0, 55.0)
    assert (line["action"], line["outputs"]) == ("refused", {})
    assert line["reason"] == "mean is 110.001, out of its bounds"
    [line] = device.measure(1, 45.0)
    assert line["action"] == "served"


def test_without_a_profile_nothing_answers(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    device.measure(0, 99.0)
    [refused, served] = device.measure(1, 20.0)
    assert (refused["action"], refused["outputs"]) == ("refused", {})
    assert served["action"] == "served"


def test_the_last_good_one_answers_where_the_new_one_cannot(device: Device, centre: Centre) -> None:
    good = centre.package(1)
    device.publish(good)
    device.want(1, good)
    device.measure(0, 20.0)
    device.measure(1, 20.0)
    device.run(2)
    odd = centre.package(
        2, models.linear([[1e38]], [0.0]), expected=1e38, trial=Trial(predictions=100)
    )
    device.publish(odd)
    device.want(2, odd)
    assert device.state_of(odd).stage == "trial", device.state_of(odd).reason
    [line] = device.measure(2, 50.0)
    assert line["action"] == "fallback"
    assert line["version"] == good.manifest.version
    assert line["outputs"]["mean"] == pytest.approx(100.001)


def test_requests_with_keys(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    [line] = device.agent.measured([{"key": "order 1", "temperature": 10.0}])
    assert (line["key"], line["outputs"]["mean"]) == ("order 1", pytest.approx(20.001))
    for _ in range(2):
        device.agent.measured([{"key": "order 1", "outcome": 21.0, "model": "demand"}])
    assert device.state_of(package).errors.n == 1
    device.run(40)
    assert [each.key for each in device.sent("up/truth", TruthBatch)[0].outcomes] == ["order 1"]


def scorecard(centre: Centre) -> Package:
    """A package that answers requests: income plus ten times the age, −1 for what is missing."""
    names = ("income", "age")
    golden = Golden(features=Tensor.of(np.ones((1, 2))), output=Tensor.of(np.full((1, 1), 11.0)))
    return centre.package(
        model=models.linear([[1.0, 10.0]], [0.0]),
        logical_model="risk",
        recipe=Recipe(
            step_seconds=1,
            measurements=tuple(Measurement(name=name, required=False) for name in names),
            steps=tuple(recipe.Number(name=name, of=name, missing=-1.0) for name in names),
            features=names,
        ),
        outputs=(Output(name="points"),),
        golden=(golden,),
    )


def test_a_request_knows_nothing_of_another(device: Device, centre: Centre) -> None:
    package = scorecard(centre)
    device.publish(package)
    device.want(1, package)
    lines = [
        {"key": "ann", "income": 300.0, "age": 50.0},
        {"key": "ben", "age": 20.0},
        {"key": "cleo", "income": 7.0},
    ]
    answers = device.agent.measured(lines)
    assert [each["outputs"]["points"] for each in answers] == [800.0, 199.0, -3.0]


def test_each_model_is_asked_what_concerns_it(
    device: Device, centre: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    forecast, risk = centre.package(), scorecard(centre)
    device.publish(forecast, risk)
    both = tuple(
        Assignment(logical_model=name, segment="", manifest=each.digest, role="champion")
        for name, each in (("demand", forecast), ("risk", risk))
    )
    device.broker.send(device.topic("desired"), encode(Desired(sequence=1, packages=both)))
    device.run()
    answers = device.agent.measured([{"key": "ann", "income": 300.0, "age": 50.0}])
    assert [each["model"] for each in answers] == ["risk"]
    answers = [line for number in range(3) for line in device.measure(number, 20.0)]
    assert [each["model"] for each in answers] == ["demand"] * 3
    assert device.agent.measured([{"key": "ann", "wind": 3.0}]) == []
    assert "'ann': no model here reads any of its values" in caplog.text
    assert {device.state_of(each).fallbacks for each in (forecast, risk)} == {0}


def test_an_interval_is_answered_once_though_power_was_gone(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    assert len(device.measure(0, 20.0, 40.0)) == 1
    device.power_cut()
    assert device.measure(0, 20.0, 40.0) == []
    assert len(device.measure(1, 20.0, 40.0)) == 1
    device.run(40)
    assert len(device.events()) == len(device.outcomes()) == 2


def test_a_clock_that_ran_ahead_keeps_nothing_from_being_answered(
    device: Device, centre: Centre
) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    year_s = 365 * 86_400
    for off_s in (0, 3 * year_s, -40 * year_s, 0):  # right, ahead, without a memory, right again
        device.seconds += off_s
        for lines in (device.agent.measured([{"temperature": 20.0}]) for _ in range(5)):
            assert [each["action"] for each in lines] == ["served"]
            assert device.agent.measured([{"temperature": 20.0}]) == [], "once"
            device.seconds += STEP_S
        device.seconds -= off_s
        device.agent.stop()
        device.power_cut()


def test_a_measurement_of_a_wrong_year_keeps_nothing_from_being_answered(
    device: Device, centre: Centre
) -> None:
    """Nor does it take the place of what is measured; and a clock may know less than sensors."""
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    device.seconds -= START / 1000  # 1970
    assert len(device.measure(0, 20.0)) == 1
    assert device.measure(0, 20.0, 40.0) == [], "once, whatever the clock says"
    for number in (60 * 24 * 365, 60 * 24 * 365 + 1):
        device.measure(number, 20.0)
    answers = [line for number in range(1, 5) for line in device.measure(number, 20.0)]
    assert [each["action"] for each in answers] == ["served"] * 4


def test_a_package_of_longer_intervals_answers_from_the_next_one(
    device: Device, centre: Centre
) -> None:
    short = centre.package(1)
    longer = centre.package(2, recipe=replace(LOAD, step_seconds=30 * STEP_S))
    device.publish(short, longer)
    device.want(1, short)
    first = (-START // (STEP_S * 1000)) % 30  # of the minutes, the first that begins half an hour
    assert len(device.measure(first + 7, 20.0)) == 1
    device.want(2, longer)
    assert device.measure(first + 8, 20.0) == [], "of this half hour, a part is answered"
    [line] = device.measure(first + 30, 20.0)
    assert line["version"] == longer.manifest.version
    assert "|30min|" in line["key"]
