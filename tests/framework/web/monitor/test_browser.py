"""The pages of what happened in a real browser: every chart is drawn, and nothing overflows."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopcast.monitor.family import FamilyReport
from loopcast.monitor.resources import Health
from loopcast.monitor.watch import Report
from loopcast.web.monitor import family as family_page
from loopcast.web.monitor import page

from ..browser import chromium
from ..comparison.test_browser import look

__all__ = ["chromium"]


@pytest.mark.parametrize("width", [1280, 390])
def test_what_happened_to_a_model_is_drawn(
    chromium: str, looked: tuple[Report, tuple[Health, ...]], tmp_path: Path, width: int
) -> None:
    report, stores = looked
    html = page.render(report, report.found, stores)
    for words in ("champion", "What gives recent rows away", "by subpopulation", "approved",
                  "Predictions that are missing", "Stores", "brier, the KPI"):  # fmt: skip
        assert words in html
    seen, console = look(chromium, html, tmp_path, width)
    assert console == []
    assert (seen["plots"], seen["blank"], seen["overflow"], seen["outside"]) == (8, 0, 0, 0)
    assert seen["dots"] > 5


@pytest.mark.parametrize("width", [1280, 390])
def test_a_family_is_drawn(chromium: str, family: FamilyReport, tmp_path: Path, width: int) -> None:
    seen, console = look(chromium, family_page.render(family), tmp_path, width)
    assert console == []
    assert (seen["plots"], seen["blank"], seen["overflow"], seen["outside"]) == (1, 0, 0, 0)
    assert seen["dots"] == 2, "one for each input and output that drifted"
