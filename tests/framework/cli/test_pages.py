"""Explanations, fairness and the dossier of a score in a real browser, wide and narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from loopcast.cli import loopcast
from loopcast.store.home import Home

from ..examples import applications
from ..web.browser import chromium
from ..web.comparison.test_browser import look

__all__ = ["chromium"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn_and_nothing_overflows(
    chromium: str, run: Any, home: Home, tmp_path: Path, width: int
) -> None:
    applications(600, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train", "+logical_model.schema.features.debt.changeable=down")
    version = home.catalog.versions(limit=1)[0].version.id
    page = tmp_path / "shown.html"
    for arguments, plots in (
        (("explain", version, "--row", "a1_3", "--what-if", "--page", str(page)), 2),
        (("fairness", version, "--page", str(page)), 4),
        (("models", "dossier", version, "--output", str(page)), 6),
    ):
        done = CliRunner().invoke(
            loopcast, [*arguments, "--home", str(home.folder)], catch_exceptions=False
        )
        assert done.exit_code == 0
        seen, console = look(chromium, page.read_text(), tmp_path, width)
        assert console == []
        assert (seen["plots"], seen["blank"], seen["overflow"]) == (plots, 0, 0)
        assert seen["dots"] > 3
