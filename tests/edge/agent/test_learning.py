"""What a device adds to what its fleet learns, and that it does what the fleet has learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from loopcast_edge.agent.drift import DAY_MS, Days
from loopcast_edge.agent.learning import FEWEST, Lessons, corrected
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.wire import (
    Correction,
    Manifest,
    Output,
    Tensor,
    Update,
    decode,
    encode,
    statistics,
    unpacked,
    week_inputs,
)

from ..centre import STEP_S, Centre
from .device import START, Device

LEARNING = Correction(zone="Australia/Melbourne", day=1, week=0, clip=10.0)
FIRST = START // (STEP_S * 1000)


@pytest.fixture
def manifest() -> Manifest:
    return Centre().package(correction=LEARNING).manifest


def starts(count: int) -> list[int]:
    return [START + number * STEP_S * 1000 for number in range(count)]


def test_what_was_learned_is_added_to_each_output_at_its_own_time(manifest: Manifest) -> None:
    later = Output(name="mean", series="demand", lead=360)
    known = replace(LEARNING, coef=(0.5, -1.0, 2.0))
    golden = replace(manifest.golden[0], output=Tensor.of(np.ones((1, 2))))
    outputs_of_two = (*manifest.outputs, later)
    two = replace(manifest, correction=known, outputs=outputs_of_two, golden=(golden,))
    outputs = np.array([10.0, 20.0], np.float32)
    added = week_inputs(known, [START, START + 360 * STEP_S * 1000]) @ [0.5, -1.0, 2.0]
    found = corrected(outputs, two, FIRST)
    np.testing.assert_allclose(found, outputs + added, rtol=1e-6)
    assert found.dtype == np.float32
    assert corrected(outputs, replace(two, correction=LEARNING), FIRST) is outputs


def learned(manifest: Manifest, errors: NDArray[np.float64]) -> Update:
    lessons = Lessons(Outbox(None).notes)
    for number, error in enumerate(errors):
        lessons.add("a", manifest, FIRST + number, float(error))
    [make] = lessons.take()
    assert lessons.take() == []
    return decode(encode(make("0" * 16, 1)), Update)


def test_what_is_sent_is_of_the_model_alone_and_the_same_whatever_was_added_to_it(
    manifest: Manifest,
) -> None:
    residuals = np.random.default_rng(1).normal(0.0, 1.0, 100)
    expected = statistics(LEARNING, starts(100), residuals.tolist())
    first = learned(manifest, -residuals)
    known = replace(LEARNING, coef=(0.5, -1.0, 2.0))
    added = week_inputs(known, starts(100)) @ [0.5, -1.0, 2.0]
    second = learned(replace(manifest, correction=known), added - residuals)
    for update in (first, second):
        found = unpacked(update.n, update.gram, update.cross, update.squares)
        assert (found.n, update.inputs) == (100, LEARNING.inputs)
        np.testing.assert_allclose(found.gram, expected.gram)
        np.testing.assert_allclose(found.cross, expected.cross, atol=1e-9)
        assert found.squares == pytest.approx(expected.squares)


def test_nothing_is_sent_that_tells_a_single_outcome(manifest: Manifest) -> None:
    days = Days(Outbox(None).notes)
    assert days.ended(START) == []
    assert not days.turns(START + 1)
    assert days.turns(START + DAY_MS)
    for number in range(FEWEST - 1):
        days.lessons.add("a", manifest, FIRST + number, 1.0)
    assert days.ended(START + DAY_MS) == []
    days.lessons.add("a", manifest, FIRST + FEWEST, 1.0)
    assert not days.turns(START + DAY_MS), "what is learned goes home once a day"
    [(channel, make)] = days.ended(START + 2 * DAY_MS)
    update = make("0" * 16, 1)
    assert isinstance(update, Update)
    assert (channel, update.n) == ("up/update", FEWEST)


def test_a_device_learns_and_does_what_the_fleet_has_learned(tmp_path: Path) -> None:
    centre = Centre()
    device = Device(tmp_path, centre)
    package = centre.package(correction=LEARNING)
    device.publish(package)
    device.want(1, package)
    for number in range(30):  # the model says 40.001, and is 1.999 too low
        device.measure(number, 20.0, 42.0)
    device.seconds += DAY_MS / 1000
    device.run(2)
    [update] = device.sent("up/update", Update)
    assert (update.n, update.version) == (30, package.manifest.version)
    assert update.cross[0] == pytest.approx(30 * 1.999, rel=1e-4)
    better = centre.package(2, correction=replace(LEARNING, coef=(1.998, 0.0, 0.0)))
    device.publish(better)
    device.want(2, better)
    number = int(device.seconds) // STEP_S + 1
    [line] = device.measure(number, 20.0, 42.0)
    assert line["outputs"]["mean"] == pytest.approx(42.0, abs=1e-3)


def test_what_was_learned_outlives_the_process(manifest: Manifest) -> None:
    notes = Outbox(None).notes
    known = statistics(LEARNING, starts(FEWEST), [0.25] * FEWEST)
    for number in range(FEWEST):
        lessons = Lessons(notes)
        lessons.add("a", manifest, FIRST + number, -0.25)
        lessons.note()
    [make] = Lessons(notes).take()
    found = make("0" * 16, 1)
    assert found.n == FEWEST
    np.testing.assert_allclose(found.gram, known.triangle)
    np.testing.assert_allclose(found.cross, known.cross)
    assert Lessons(notes).take() == [], "it is learned once"
