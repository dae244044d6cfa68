from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from loopcast.api import Evaluation, ForecastData, ForecastSchema, Metric, MetricDefinition
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast import judging
from loopcast.develop.forecast.judged import drawn_rows
from loopcast.develop.forecast.judging import joined
from loopcast.develop.forecast.train import run_contest
from loopcast.develop.judged import judged_bytes, read_judged

from ..conftest import make_course
from ..contenders import LastWeek

DATASET = "ab" * 32


def by_subset(evaluation: Evaluation) -> dict[tuple[str, str], tuple[float | None, int]]:
    return {(m.name, m.subset): (m.value, m.count) for m in evaluation.metrics}


@pytest.mark.parametrize("aggregates", [True, False])
def test_parts_measure_what_all_series_together_do(
    panel: ForecastData,
    schema: ForecastSchema,
    monkeypatch: pytest.MonkeyPatch,
    *,
    aggregates: bool,
) -> None:
    flat = ForecastSchema(
        unit="MW", step="30min", timezone=schema.timezone, sites=schema.sites, series=schema.series,
        covariates=schema.covariates,
    )  # fmt: skip
    course = make_course(schema if aggregates else flat, LastWeek())
    whole = run_contest(course, panel, DATASET, LocalEngine())
    monkeypatch.setattr(judging, "SERIES_AT_ONCE", 2)
    parts = run_contest(course, panel, DATASET, LocalEngine())
    for one, other in zip(whole.evaluations, parts.evaluations, strict=True):
        expected, found = by_subset(one), by_subset(other)
        assert set(found) == set(expected)
        for key, (value, count) in expected.items():
            assert found[key][1] == count
            assert found[key][0] == pytest.approx(value, rel=1e-12)
    np.testing.assert_array_equal(parts.judged.overall, whole.judged.overall)


def test_what_nobody_measured_is_not_judged(panel: ForecastData, schema: ForecastSchema) -> None:
    """A meter that has been silent leaves the others their measures."""
    flat = structs.replace(schema, aggregates={}, resolutions=("30min",))
    course = make_course(flat, LastWeek())
    whole = run_contest(course, panel, DATASET, LocalEngine())
    panel.target.iloc[-20:, 2] = np.nan
    found = run_contest(course, panel, DATASET, LocalEngine())
    expected, measured = (by_subset(contest.evaluations[0]) for contest in (whole, found))
    for series in ("north", "south"):
        assert measured["mae", f"series={series}"] == expected["mae", f"series={series}"]
    value, count = measured["mae", ""]
    assert value is not None
    assert count == expected["mae", ""][1] - 20
    rows = drawn_rows(found.judged, "30min", panel.timezone)
    of_last_week = rows[rows["contender"].eq(course.candidate.label)]
    assert (of_last_week.groupby(["series", of_last_week["time"].dt.date])["lead"].min() == 1).all()
    judged = read_judged(judged_bytes(found.judged), "forecast")
    assert sum(judged.keys[0] == "west") == expected["mae", "series=west"][1] - 20


def test_rows_are_kept_of_the_top_the_largest_and_the_worst(
    panel: ForecastData, schema: ForecastSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.target["west"] *= np.linspace(1, 3, len(panel.target))  # a week ago is long ago
    monkeypatch.setattr(judging, "LARGEST", 2)
    monkeypatch.setattr(judging, "WORST", 1)
    contest = run_contest(make_course(schema, LastWeek()), panel, DATASET, LocalEngine())
    assert set(contest.judged.keys[0]) == {"total", "coast", "west"}
    subsets = {m.subset for m in contest.evaluations[0].metrics}
    assert {"series=north", "series=south"} <= subsets


def test_means_are_joined_by_their_counts_and_roots_by_their_squares() -> None:
    definitions = [
        MetricDefinition(
            name="rmse", title="", task="forecast", direction="lower", rows=abs, root=True
        ),
        MetricDefinition(name="peak", title="", task="forecast", direction="lower", whole=max),
    ]
    parts = [
        Evaluation(
            contender="a", dataset=DATASET, protocol="p",
            metrics=(
                Metric(name="rmse", value=value, count=count),
                Metric(name="peak", value=value, count=count),
            ),
        )
        for value, count in ((1.0, 3), (5.0, 1))
    ]  # fmt: skip
    both = joined(parts, definitions)
    assert both.value("rmse") == pytest.approx(np.sqrt((3 * 1 + 25) / 4))
    assert both.value("peak") is None
    assert [m.count for m in both.metrics] == [4, 4]
