"""Days are counted once, whatever happens to the process."""

from __future__ import annotations

import math
import sqlite3
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast_edge.agent.drift import Days, Row
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.wire import SketchDay, empty_sketch, unpack_sketch

from ..centre import Centre
from .device import REFERENCE, START, Device

DAY_S = 86_400.0


@pytest.fixture
def counting(device: Device, centre: Centre) -> Device:
    """A device that runs a package with a reference."""
    package = centre.package(reference=REFERENCE)
    device.publish(package)
    device.want(1, package)
    return device


def day_of(device: Device) -> SketchDay:
    """The day that goes home when it is over."""
    device.seconds += DAY_S
    device.run(2)
    [day] = {each.sequence: each for each in device.sent("up/sketch", SketchDay)}.values()
    assert isinstance(day, SketchDay)
    return day


def test_a_day_of_sketches_goes_home(counting: Device) -> None:
    for number in range(4):
        counting.measure(number, 20.0, 41.0)
    day = day_of(counting)
    assert (day.rows, day.errors.n, day.day) == (4, 4, START // 86_400_000)
    sketch = unpack_sketch(REFERENCE, day.counts, day.moments)
    assert [counts.tolist() for counts in sketch.counts] == [
        [0, 0, 4, 0, 0],
        [0, 4, 0, 0],
        [0, 4, 0, 0],
    ]


def test_a_day_that_a_clock_ahead_began_is_not_waited_for(counting: Device) -> None:
    counting.seconds += 1000 * DAY_S
    counting.agent.measured([{"temperature": 20.0}])
    counting.seconds -= 1000 * DAY_S
    counting.agent.measured([{"temperature": 20.0}])
    counting.run(2)
    counting.seconds += DAY_S
    counting.run(2)
    sent = {each.sequence: each for each in counting.sent("up/sketch", SketchDay)}
    today = START // 86_400_000
    assert [(day.day, day.rows) for day in sent.values()] == [(today + 1000, 1), (today, 1)]


def test_a_package_without_a_reference_tells_its_errors(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    device.measure(0, 20.0, 41.0)
    device.power_cut()
    device.measure(1, 20.0, 38.0)
    day = day_of(device)
    assert (day.bins, day.rows, day.counts, day.moments) == ("0" * 16, 2, b"", b"")
    assert day.errors.n == 2
    assert day.errors.total == pytest.approx(-0.999 + 2.001, abs=1e-5)


def test_a_day_goes_on_after_power_was_gone(counting: Device) -> None:
    """Of three lives the first ends as it should, the second by a cut, and all is one day."""
    for number in range(3):
        counting.measure(number, 20.0, 41.0)
    counting.agent.stop()
    counting.power_cut()
    for number in range(3, 5):
        counting.measure(number, 5.0, 11.0)
    counting.power_cut()
    counting.measure(5, 40.0, 82.0)
    day = day_of(counting)
    assert (day.rows, day.errors.n) == (6, 6)
    assert day.errors.absolute == pytest.approx(3 * 0.999 + 2 * 0.999 + 1.999)
    assert day.slowest_us > 0
    sketch = unpack_sketch(REFERENCE, day.counts, day.moments)
    whole = empty_sketch(REFERENCE)
    temperatures = [20.0] * 3 + [5.0] * 2 + [40.0]
    said = [2 * each + 0.001 for each in temperatures]
    outcomes = [41.0] * 3 + [11.0] * 2 + [82.0]
    errors = [one - other for one, other in zip(said, outcomes, strict=True)]
    whole.add({"temperature": temperatures, "output.mean": said, "error": errors})
    for ours, theirs in zip(sketch.counts, whole.counts, strict=True):
        assert ours.tolist() == theirs.tolist()
    np.testing.assert_allclose(sketch.moments, whole.moments, rtol=1e-4)


def test_an_outcome_is_counted_though_the_process_that_predicted_it_is_gone(
    counting: Device,
) -> None:
    counting.measure(0, 20.0)
    counting.power_cut()
    counting.measure(0, 20.0, 42.0)
    counting.power_cut()
    counting.measure(0, 20.0, 42.0)
    day = day_of(counting)
    assert (day.rows, day.errors.n) == (1, 1)
    assert day.errors.absolute == pytest.approx(1.999)
    counting.run(40)
    assert len(counting.outcomes()) == 1


def test_a_line_of_the_next_day_ends_the_one_before(counting: Device) -> None:
    """Lines that come together are of their own days."""
    counting.measure(0, 20.0, 41.0)
    counting.seconds += DAY_S
    counting.measure(1440, 20.0, 41.0)
    counting.measure(1441, 20.0, 41.0)
    counting.seconds += DAY_S
    counting.run(2)
    days = {each.day: each.rows for each in counting.sent("up/sketch", SketchDay)}
    assert days == {START // 86_400_000: 1, START // 86_400_000 + 1: 2}


class PowerError(Exception):
    """The power is gone."""


class Failing(sqlite3.Connection):
    """A database whose power goes after some statements."""

    left: float = math.inf

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        Failing.left -= 1
        if Failing.left < 0:
            raise PowerError
        return super().execute(*arguments)


def live(device: Device, random: Random, statements: int) -> None:
    """Measure until the power is gone."""
    Failing.left = statements
    try:
        while True:
            number = random.randrange(200)
            device.measure(number, random.uniform(-5.0, 35.0), random.uniform(0.0, 60.0))
    except PowerError:
        Failing.left = math.inf


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 400), min_size=1, max_size=3))
@settings(max_examples=6, deadline=None)
def test_what_is_counted_is_what_happened(seed: int, cuts: list[int]) -> None:
    """Power goes at any statement of the database; there is a count for each event all the same."""
    failing = partial(sqlite3.connect, factory=Failing)
    with TemporaryDirectory() as folder, mock.patch("sqlite3.connect", failing):
        device = Device(Path(folder), centre := Centre())
        package = centre.package(reference=REFERENCE)
        device.publish(package)
        device.want(1, package)
        random = Random(seed)
        for statements in cuts:
            live(device, random, statements)
            device.power_cut()
        device.measure(200, 20.0, 40.0)
        day = day_of(device)
        device.run(40)
        keys, outcomes = device.events(), device.outcomes()
        device.outbox.close()
    assert len(set(keys)) == len(keys) == day.rows
    assert len(set(outcomes)) == len(outcomes)
    assert day.errors.n == len(set(outcomes) & set(keys))


def test_a_note_of_another_version_is_left_behind() -> None:
    notes = Outbox(None).notes
    manifest = Centre().package(reference=REFERENCE).manifest
    days = Days(notes)
    days.count(Row("a" * 64, manifest, "champion", {"temperature": 20.0}, 100), START)
    days.note()
    notes.write("counts/" + "a" * 64, {"rows": 1})
    [(_, make)] = Days(notes).ended(START + 86_400_000)
    batch = make("0" * 16, 1)
    assert isinstance(batch, SketchDay)
    assert batch.rows == 0
    notes.write("day/" + "b" * 64, "what")
    assert Days(notes).ended(START + 2 * 86_400_000) == []
