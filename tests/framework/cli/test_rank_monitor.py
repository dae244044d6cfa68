"""Lists that go on as they were made are no alarm, whatever template makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from loopcast.cli import loopcast

from .nights import EASE, FIRST, POPULAR, SHOPS, plugins, put_shops

__all__ = ["plugins"]


@pytest.mark.parametrize("template", [POPULAR, EASE])
def test_what_a_ranker_says_on_its_own_data_is_no_bad_day(
    tmp_path: Path, run: Any, template: str
) -> None:
    put_shops(tmp_path, night=1, names="abc")
    (tmp_path / "rules.csv").write_text("rule,does,item\nof nobody,hide,no product\n")
    run("job=train", FIRST, *SHOPS, template)
    run("job=serve", "job.at=2025-01-11", *SHOPS, template)
    done = CliRunner().invoke(loopcast, ["monitor", "-m", "shop", "--until", "2025-01-12"])
    assert "3 quiet" in done.output, done.output
