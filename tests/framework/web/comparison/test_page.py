"""The pages of a comparison and of a board, for each task."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pytest

from loopcast.api import Effect, Judged, LogicalModel, Outcome, Task, Version
from loopcast.deploy.board import Board, BoardRow
from loopcast.develop.compare import Comparison, Difference, compare
from loopcast.web.comparison import board, page
from loopcast.web.comparison.report import ComparisonReport

from ...validate.conftest import KPIS, METRICS, SCHEMAS, judged, outcomes

FIRST, SECOND = "a" * 16, "b" * 16
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOSTILE = "</script><script>alert(1)</script>"


def version(identifier: str, template: str) -> Version:
    return Version(
        id=identifier, logical_model="demo", segment="", template=template, recipe="c" * 64,
        manifest=identifier * 4, dataset="d" * 64, created=NOON,
    )  # fmt: skip


def pair_of(task: Task, noise: float) -> Judged:
    rows = judged(task)
    both: dict[str, Outcome] = {
        FIRST: outcomes(task, len(rows.block), noise, 5),
        SECOND: outcomes(task, len(rows.block), 1.0, 1),
    }
    return Judged(
        keys=rows.keys, block=rows.block, overall=rows.overall, attributes=rows.attributes,
        outcomes=both,
    )  # fmt: skip


def logical_model(task: Task) -> LogicalModel:
    return LogicalModel(
        name="demo", title=f"Demo {HOSTILE}", owner="me", kpi=KPIS[task], schema=SCHEMAS[task]
    )


def differences(task: Task, rows: Judged) -> tuple[Difference, ...]:
    metrics = [metric for metric in METRICS.values() if metric.task == task]
    return compare(rows, FIRST, SECOND, metrics, KPIS[task])


def report(task: Task, noise: float = 6.0, **changes: object) -> ComparisonReport:
    rows = pair_of(task, noise)
    effect = Effect(
        title="temperature", unit="°C", series="", x=np.arange(5.0), value=np.arange(5.0),
        low=np.arange(5.0) - 1.0, high=np.arange(5.0) + 1.0,
    )  # fmt: skip
    values: dict[str, object] = {
        "logical_model": logical_model(task),
        "versions": (version(FIRST, "demo.old"), version(SECOND, "demo.new")),
        "comparison": Comparison(
            first=FIRST, second=SECOND, dataset="d" * 64, protocol="held out", confidence=0.95,
            differences=differences(task, rows),
        ),
        "judged": rows,
        "metrics": {name: m for name, m in METRICS.items() if m.task == task},
        "settings": [("template", "demo.old", "demo.new"), ("seed", "1", HOSTILE)],
        "effects": {FIRST: (effect,), SECOND: (effect,)},
        "created": NOON,
    }  # fmt: skip
    return ComparisonReport(**(values | changes))  # type: ignore[arg-type]


def require_self_contained(content: str) -> None:
    assert content.startswith("<!doctype html>")
    assert not re.findall(r"<(?:script|img|link)[^>]+(?:src|href)=\"(?!data:)", content)
    assert HOSTILE not in content
    assert "NaN" not in re.sub(r"<script>.*?</script>", "", content, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        ("forecast", "Errors: actual minus forecast"),
        ("score", "Calibration: what happened of what was said"),
        ("rank", "Hits by place in the list"),
    ],
)
def test_a_comparison_shows_what_its_task_asks_for(task: Task, shown: str) -> None:
    content = page.render(report(task))
    require_self_contained(content)
    for part in (shown, "new against old", FIRST, SECOND, "by sex", "Temperature", "demo.old"):
        assert part in content
    assert page.render(report(task)) == content


def test_the_headline_follows_the_verdict() -> None:
    assert "new is better than old on MAE" in page.render(report("forecast"))
    assert "new is worse than old on MAE" in page.render(report("forecast", noise=0.1))
    undecided = page.render(report("forecast", noise=1.0))
    assert "The rows do not decide between new and old on MAE" in undecided
    assert "To decide, judge both on more origins" in undecided


def test_equal_templates_are_told_apart_by_their_ids() -> None:
    versions = (version(FIRST, "demo.same"), version(SECOND, "demo.same"))
    content = page.render(report("score", versions=versions, settings=(), effects={}))
    assert "same bbbbbb against same aaaaaa" in content
    assert "Both were made in the same way." in content
    assert "What they learned" not in content


def board_of(task: Task) -> Board:
    found = differences(task, pair_of(task, 6.0))
    kpi = next(d for d in found if d.metric == KPIS[task].metric)
    metrics = [metric for metric in METRICS.values() if metric.task == task]
    values = {metric.name: 0.5 for metric in metrics}
    rows = (
        BoardRow(
            version=version(SECOND, "demo.new"), stage="champion", values=values,
            against_best=None, settings={"bins": "9"},
        ),
        BoardRow(
            version=version(FIRST, "demo.old"), stage="candidate",
            values={**values, metrics[0].name: None}, against_best=kpi,
            settings={"bins": HOSTILE},
        ),
    )  # fmt: skip
    return Board(
        logical_model=logical_model(task), dataset="d" * 64, protocol="held out",
        metrics=metrics, rows=rows, left_out=3,
    )  # fmt: skip


@pytest.mark.parametrize("task", ["forecast", "score", "rank"])
def test_a_board_shows_versions_the_best_first(task: Task) -> None:
    content = board.render(board_of(task))
    require_self_contained(content)
    assert content.index("new bbbbbb") < content.index("old aaaaaa")
    for part in ("the best", "bins", "3 more were judged otherwise", "–"):
        assert part in content
