"""What devices are told when a rollout takes a step."""

from __future__ import annotations

from loopcast.fleet.rolling import told_after
from loopcast.fleet.rollout import Standing
from loopcast.store.packages import Pair
from loopcast.store.rollouts import Course, Member

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
