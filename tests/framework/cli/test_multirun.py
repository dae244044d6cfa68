"""A multirun within a budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from loopcast import config
from loopcast.api import DataError
from loopcast.cli import loopcast, plugin_manager
from loopcast.cli.multirun import SUMMARY, Multirun
from loopcast.settings import RunSettings
from loopcast.store.home import Home

from ..examples import applications


def settings(*overrides: str) -> RunSettings:
    return config.compose(overrides, plugins=plugin_manager())


def summary_of(folder: Path, **content: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).write_text(json.dumps(content))


def test_minutes_that_are_spent_end_a_multirun(tmp_path: Path) -> None:
    now = iter([0.0, 0.0, 50.0, 61.0, 120.0])
    multirun = Multirun(lambda _, folder: summary_of(folder), clock=lambda: next(now))
    limited = settings("budget.minutes=1")
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        multirun.run(limited, tmp_path / str(number))
    assert (multirun.found, multirun.skipped) == (2, 2)
    assert multirun.why == "the budget of 1 minutes is spent"


def test_a_run_that_finds_its_version_costs_nothing_and_one_that_fails_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Iterator[dict[str, Any] | None] = iter(
        [{"trained_now": False}, {"training": {}}, None, {"trained_now": True}]
    )

    def execute(_: RunSettings, folder: Path) -> None:
        content = next(outcomes)
        if content is None:
            raise DataError("no rows")
        summary_of(folder, **content)

    multirun, limited = Multirun(execute), settings("budget.fits=2")
    multirun.run(limited, tmp_path / "0")
    multirun.run(limited, tmp_path / "1")
    with pytest.raises(DataError):
        multirun.run(limited, tmp_path / "2")
    (tmp_path / "3").mkdir()
    multirun.run(limited, tmp_path / "3")
    assert json.loads((tmp_path / "3" / SUMMARY).read_text()) == {
        "skipped": "the budget of 2 fits is spent"
    }
    multirun.conclude()
    assert "multirun: 2 trained, 1 found, 1 skipped, since the budget of 2 fits" in (
        capsys.readouterr().out
    )


def test_a_single_run_is_no_multirun(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    multirun = Multirun(lambda _, folder: summary_of(folder, training={}))
    multirun.run(settings("budget.fits=1"), tmp_path)
    multirun.conclude()
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("plugins", "run")
def test_a_multirun_lands_in_the_store_within_its_budget(tmp_path: Path, home: Home) -> None:
    applications(400, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    arguments = [
        "run", "--multirun", "--config-dir", str(tmp_path / "conf"), "logical_model=credit",
        "engine.workers=1", "job=train", "template.hyperparameters.ridge=0.001,10.0,1000.0",
        "budget.fits=2",
    ]  # fmt: skip

    result = CliRunner().invoke(loopcast, arguments)
    assert result.exit_code == 0, result.output
    assert "multirun: 2 trained, 0 found, 1 skipped, since the budget of 2 fits" in result.output
    assert "'loopcast models board -m credit' sets their versions side by side" in result.output
    assert len(home.catalog.versions()) == 2
