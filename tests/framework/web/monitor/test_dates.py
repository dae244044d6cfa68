"""The dates below a chart in a real browser: none is drawn twice, and none over another."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loopcast.monitor.missing import Missing
from loopcast.monitor.resources import Health
from loopcast.monitor.watch import Report
from loopcast.web.monitor import page

from ..browser import chromium, opened

__all__ = ["chromium"]

# Notes what is written on each canvas since it was last cleared as a whole.
LISTENER = """
<script>
const own = CanvasRenderingContext2D.prototype, write = own.fillText, clear = own.clearRect;
own.clearRect = function (x, y, width, height) {
  if (width >= this.canvas.width) this.written = [];
  clear.call(this, x, y, width, height);
};
own.fillText = function (text, x, y) {
  const at = this.getTransform().transformPoint(new DOMPoint(x, y));
  (this.written ||= []).push([text, at.x, at.y, this.measureText(text).width, this.textAlign]);
  write.call(this, text, x, y);
};
addEventListener("load", () => setTimeout(() => {
  const canvas = document.querySelector("figure#missing canvas");
  document.body.dataset.seen = JSON.stringify(canvas.getContext("2d").written);
}, 500));
</script>
"""


def days(start: str, count: int) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=count, freq="D", tz="UTC")


LOOKS = pd.DatetimeIndex([f"2026-01-{5 + n // 3:02d} 09:{n // 3:02d}" for n in range(30)], tz="UTC")
"""Three looks at each moment of ten days, none of which is a midnight."""


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    "shown",
    [
        (days("2020-03-15", 6 * 365), {1280: "Jan 2021", 390: "Jan 2022"}),
        (days("2024-11-20", 500), {1280: "Jan 2025", 390: "Jan 2025"}),
        (days("2026-01-05", 40), {1280: "Thu 8 Jan", 390: "Mon 12 Jan"}),
        (days("2026-01-05", 400)[::7], {1280: "Mar 2026", 390: "Apr 2026"}),
        (LOOKS, {1280: "Tue 6 Jan", 390: "Tue 6 Jan"}),
    ],
    ids=["years", "year", "weeks", "windows", "looks"],
)
def test_each_date_has_its_place(
    chromium: str,
    looked: tuple[Report, tuple[Health, ...]],
    tmp_path: Path,
    shown: tuple[pd.DatetimeIndex, dict[int, str]],
    width: int,
) -> None:
    index, first = shown
    ones = np.ones(len(index), dtype=np.int64)
    missing = Missing(days=index, expected=ones, missing=ones, examples={"x": 1})
    html = page.render(replace(looked[0], missing=missing), ())
    dates = below(chromium, html, tmp_path, width)
    assert len(dates) >= 2
    assert first[width] in [text for text, _, _ in dates[:2]]
    for (_, _, end), (_, start, _) in pairwise(dates):
        assert start > end + 4


def below(browser: str, html: str, folder: Path, width: int) -> list[tuple[str, float, float]]:
    """Return the labels below a chart from left to right, each with its two ends."""
    seen, _ = opened(browser, html.replace("<head>", f"<head>{LISTENER}"), folder, width)
    written = [each for each in seen if re.search("[A-Z]", each[0])]
    assert {align for *_, align in written} == {"center"}
    placed = [(text, at - wide / 2, at + wide / 2) for text, at, _, wide, _ in written]
    return sorted(placed, key=lambda each: each[1])
