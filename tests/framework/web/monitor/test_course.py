"""What is marked on the time axes of a page, and what a page leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import numpy as np
import pandas as pd

from loopcast.api import Experiment, ExperimentStep, Release, StepName
from loopcast.monitor.resources import Health
from loopcast.monitor.watch import Report
from loopcast.store.trials import Trial
from loopcast.web.charts import LineChart
from loopcast.web.monitor import course, page

from ...monitor.versions import START


def trial(report: Report, begun: int, ended: int | None) -> Trial:
    """Return an A/B test of the two versions that served, by days after the start."""
    item = Experiment(
        name="spring",
        logical_model="credit",
        segment="",
        kind="ab",
        arms=tuple(report.volume),
        metric="brier",
        declared=START,
        by="ann",
        minimum_effect=0.01,
        sample_size=500,
    )
    days: dict[StepName, int | None] = {"begun": begun, "concluded": ended}
    steps = {step: taken(step, day) for step, day in days.items() if day is not None}
    return Trial(experiment=item, steps=steps)


def taken(step: StepName, day: int) -> ExperimentStep:
    """Return a step that was taken early on a day."""
    at = START + timedelta(days=day, hours=5)
    return ExperimentStep(step=step, at=at, by="ann", reason="it is time")


def replace_since(report: Report, day: int) -> Release:
    """Return the first release as if it had been made on another day."""
    since = report.days[30].to_pydatetime() + timedelta(days=day)
    return msgspec.structs.replace(report.releases[0], since=since)


def marked(report: Report, begun: int, ended: int | None) -> list[tuple[int, str]]:
    """Return the day and the words of each mark that names an experiment."""
    tried = replace(report, experiments=(trial(report, begun, ended),))
    return [
        (round((at - START.timestamp()) / 86_400), text)
        for at, text in course.marks(tried, tried.days)
        if "spring" in text
    ]


def test_experiments_are_marked_on_the_days_of_their_ends(
    looked: tuple[Report, tuple[Health, ...]],
) -> None:
    report, _ = looked
    assert marked(report, 7, 35) == [(7, "spring begins"), (35, "spring ends")]
    assert marked(report, 7, None) == [(7, "spring begins")]
    assert marked(report, -3, 400) == [], "neither day is on the page"


def test_what_happens_on_one_day_is_one_mark(looked: tuple[Report, tuple[Health, ...]]) -> None:
    report, _ = looked
    second = list(report.volume)[1]
    assert marked(report, 21, 21) == [(21, f"{second[:6]} champion, spring begins, spring ends")]


def test_the_last_window_holds_the_marks_after_it(
    looked: tuple[Report, tuple[Health, ...]],
) -> None:
    report = replace(looked[0], experiments=(trial(looked[0], 50, None),))
    weeks = pd.DatetimeIndex([START, START + timedelta(days=42)])
    assert course.marks(report, weeks)[-1] == (weeks[-1].timestamp(), "spring begins")


def test_days_before_anything_happened_are_not_drawn(
    looked: tuple[Report, tuple[Health, ...]],
) -> None:
    report, _ = looked
    days = pd.date_range(report.days[0] - timedelta(days=30), report.days[-1])
    longer = replace(
        report,
        days=days,
        volume={name: np.concatenate([np.zeros(30, int), v]) for name, v in report.volume.items()},
        latency=np.concatenate([np.full(30, np.nan), report.latency]),
    )
    assert longer.releases
    assert min(release.since for release in longer.releases) >= report.days[0]
    assert course.volume(longer) == course.volume(report)
    assert course.latency(longer) == course.latency(report)
    silent = replace(longer, releases=(replace_since(longer, -20),))
    chart = course.volume(silent).chart
    assert isinstance(chart, LineChart)
    assert chart.lines[0].values[:20] == [0] * 20, "released, and silent"


def test_the_page_lists_experiments_and_what_is_not_watched(
    looked: tuple[Report, tuple[Health, ...]],
) -> None:
    report, stores = looked
    html = page.render(replace(report, experiments=(trial(report, 7, 35),)), (), stores)
    assert "spring begins" in html
    assert "concluded" in html
    assert "coverage (only forecasts have intervals)" in html


def test_latency_that_was_never_measured_has_no_figure(
    looked: tuple[Report, tuple[Health, ...]],
) -> None:
    report, _ = looked
    assert course.latency(report) is not None
    assert course.latency(replace(report, latency=np.full(len(report.days), np.nan))) is None
