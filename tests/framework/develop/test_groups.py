"""Groups of rows against each other: few events make nothing certain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from loopcast.api import Judged, ScoreOutcome
from loopcast.develop.groups import GroupDifference, difference_of_groups
from loopcast.develop.score.metrics import loopcast_metrics

METRICS = {metric.name: metric for metric in loopcast_metrics()}
SAID = 0.02


def difference(
    metric: str, probability: NDArray[np.float64], actual: NDArray[np.bool_], first: int
) -> GroupDifference:
    """Compare the first rows with all others."""
    count = len(actual)
    outcome = ScoreOutcome(
        actual=actual.astype(np.float64), weight=np.ones(count), probability=probability
    )
    judged = Judged(
        keys=(pd.Categorical(np.arange(count).astype(str)),),
        block=np.arange(count),
        overall=np.ones(count, dtype=bool),
        attributes={},
        outcomes={"own": outcome},
    )
    rows = np.arange(count)
    return difference_of_groups(judged, "own", METRICS[metric], rows[:first], rows[first:])


@pytest.mark.parametrize("metric", ["brier", "log_loss"])
def test_where_a_rare_event_has_not_happened_yet_nothing_is_certain(metric: str) -> None:
    """One group without the event, one with as many as were said: they differ by chance alone."""
    rng, count = np.random.default_rng(0), 4000
    found = []
    for _ in range(200):
        actual = rng.random(count) < SAID
        actual[:40] = False
        found.append(difference(metric, np.full(count, SAID), actual, 40).difference)
    p_values = [one.p_value() or 0.0 for one in found]
    assert min(p_values) > 0.05
    assert found[0].value < 0.0


@pytest.mark.parametrize("metric", ["brier", "log_loss"])
def test_chance_is_what_outcomes_give_by_themselves(metric: str) -> None:
    rng, count, first = np.random.default_rng(1), 600, 200
    said = rng.beta(1.0, 9.0, count)
    found = [
        difference(metric, said, rng.random(count) < said, first).difference for _ in range(400)
    ]
    spread = np.std([one.value for one in found])
    smallest = min(one.error for one in found)
    assert smallest == pytest.approx(spread, rel=0.2)


def test_an_auc_is_as_certain_as_the_rarer_outcome_of_the_smaller_group() -> None:
    rng, count, first = np.random.default_rng(2), 800, 100
    probability, actual = rng.random(count), rng.random(count) < 0.4
    assert difference("auc", probability, actual, first).difference.freedom > 30
    actual[:first] = False
    actual[:3] = True
    found = difference("auc", probability, actual, first).difference
    assert found.freedom == 2
    assert found.interval(0.95) is not None
    actual[1:3] = False
    assert difference("auc", probability, actual, first).difference.interval(0.95) is None
