"""Data of charts."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from loopcast.web import charts


@pytest.mark.parametrize(
    ("day", "count", "zones"),
    [("2014-10-05", 46, ["AEST", "AEDT"]), ("2014-04-06", 50, ["AEDT", "AEST"])],
)
def test_a_time_axis_keeps_each_change_of_clocks(day: str, count: int, zones: list[str]) -> None:
    start = pd.Timestamp(day, tz="Australia/Melbourne")
    index = pd.date_range(start, start + pd.DateOffset(days=1), freq="30min", inclusive="left")
    axis = charts.time_axis(index)
    assert len(axis.values) == count
    assert [zone for _, _, zone in axis.offsets] == zones
    for first, offset, _ in axis.offsets:
        local = pd.Timestamp(first, unit="s", tz="UTC").tz_convert(index.tz)
        assert local.utcoffset() == pd.Timedelta(seconds=offset)


def midnights(*days: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(days).tz_localize("Australia/Melbourne")


def test_days_in_a_row_are_drawn_where_they_are() -> None:
    days = midnights("2014-10-04", "2014-10-05", "2014-10-06")  # the second has 23 hours
    assert charts.day_segments(days) == ()
    assert charts.day_segments(days[:1]) == ()


def test_days_apart_are_drawn_side_by_side_with_breaks_between() -> None:
    days = midnights("2014-10-04", "2014-10-05", "2014-10-08", "2014-10-11")
    segments = charts.day_segments(days)
    assert [s.time for s in segments] == [int(day.timestamp()) for day in days]
    assert [(s.end - s.start) / 3600 for s in segments] == [24, 23, 24, 24]
    gaps = [after.start - before.end for before, after in pairwise(segments)]
    assert gaps == [0, charts.BREAK_SECONDS, charts.BREAK_SECONDS]


def test_chart_data_is_plain_json_without_nan() -> None:
    chart = charts.LineChart(
        x=charts.Axis(values=[0.0, 1.0]),
        title="a",
        unit="MW",
        lines=(charts.Line(label="b", role="model", values=charts.compact([1.0, np.nan])),),
    )
    data = json.loads(json.dumps(chart.data(), allow_nan=False))
    assert data["lines"][0]["values"] == [1.0, None]
    assert data["kind"] == "lines"


def test_a_dot_plot_includes_zero_and_intervals() -> None:
    dot = charts.Dot(role="model", label="a", text="", value=-2.0, low=-3.0, high=-1.0)
    plot = charts.DotPlot(rows=(("x", (dot,)),))
    assert plot.limits == (-3.0, 0.0)
    assert (plot.position(-3.0), plot.position(0.0)) == (0.0, 100.0)
    assert charts.DotPlot(rows=()).limits == (0.0, 1.0)


def test_roles_repeat_within_the_palette() -> None:
    assert charts.level_role(7) == "level-1"
    assert charts.other_role(3) == "other-1"


def test_a_sparkline_leaves_out_what_is_missing() -> None:
    assert charts.sparkline([1.0, float("nan"), 3.0]) == "0.0,22.0 100.0,2.0"
    assert charts.sparkline([2.0, 2.0]) == "0.0,22.0 100.0,22.0"
    assert charts.sparkline([]) == ""
