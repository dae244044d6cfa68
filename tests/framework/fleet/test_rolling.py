"""What devices are told when a rollout takes a step."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loopcast.api import Package, RolloutAct, RolloutStep
from loopcast.fleet.publish import place_of, withdrawn
from loopcast.fleet.rolling import told_after
from loopcast.fleet.rollout import Standing
from loopcast.store.packages import Pair
from loopcast.store.rollouts import Course, Member

from ..store.builders import NOON
from .conftest import rollout


def test_a_device_that_runs_the_package_already_runs_it_alone() -> None:
    """It may be in a rollout for those who came later."""
    members = {
        "has it": Member(stage=0, previous=2),
        "has the one before": Member(stage=0, previous=1),
        "is new": Member(stage=0, previous=None),
        "comes later": Member(stage=1, previous=1),
    }
    course = Course(plan=rollout("rest", 2), members=members, steps=())
    assert told_after(course, Standing(stage=0), "begin") == {
        "has it": Pair(champion=2),
        "has the one before": Pair(champion=2, shadow=1),
        "is new": Pair(champion=2),
    }


@pytest.mark.parametrize(
    ("first", "rest", "gone"),
    [
        (("begin", "complete"), ("begin", "abort"), False),
        (("begin", "stop"), ("begin",), False),
        (("begin", "stop"), ("begin", "abort"), True),
        (("begin", "complete", "abort"), ("begin", "complete", "abort"), True),
    ],
)
def test_a_package_that_stands_somewhere_is_not_withdrawn(
    package: Callable[[int], Package],
    first: tuple[RolloutAct, ...],
    rest: tuple[RolloutAct, ...],
    gone: bool,
) -> None:
    """A rollout for those who came later may end badly, and the others go on."""
    made = package(1)
    courses = [
        Course(
            plan=rollout(name, 1, cohorts=(1.0,)),
            members={"meter-0": Member(stage=0, previous=None)},
            steps=tuple(RolloutStep(act=act, at=NOON, by="ann", reason="r") for act in acts),
        )
        for name, acts in (("first", first), ("rest", rest))
    ]
    found = withdrawn(courses, {(place_of(made), 1): made})
    assert found == ({made.manifest} if gone else set())
