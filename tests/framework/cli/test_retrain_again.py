"""A ranking whose template begins its search at the champion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import NotFoundError, Version
from loopcast.cli import plugin_manager
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.loaded import load_version
from loopcast.develop.engine import LocalEngine
from loopcast.iterate.rebuild import rebuild
from loopcast.iterate.retrain.treatment import read_retraining
from loopcast.plugins import PluginManager
from loopcast.store.home import Home

from ..distributions import SHIPPED

FIRST, LATER = "job.at=2025-01-10", "job.at=2025-06-01"
MUCH_LATER, AT_LAST = "job.at=2025-12-01", "job.at=2026-06-01"
SHOP = ("logical_model=shop", "template=recommender.item_knn")


def tastes(until: str) -> pd.DataFrame:
    """Sales of a year to customers of four tastes, until a day."""
    rng = np.random.default_rng(1)
    who = rng.integers(0, 60, 3_000)
    own = rng.integers(0, 10, 3_000) * 4 + who % 4
    what = np.where(rng.random(3_000) < 0.3, rng.integers(0, 40, 3_000), own)
    days = np.sort(rng.integers(0, 365, 3_000))
    table = pd.DataFrame(
        {
            "customer": [f"c{code:02d}" for code in who],
            "product": [f"p{code:02d}" for code in what],
            "sold": (np.datetime64("2024-01-01") + days).astype(str),
        }
    )
    return table[table["sold"] <= until]


@pytest.fixture
def plugins(plugins: PluginManager) -> PluginManager:
    """The recommender too."""
    return plugin_manager([name for name in SHIPPED if name != "recommender"])


@pytest.fixture
def again(tmp_path: Path, run: Any, home: Home) -> Any:
    """A function that retrains after a first training, and returns its champion and the result."""

    def go(*first: str, keep: str = "all") -> tuple[Version, dict[str, Any]]:
        tastes("2024-09-01").to_csv(tmp_path / "sales.csv", index=False)
        run("job=train", FIRST, *SHOP, *first)
        champion = home.catalog.champion("shop")
        assert champion is not None
        tastes("2024-12-31").to_csv(tmp_path / "sales.csv", index=False)
        [segment] = run("job=retrain", LATER, *SHOP, f"retrain.keep={keep}")["retraining"][
            "segments"
        ]
        return champion, dict(segment)

    return go


def test_newer_data_alone_makes_what_is_better(tmp_path: Path, run: Any, home: Home) -> None:
    fixed = ("neighbours=[20]", "shrinkages=[10.0]", "half_lives=[null]")
    shop = (*SHOP, *(f"template.hyperparameters.{value}" for value in fixed))
    before, whole = tastes("2024-09-01"), tastes("2024-12-31")
    before.to_csv(tmp_path / "sales.csv", index=False)
    run("job=train", FIRST, *shop)
    champion = home.catalog.champion("shop")
    assert champion is not None
    after = whole.iloc[len(before) :]
    launched = after.assign(product=after["product"].str.replace("p", "new "))
    pd.concat([before, launched]).to_csv(tmp_path / "sales.csv", index=False)
    [segment] = run("job=retrain", LATER, *shop)["retraining"]["segments"]
    assert segment["result"] == "proposed"  # so many other products are a person's to release
    assert f"of champion {champion.id}: better; a person" in segment["reason"]


def test_what_began_at_its_champion_is_rebuilt_bit_for_bit(
    again: Any,
    home: Home,
    plugins: PluginManager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, segment = again("template.hyperparameters.shrinkages=[10.0]")
    version = home.catalog.version(segment["version"])
    tuned = load_version(home, plugins, version).model.tuning
    assert tuned.option.shrinkage == 10.0  # nothing was clearly better
    assert rebuild(home, plugins, version, LocalEngine(), base=tmp_path).identical
    monkeypatch.setattr("loopcast.iterate.rebuild.followed", lambda known, *_: known)
    assert not rebuild(home, plugins, version, LocalEngine(), base=tmp_path).identical


def test_what_followed_a_try_is_rebuilt_bit_for_bit(
    again: Any, run: Any, home: Home, plugins: PluginManager, tmp_path: Path
) -> None:
    again("template.hyperparameters.shrinkages=[10.0]", keep="better")
    attempt = home.catalog.attempts("shop")[""]
    [segment] = run("job=retrain", MUCH_LATER, *SHOP, "seed=5")["retraining"]["segments"]
    version = home.catalog.version(segment["version"])
    done = read_retraining(read_bundle(home.artifacts, version.manifest).files)
    assert done is not None
    assert done.tried == attempt.at
    assert rebuild(home, plugins, version, LocalEngine(), base=tmp_path).identical
    [segment] = run("job=retrain", AT_LAST, *SHOP, "seed=6")["retraining"]["segments"]
    last = home.catalog.version(segment["version"])
    done = read_retraining(read_bundle(home.artifacts, last.manifest).files)
    assert done is not None
    assert done.tried == version.created  # a version is a try too


def test_a_version_is_not_rebuilt_without_the_champion_that_it_began_at(
    again: Any, home: Home, plugins: PluginManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion, segment = again()
    version = home.catalog.version(segment["version"])
    monkeypatch.setattr(type(home.catalog), "versions_of", lambda *_: {})
    with pytest.raises(NotFoundError, match=f"beside champion {champion.id}, which the catalog"):
        rebuild(home, plugins, version, LocalEngine(), base=tmp_path)
