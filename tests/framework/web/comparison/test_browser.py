"""The page of a comparison in a real browser: charts are drawn, and nothing overflows."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopcast.web.comparison import board, page

from ..browser import chromium, opened
from .test_page import board_of, report

__all__ = ["chromium"]

PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const plots = [...document.querySelectorAll(".plot")].filter((p) => p.clientWidth);
  const blank = plots.filter((p) => {
    const canvas = p.querySelector("canvas");
    if (!canvas || !canvas.width) return true;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return !data.some((value, i) => i % 4 === 3 && value > 0);
  });
  const root = document.documentElement, right = (e) => Math.round(e.getBoundingClientRect().right);
  const outside = [...document.querySelectorAll("figure .dot-plot")].filter(
    (e) => right(e) > right(e.closest("figure")) + 1);
  document.body.dataset.seen = JSON.stringify({
    plots: plots.length, blank: blank.length, overflow: root.scrollWidth - root.clientWidth,
    dots: document.querySelectorAll(".dot-plot .dot").length, outside: outside.length,
  });
}, 500));
</script>
"""


def look(browser: str, html: str, folder: Path, width: int) -> tuple[dict[str, int], list[str]]:
    return opened(browser, html.replace("</body>", f"{PROBE}</body>"), folder, width)


@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_of_a_comparison_is_drawn(
    chromium: str,
    tmp_path: Path,
    width: int,
) -> None:
    seen, console = look(chromium, page.render(report("score")), tmp_path, width)
    assert console == []
    assert (seen["plots"], seen["blank"], seen["overflow"], seen["outside"]) == (3, 0, 0, 0)
    assert seen["dots"] > 5


def test_a_board_fits_a_narrow_screen(chromium: str, tmp_path: Path) -> None:
    seen, console = look(chromium, board.render(board_of("forecast")), tmp_path, 390)
    assert console == []
    assert (seen["overflow"], seen["dots"]) == (0, 1)
