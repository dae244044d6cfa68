"""A model's state has come through every interval, asked about or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from loopcast_edge.agent.carried import Carried, state_at
from loopcast_edge.agent.package import MOST_MISSED, Loaded, load
from loopcast_edge.agent.predict import ask
from loopcast_edge.agent.readings import Readings
from loopcast_edge.agent.slots import Package
from loopcast_edge.wire import Golden, Output, Tensor, encode

from .. import models
from ..centre import STEP_S, Centre

START = 1_000_000


@pytest.fixture
def readings() -> Readings:
    return Readings()


@pytest.fixture
def loaded(readings: Readings) -> Loaded:
    """A model that says the sum of all temperatures since its state was two."""
    one, two, three = (Tensor.of(np.full((1, 1), n, np.float32)) for n in (1.0, 2.0, 3.0))
    golden = Golden(features=one, state=two, output=three, next_state=three)
    mean = Output(name="mean", maximum=1e6)
    made = Centre().package(model=models.counting(), golden=(golden,), state=two, outputs=(mean,))
    return load(Package(encode(made.envelope), made.model), made.digest, readings)


def measure(readings: Readings, intervals: Sequence[int]) -> None:
    for interval in intervals:
        readings.write(float(interval * STEP_S), {"temperature": 10.0})


def after(loaded: Loaded, interval: int, carried: Carried | None) -> Carried:
    before = state_at(loaded, interval, carried)
    assert before is not None
    answer = ask(loaded, interval, before)
    assert answer.state is not None
    return Carried(interval, before, answer.state)


@pytest.mark.parametrize("missed", [0, 1, 7, MOST_MISSED - 1])
def test_a_gap_is_made_good_by_what_was_measured_in_it(
    loaded: Loaded, readings: Readings, missed: int
) -> None:
    measure(readings, range(START, START + missed + 2))
    last = after(loaded, START, None)
    assert after(loaded, START + missed + 1, last).after == 2.0 + 10.0 * (missed + 2)


def test_after_a_long_gap_a_model_begins_anew(loaded: Loaded, readings: Readings) -> None:
    later = START + MOST_MISSED + 1
    measure(readings, [START, later])
    assert after(loaded, later, after(loaded, START, None)).after == 12.0


def test_after_a_clock_that_ran_ahead_a_model_begins_anew_and_goes_on(
    loaded: Loaded, readings: Readings
) -> None:
    measure(readings, [START, START + 1])
    ahead = Carried(START + 10**6, np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32))
    again = after(loaded, START, ahead)
    assert again.after == 12.0
    assert after(loaded, START + 1, again).after == 22.0


def test_after_an_absurd_answer_a_model_begins_anew(loaded: Loaded, readings: Readings) -> None:
    measure(readings, [START, START + 1])
    absurd = Carried(START - 1, np.zeros((1, 1), np.float32), np.full((1, 1), 1e9, np.float32))
    assert ask(loaded, START, state_at(loaded, START, absurd)).action == "refused"
    again = after(loaded, START, absurd)
    assert again.after == 2.0 + 10.0
    assert after(loaded, START + 1, again).after == 2.0 + 20.0


def test_an_interval_that_was_asked_about_is_asked_as_it_was(
    loaded: Loaded, readings: Readings
) -> None:
    measure(readings, [START, START + 1])
    last = after(loaded, START + 1, after(loaded, START, None))
    assert state_at(loaded, START + 1, last) == 12.0
    assert state_at(loaded, START, last) == 12.0


def test_a_state_comes_back_from_the_disk_as_it_was(loaded: Loaded, readings: Readings) -> None:
    measure(readings, [START])
    last = after(loaded, START, None)
    assert Carried.restored(last.kept()) == last
    assert last.fits(loaded)
    assert not Carried(START, np.zeros((1, 2), np.float32), last.after).fits(loaded)
