"""The page of vintages: what it tells, and that a browser draws all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from loopcast.monitor.vintages import vintages
from loopcast.web.vintages.page import MOST_LINES, Followed, render

from ...monitor.test_vintages import MODEL, NOW, book
from ..browser import chromium
from ..comparison.test_browser import look
from ..experiment.test_page import text_of

__all__ = ["chromium"]


def followed(first: str, rows: int = 40_000, worse: float = 1.0) -> Followed:
    cases = book(rows, first, worse=worse, since="2025-06-01")
    return Followed(model=MODEL, segment="", window=12, at=NOW, vintages=vintages(cases, 12, NOW))


def test_all_vintages_are_told_and_the_youngest_are_drawn() -> None:
    found = followed("2024-06-01", worse=1.8)
    page = render(found)
    text = text_of(page)
    for one in found.vintages:
        assert f"{one.month} {one.cases:,} {one.age}" in text
        assert all(f"{100 * share:.1f}\N{NO-BREAK SPACE}%" in page for share in one.shares)
    [data] = [json.loads(block) for block in re.findall(r'-data">(.*?)</script>', page)]
    old_enough = [one for one in found.vintages if one.age]
    assert [line["label"] for line in data["lines"]] == [
        one.month for one in old_enough[-MOST_LINES:]
    ]
    last = data["lines"][-1]["values"]
    assert last[: old_enough[-1].age + 1] == pytest.approx(
        [0.0, *(100.0 * share for share in old_enough[-1].shares)], rel=1e-5
    )
    assert set(last[old_enough[-1].age + 1 :]) == {None}


def test_what_is_worse_than_said_comes_first() -> None:
    worse = text_of(render(followed("2024-06-01", worse=1.8)))
    told = re.search(r"More events than expected, beyond chance: ([\d, -]+)\.", worse)
    assert told is not None
    assert {"2025-06", "2025-07", "2025-08"} <= set(told[1].split(", "))
    assert "More events" not in text_of(render(followed("2024-06-01", rows=4000)))


def test_where_nothing_is_expected_the_page_says_so() -> None:
    page = render(followed("2025-11-15", rows=300))
    assert "No vintage is old enough to say how events come in" in text_of(page)
    assert 'id="ratios"' not in page


@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn_and_nothing_overflows(
    chromium: str, tmp_path: Path, width: int
) -> None:
    seen, console = look(chromium, render(followed("2024-06-01")), tmp_path, width)
    assert console == []
    assert (seen["plots"], seen["blank"], seen["overflow"]) == (1, 0, 0)
    assert seen["dots"] > 12
