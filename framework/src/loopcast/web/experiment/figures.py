"""Figures of an experiment's effects: by arm, against the champion, and over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from loopcast.web import formats
from loopcast.web.charts import Band, Dot, DotPlot, Line, LineChart, level_role, time_axis
from loopcast.web.page import Figure

if TYPE_CHECKING:
    from loopcast.iterate.experiments.results import Look, Result


def effects(result: Result) -> list[Figure]:
    """Return the differences from the champion, and each arm's own value."""
    item = result.experiment
    differences = tuple(
        _dot_row(c.version, c.difference, c.low, c.high, level_role(number))
        for number, c in enumerate(result.contrasts)
        if c.difference is not None
    )
    arms = tuple(
        _dot_row(
            f"{arm.version}{', champion' if arm.version == item.arms[0] else ''}",
            arm.value,
            arm.low,
            arm.high,
            "reference" if arm.version == item.arms[0] else level_role(number - 1),
        )
        for number, arm in enumerate(result.arms)
        if arm.value is not None
    )
    found = []
    if differences:
        title = f"Difference of the {item.metric} from the champion's, with its interval"
        found.append(_dots("differences", title, differences))
    if arms:
        found.append(_dots("arms", f"The {item.metric} of each arm", arms))
    return found


def _dots(name: str, title: str, rows: tuple[tuple[str, tuple[Dot, ...]], ...]) -> Figure:
    return Figure(id=name, title=title, chart=DotPlot(rows=rows), legend=False)


def _dot_row(
    label: str, value: float | None, low: float | None, high: float | None, role: str
) -> tuple[str, tuple[Dot, ...]]:
    known = value or 0.0
    text = formats.number(known)
    if low is not None and high is not None:
        text += f" ({formats.interval(low, high)})"
    return label, (Dot(role=role, label="", text=text, value=known, low=low, high=high),)


def course(result: Result) -> list[Figure]:
    """Return how the difference of each arm developed as entities were enrolled."""
    drawn = {
        version: [look for look in looks if look.difference is not None]
        for version, looks in result.course.items()
    }
    return [
        _course(result, version, looks, level_role(number))
        for number, (version, looks) in enumerate(drawn.items())
        if len(looks) > 1
    ]


def _course(result: Result, version: str, looks: Sequence[Look], role: str) -> Figure:
    item, count = result.experiment, len(looks)
    index = pd.DatetimeIndex([look.time for look in looks])
    least = item.minimum_effect if item.direction == "higher" else -item.minimum_effect
    return Figure(
        id=f"course-{version}",
        title=f"{version} against the champion, by the entities enrolled until then",
        text="The band narrows as outcomes add up; the last point is the result.",
        chart=LineChart(
            x=time_axis(index),
            title=f"difference of the {item.metric}",
            unit="",
            lines=(
                Line(
                    label="difference",
                    role=role,
                    values=_rounded(look.difference for look in looks),
                ),
                Line(label="none", role="actual", values=[0.0] * count),
                Line(label="minimum effect", role="reference", values=[least] * count),
            ),
            bands=(
                Band(
                    label="interval",
                    role=role,
                    low=_rounded(look.low for look in looks),
                    high=_rounded(look.high for look in looks),
                ),
            ),
        ),
    )


def _rounded(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None else float(f"{value:.6g}") for value in values]
