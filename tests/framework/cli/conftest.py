"""Runs of the templates of docs/tasks.md, through the command's own code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loopcast import config
from loopcast.cli import plugin_manager
from loopcast.cli.run import execute
from loopcast.plugins import PluginManager
from loopcast.store.home import Home, open_home

from ..distributions import SHIPPED, forget_fakes
from ..examples import (
    FORECAST_DATA,
    FORECAST_MODEL,
    RANK_DATA,
    RANK_MODEL,
    SCORE_DATA,
    SCORE_MODEL,
    install_examples,
    write_configuration,
)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginManager]:
    """The templates of docs/tasks.md, installed; worker processes find them too."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.chdir(tmp_path)
    with forget_fakes():
        install_examples(folder)
        yield plugin_manager(SHIPPED)


@pytest.fixture
def run(tmp_path: Path, plugins: PluginManager) -> Any:
    """A function that runs with overrides and returns the summary."""
    files = {
        "logical_model/credit.yaml": SCORE_MODEL,
        "data/applications.yaml": SCORE_DATA,
        "logical_model/shop.yaml": RANK_MODEL,
        "data/sales.yaml": RANK_DATA,
        "logical_model/meters.yaml": FORECAST_MODEL,
        "data/meters.yaml": FORECAST_DATA,
    }
    folder = write_configuration(tmp_path / "conf", files)

    def go(*overrides: str) -> dict[str, Any]:
        chosen = ["logical_model=credit", "engine.workers=1", *overrides]
        settings = config.compose(chosen, plugins=plugins, folder=folder)
        execute(settings, tmp_path / "run", plugins)
        found: dict[str, Any] = json.loads((tmp_path / "run" / "summary.json").read_text())
        return found

    return go


@pytest.fixture
def home(loopcast_home: Path) -> Home:
    return open_home(loopcast_home)
