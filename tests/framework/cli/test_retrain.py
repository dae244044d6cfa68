"""The job ``retrain`` through the command's own code: what is due, compared, released, resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loopcast.store.home import Home

from ..examples import applications

FIRST = "job.at=2025-01-10"


def summary_of(run: Any, *overrides: str) -> dict[str, Any]:
    found: dict[str, Any] = run("job=retrain", *overrides)["retraining"]
    return found


@pytest.fixture
def trained(tmp_path: Path, run: Any) -> Any:
    applications(600, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    run("job=train", FIRST)
    return run


def test_what_is_not_due_is_not_trained(trained: Any, home: Home) -> None:
    found = summary_of(trained, "job.at=2025-02-01")
    [segment] = found["segments"]
    assert segment["result"] == "not due"
    assert segment["why"] == "trained on 2025-01-10, and nothing calls for another training"
    assert home.catalog.count() == 1


def test_the_schedule_trains_and_the_champion_is_judged_beside(
    tmp_path: Path, trained: Any, home: Home
) -> None:
    applications(2000, seed=2).to_csv(tmp_path / "applications.csv", index=False)
    found = summary_of(trained, "job.at=2025-06-01")
    [segment] = found["segments"]
    print(segment)
    assert segment["result"] == "not better"
