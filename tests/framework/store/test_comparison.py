"""Versions are compared on the same data, judged in the same way."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from loopcast.api import NotFoundError
from loopcast.store.comparison import Difference, compare

from .builders import evaluation


def test_metric_by_metric() -> None:
    [found] = compare([evaluation(1.0)], [evaluation(3.0)])
    assert found.differences[0] == Difference("mape", "", 1.0, 3.0, 2.0)
    assert found.differences[-1] == Difference("mape", "day_type=holiday", None, None, None)
    assert len(found.differences) == 6


def test_metrics_of_one_only_are_left_out() -> None:
    short = replace(evaluation(3.0), metrics=evaluation(3.0).metrics[1:2])
    [found] = compare([evaluation(1.0)], [short])
    assert [item.metric for item in found.differences] == ["rmse"]


def test_only_where_both_were_judged_alike() -> None:
    first = [evaluation(1.0), evaluation(2.0, data="other")]
    [found] = compare(first, [evaluation(5.0, data="other")])
    assert found.dataset == first[1].dataset
    assert found.differences[0].difference == 3.0


@pytest.mark.parametrize(
    "second",
    [[], [evaluation(1.0, data="other")], [replace(evaluation(1.0), protocol="held out")]],
)
def test_otherwise_refused(second: list[object]) -> None:
    with pytest.raises(NotFoundError, match="never judged on the same dataset in the same way"):
        compare([evaluation(1.0)], second)  # type: ignore[arg-type]
