"""An installed plugin, and a folder of the user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loopcast.plugins import PluginManager

from ..distributions import SHIPPED, forget_fakes, install
from .town import ACME, CONF, load


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages: one plugin that brings all that a run needs."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    install(folder, "acme", ACME, files=CONF)
    with forget_fakes():
        yield folder


@pytest.fixture
def plugins(site: Path) -> PluginManager:
    """Found with nothing but that plugin."""
    assert site.is_dir()
    return load(SHIPPED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's own folder of configuration."""
    for group in ("engine", "template", "store", "logical_model"):
        (tmp_path / "mine" / group).mkdir(parents=True)
    return tmp_path / "mine"
