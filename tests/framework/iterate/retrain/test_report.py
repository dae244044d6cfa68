"""What is said of a segment that was trained again."""

from __future__ import annotations

import pytest

from loopcast.api import Stage
from loopcast.iterate.family import SegmentReport, Status
from loopcast.iterate.retrain.decision import Decision
from loopcast.iterate.retrain.report import Result, Retrained, counts, reasons, retrained

DUE = Decision(segment="north", status="due", reason="it drifted")


@pytest.mark.parametrize(
    ("stage", "status", "better", "result"),
    [
        ("champion", "better", True, "released"),
        ("challenger", "waiting", True, "proposed"),
        ("challenger", "not better", False, "not better"),
        ("staging", "waiting", False, "proposed"),
        ("candidate", "not better", False, "held back"),
    ],
)
def test_the_result_follows_from_where_the_version_stands(
    stage: Stage, status: Status, better: bool, result: Result
) -> None:
    report = SegmentReport(
        segment="north", status=status, version="a" * 16, stage=stage, better=better
    )
    found = retrained(DUE, report)
    assert (found.result, found.why) == (result, "it drifted")
    assert counts([found]) == {
        "retrained": 1, "new versions": 1, "better": int(better),
        **{name: int(name == result) for name in list(counts([]))[3:]},
    }  # fmt: skip


@pytest.mark.parametrize(("stopped", "result"), [(False, "not better"), (True, "held back")])
def test_what_made_no_version_is_no_new_one(stopped: bool, result: Result) -> None:
    report = SegmentReport(segment="north", status="not better", stopped=stopped, kpi=0.5)
    found = retrained(DUE, report)
    assert (found.result, found.version, found.new) == (result, None, False)
    assert (counts([found])["retrained"], counts([found])["new versions"]) == (1, 0)
    assert counts([found])[result] == 1


def test_a_reason_of_one_segment_is_told_whole_and_what_many_share_once() -> None:
    said = {"t1": "row 12 is bad", "t2": "row 345 is bad", "t3": "3 of 4 rows"}
    items = [
        Retrained(segment=name, result="failed", why="due", reason=reason)
        for name, reason in said.items()
    ]
    items.append(Retrained(segment="t4", result="frozen", why="since 2026-01-01"))
    shared, alone = reasons(items, result="failed")
    assert (shared.reason, shared.segments) == ("row … is bad", ("t1", "t2"))
    assert (alone.reason, alone.segments) == ("3 of 4 rows", ("t3",))
    assert [why.reason for why in reasons(items, result="frozen")] == ["since 2026-01-01"]
