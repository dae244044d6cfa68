"""The report in a real browser: no errors, every chart drawn, selectors and pointer at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loopcast.web.forecast.page import render
from loopcast.web.forecast.report import ForecastReport

from .browser import chromium, opened

__all__ = ["chromium"]

# Looks at the page as a reader would, and leaves what it saw in an attribute.
PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const plots = () => [...document.querySelectorAll(".plot")].filter((p) => p.clientWidth);
  const inked = (plot) => {
    const canvas = plot.querySelector("canvas");
    if (!canvas) return false;
    const copy = Object.assign(document.createElement("canvas"), { width: 200, height: 100 });
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0, 200, 100);
    const { data } = context.getImageData(0, 0, 200, 100);
    return data.some((value, i) => i % 4 === 3 && value > 0);
  };
  const ids = () => plots().map((p) => p.closest("figure").id);
  const seen = { before: ids(), blank: plots().filter((p) => !inked(p)).length };
  const over = plots()[0].querySelector(".u-over"), box = over.getBoundingClientRect();
  const at = { clientX: box.left + box.width / 2, clientY: box.top + 20, bubbles: true };
  over.dispatchEvent(new MouseEvent("mouseenter", at));
  over.dispatchEvent(new MouseEvent("mousemove", at));
  const edge = (e, side) => Math.round(e.getBoundingClientRect()[side]);
  const small = [...document.querySelectorAll(".multiples > figure:has(.plot)")];
  const tops = (figure) => [figure, figure.querySelector(".plot")].map((e) => edge(e, "top"));
  seen.rows = small.filter((figure) => figure.clientWidth).map(tops);
  const beyond = (e) => edge(e, "right") > edge(e.closest("figure"), "right") + 1;
  seen.outside = [...document.querySelectorAll(".dot-plot")].filter(beyond).length;
  const pressed = () => document.querySelector(".ranges [aria-pressed=true]").textContent;
  seen.pressed = [pressed()];
  setTimeout(() => {
    seen.tip = plots()[0].querySelector(".tip").textContent;
    document.querySelector(".ranges button").click();
    const select = document.querySelector("select");
    if (select) { select.value = "VIC"; select.dispatchEvent(new Event("change")); }
    setTimeout(() => {
      seen.pressed.push(pressed());
      seen.after = ids();
      seen.blankAfter = plots().filter((p) => !inked(p)).length;
      seen.selects = [...document.querySelectorAll("select")].map((s) => s.value);
      seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
      document.body.dataset.seen = JSON.stringify(seen);
    }, 300);
  }, 300);
}, 300));
</script>
"""


def look(browser: str, html: str, folder: Path, width: int) -> tuple[dict[str, Any], list[str]]:
    """Open a page; return what the probe saw and what the console said."""
    return opened(browser, html.replace("</body>", f"{PROBE}</body>"), folder, width)


@pytest.mark.parametrize("width", [1280, 390])
def test_one_series_is_drawn(
    chromium: str, sparse_report: ForecastReport, tmp_path: Path, width: int
) -> None:
    seen, console = look(chromium, render(sparse_report), tmp_path, width)
    assert console == []
    assert {"forecast-0", "hours-0", "backtest-0", "effect-0"} <= set(seen["before"])
    assert seen["blank"] == 0
    assert seen["overflow"] == seen["outside"] == 0
    rows = {tuple(row) for row in seen["rows"]}
    assert len({figure for figure, _ in rows}) == len(rows), "plots of a row begin at one height"
    assert "AEDT" in seen["tip"]
    assert "GW" in seen["tip"]
    assert seen["pressed"] == ["3 days" if width > 640 else "1 day", "1 day"]


def test_another_series_is_drawn_when_it_is_chosen(
    chromium: str, market_report: ForecastReport, tmp_path: Path
) -> None:
    seen, console = look(chromium, render(market_report), tmp_path, 1280)
    assert console == []
    assert seen["blank"] == seen["blankAfter"] == 0
    assert seen["selects"] == ["VIC", "VIC"]
    assert "forecast-5" in seen["after"]
    assert "forecast-0" not in seen["after"]
    assert len(seen["after"]) == len(seen["before"])
