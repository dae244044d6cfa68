"""The page of a round of retraining: what it says first, and of whom."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

from loopcast.api import Kpi, LogicalModel, RankSchema
from loopcast.iterate.retrain.report import Result, Retrained
from loopcast.web.retrain.page import ROWS, render

MODEL = LogicalModel(
    name="shops",
    title="Shops",
    owner="us",
    kpi=Kpi(metric="ndcg"),
    schema=RankSchema(entity="customer", item="product", time="at", length=2),
)


def text_of(*items: Retrained) -> str:
    html = render(MODEL, items, datetime(2026, 1, 1, 7, tzinfo=UTC), (), {"train": 1.0})
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def segment(name: str, result: Result, reason: str = "") -> Retrained:
    return Retrained(segment=name, result=result, why="it was never trained", reason=reason)


def test_who_failed_is_told_however_many_did_not() -> None:
    others = [segment(f"a{place:04d}", "not better", "undecided") for place in range(ROWS)]
    text = text_of(*others, segment("z9", "failed", "row 7 is no time"))
    assert text.index("1 could not be trained.") < text.index(f"{ROWS} were trained and are not")
    assert "1 failed row 7 is no time z9" in text
    assert "not better undecided a0000, a0001, a0002, a0003, a0004 and 495 more" in text
    assert text.index("z9 failed") < text.index("a0000 not better")


def test_one_segment_is_told_in_the_singular() -> None:
    text = text_of(segment("a", "off"), segment("b", "released"), segment("c", "frozen"))
    assert all(f"1 {said}." in text for said in ("has a new champion", "is frozen", "is off"))
