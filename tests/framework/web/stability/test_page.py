"""The page of stability: what it tells, and that a browser draws all of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loopcast.monitor.population import LIMITS, Stability
from loopcast.web.stability.page import MOST_DOTS, MOST_ROWS, Compared, render

from ...monitor.test_vintages import MODEL
from ..browser import chromium
from ..comparison.test_browser import look
from ..experiment.test_page import text_of

__all__ = ["chromium"]


def index(name: str, psi: float, **others: Any) -> Stability:
    said: dict[str, Any] = {
        "segment": "", "version": "a" * 16, "subset": "", "of": "characteristic", "rows": 4_000,
        "ks": psi / 2, "wasserstein": None, "p_value": 0.0,
        "verdict": "shifted" if psi >= 0.25 else "shifting" if psi >= 0.1 else "stable",
    }  # fmt: skip
    return Stability(name=name, psi=psi, **said | others)


def compared(*found: Stability) -> Compared:
    return Compared(
        model=MODEL, first=date(2026, 1, 1), last=date(2026, 1, 30), limits=LIMITS, found=found
    )


SHIFTED = compared(
    index("income", 1.31),
    index("probability", 0.42, of="population"),
    index("amount", 0.17),
    index("town", 0.01, ks=None),
    index("income", 0.9, subset="town=a", rows=12, verdict="too few rows"),
)


def test_all_indices_are_told_with_their_verdict() -> None:
    text = text_of(render(SHIFTED))
    assert "Shifted since the training: income, probability." in text
    assert "Shifting since the training: amount." in text
    assert "1 index is beyond a limit, but of so few rows" in text
    assert "rows 4,000 in 30 days" in text
    assert "income characteristic shifted 4,000 1.310 0.655 –" in text
    assert "income town=a characteristic too few rows 12 0.900" in text
    assert "segment" not in text.replace("segments", "")


def test_where_nothing_moves_the_page_says_so() -> None:
    quiet = text_of(render(compared(index("income", 0.02))))
    assert "Nothing has moved beyond the limits." in quiet
    assert "By subpopulation, the" not in quiet


def test_thousands_of_segments_leave_a_page_that_can_be_read() -> None:
    many = [index("x", 2.0 - at / 2_000, segment=f"s{at}") for at in range(2_000)]
    page = render(compared(*many))
    assert page.count('class="dot role-') == MOST_DOTS
    assert page.count("<tr") < MOST_ROWS + MOST_DOTS + 20
    assert "1500 smaller indices are left out" in text_of(page)


@pytest.mark.parametrize("width", [1280, 390])
def test_every_dot_is_drawn_and_nothing_overflows(
    chromium: str, tmp_path: Path, width: int
) -> None:
    seen, console = look(chromium, render(SHIFTED), tmp_path, width)
    assert console == []
    assert (seen["plots"], seen["overflow"], seen["dots"]) == (0, 0, 4)
