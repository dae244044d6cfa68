"""Lists of a device: the items by their names, scores as numbers, and what was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast_edge.wire import (
    DriftReference,
    EventBatch,
    Golden,
    Measurement,
    Output,
    Recipe,
    ReferenceColumn,
    SketchDay,
    Tensor,
    Trial,
    TruthBatch,
    empty_sketch,
    recipe,
)

from .. import models
from ..centre import Centre, Package
from .device import Device

FILMS = ("Heat (1995)", "Seven, or Se7en", "Ran")
NOTHING, ALL = [2.0, 0.0, 0.75, 0.5], [3.0, -1.0, 1.75, 0.0]
REFERENCE = DriftReference(
    digest="cd" * 8, columns=(ReferenceColumn(name="output.score 1", edges=(1.0, 2.0)),)
)


@pytest.fixture
def package(centre: Centre) -> Package:
    """A list of two: Ran, and then Heat, unless it is chosen; with Seven, a place of nothing."""
    weights = [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-0.5, 0.0, 0.0]]
    features = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]], np.float32)
    places = [
        Output(name=f"item {place}", place_in="films", minimum=-1.0, maximum=2.0)
        for place in (1, 2)
    ]
    scores = [Output(name=f"score {place}", beside=f"item {place}") for place in (1, 2)]
    return centre.package(
        model=models.linear(weights, NOTHING),
        recipe=Recipe(
            step_seconds=1,
            measurements=(Measurement(name="chosen", kind="items"),),
            steps=(recipe.Chosen(name="films", of="chosen", known=FILMS),),
            features=("films",),
        ),
        outputs=(*places, *scores),
        golden=(Golden(features=Tensor.of(features), output=Tensor.of(np.array([NOTHING, ALL]))),),
        trial=Trial(seconds=0, predictions=1000, outcomes=1, error_limit=0.1),
        reference=REFERENCE,
    )


@pytest.fixture
def device(device: Device, package: Package) -> Device:
    device.publish(package)
    device.want(1, package)
    return device


def said(device: Device, *chosen: str) -> dict[str, Any]:
    [line] = device.agent.measured([{"key": "ann", "chosen": chosen}])
    return dict(line)


def test_a_list_says_its_items_by_their_names(device: Device) -> None:
    assert said(device, "Ran")["outputs"] == {
        "item 1": "Ran", "item 2": "Heat (1995)", "score 1": 0.75, "score 2": 0.5,
    }  # fmt: skip
    assert said(device, "Heat (1995)")["outputs"] == {"item 1": "Ran", "score 1": 1.75}
    device.run(40)
    [batch] = device.sent("up/events", EventBatch)
    assert batch.sources[0].outputs == ("item 1", "item 2", "score 1", "score 2")
    assert [event.outputs for event in batch.events] == [
        ("Ran", "Heat (1995)", 0.75, 0.5), ("Ran", None, 1.75, None),
    ]  # fmt: skip


def test_a_place_of_no_item_that_is_known_is_no_answer(device: Device) -> None:
    absurd = said(device, "Seven, or Se7en")
    assert (absurd["action"], absurd["outputs"]) == ("refused", {})
    assert absurd["reason"] == "item 1 is 3, out of its bounds"


def test_what_was_chosen_goes_home_by_lines_and_is_no_error(
    device: Device, package: Package
) -> None:
    said(device, "Ran")
    device.agent.measured([{"key": "ann", "outcome": FILMS[:2]}])
    device.agent.measured([{"key": "ben", "chosen": ("Ran",)}, {"key": "ben", "outcome": 2691.0}])
    device.run(40)
    outcomes = [each for batch in device.sent("up/truth", TruthBatch) for each in batch.outcomes]
    assert [each.value for each in outcomes] == ["Heat (1995)\nSeven, or Se7en", 2691.0]
    assert device.state_of(package).errors.n == 0
    assert device.state_of(package).stage == "trial"


def test_the_best_score_is_counted_by_day(device: Device) -> None:
    for chosen in ("Ran", "Heat (1995)", "Heat (1995)", "Seven, or Se7en"):
        said(device, chosen)
    device.seconds += 2 * 86_400
    device.run(2)
    [day] = device.sent("up/sketch", SketchDay)
    expected = empty_sketch(REFERENCE)
    expected.add({"output.score 1": [0.75, 1.75, 1.75, None]})
    assert (day.rows, day.counts) == (4, expected.packed_counts)
