from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ForecastData
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.backtest import backtest
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.hierarchy import (
    BottomUp,
    Hierarchy,
    coherence_error,
    errors_by_slot,
    reconcile_backtest,
    split_nodes,
)
from loopcast.develop.forecast.horizon import backtest_origins, horizon_index
from loopcast.develop.forecast.train import prepare_levels

HIERARCHY = Hierarchy(
    bottom=("north", "south", "west"),
    members={"coast": ("north", "south"), "total": ("north", "south", "west")},
    steps=("30min", "1h", "1D"),
    horizon="1D",
    over_time="mean",
)
DAYS = ["2014-10-04", "2014-10-05", "2014-04-06"]


def origin_of(day: str) -> pd.Timestamp:
    return pd.Timestamp(day, tz="Australia/Melbourne")


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("over_time", ["mean", "sum"])
def test_summing_a_day_adds_up(day: str, over_time: str) -> None:
    hierarchy = Hierarchy(
        bottom=HIERARCHY.bottom, members=HIERARCHY.members, steps=HIERARCHY.steps,
        horizon="1D", over_time=over_time,
    )  # fmt: skip
    origin = origin_of(day)
    times = horizon_index(origin, "1D", "30min")
    bottom = np.random.default_rng(1).uniform(1, 9, (len(times), 3))
    nodes = hierarchy.summing(origin) @ bottom.ravel()
    parts = split_nodes(hierarchy, nodes, origin)
    frame = pd.DataFrame(bottom, index=times, columns=hierarchy.bottom)
    frame["coast"] = frame["north"] + frame["south"]
    frame["total"] = frame["coast"] + frame["west"]
    np.testing.assert_allclose(parts["30min"], frame)
    np.testing.assert_allclose(parts["1D"][0], getattr(frame, over_time)())
    pairs = frame.groupby(np.arange(len(times)) // 2)
    np.testing.assert_allclose(parts["1h"], getattr(pairs, over_time)())
    assert coherence_error(hierarchy, nodes, origin) < 1e-14


def test_an_incoherent_node_is_measured() -> None:
    origin = origin_of("2014-10-04")
    nodes = HIERARCHY.summing(origin) @ np.ones(48 * 3)
    nodes[-1] *= 1.01  # the day's total
    assert coherence_error(HIERARCHY, nodes, origin) == pytest.approx(0.01)


def test_heads_are_part_of_nothing_else() -> None:
    assert HIERARCHY.heads == ("total",)
    flat = Hierarchy(bottom=("a", "b"), members={}, steps=("1h",), horizon="1D", over_time="sum")
    assert flat.heads == ("a", "b")


def test_errors_of_clock_change_days_keep_their_wall_clock(
    panel: ForecastData, course: ForecastCourse
) -> None:
    origins = backtest_origins(panel, 30)
    preparation = prepare_levels(panel, course.schema, origins[0])
    predictions = backtest(course, preparation.levels(panel), origins, LocalEngine())["candidate"]
    hierarchy = preparation.hierarchy
    errors = errors_by_slot(hierarchy, predictions, len(origins))
    assert errors.shape == (30, (48 + 24 + 1) * 5)
    assert np.isfinite(errors).all()
    short = [str(origin.date()) for origin in origins].index("2014-10-05")
    by_slot = errors[short, : 48 * 5].reshape(48, 5)
    p = predictions["30min"]
    rows = p.origin == short
    six_in_the_evening = p.times[rows].hour.to_numpy() * 60 + p.times[rows].minute == 18 * 60
    expected = (p.actual - p.mean)[rows][six_in_the_evening][0]
    np.testing.assert_array_equal(by_slot[36], expected)
    others = errors[np.arange(30) != short, 4 * 5 : 5 * 5]
    np.testing.assert_allclose(by_slot[4], others.mean(axis=0))  # 02:00 did not exist


def test_each_origin_is_weighed_by_earlier_errors_only(
    panel: ForecastData, course: ForecastCourse
) -> None:
    origins = backtest_origins(panel, 12)
    preparation = prepare_levels(panel, course.schema, origins[0])
    predictions = backtest(course, preparation.levels(panel), origins, LocalEngine())["candidate"]
    seen: list[int] = []

    class Counting(BottomUp):
        def fit(self, summing, errors, *, nonnegative=False):  # type: ignore[no-untyped-def]
            seen.append(len(errors))
            return super().fit(summing, errors, nonnegative=nonnegative)

    reconciled = reconcile_backtest(
        preparation.hierarchy, Counting(), predictions, origins, nonnegative=True
    )
    assert seen == [8] * 9 + [9, 10, 11]
    fine, total = reconciled["30min"].mean, preparation.hierarchy.series.index("total")
    np.testing.assert_allclose(fine[:, total], fine[:, :3].sum(axis=1))
