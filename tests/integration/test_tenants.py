"""A night over tenants, some of them broken: each has its own outcome, and nothing of another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from loopcast.deploy.bundle import read_bundle
from loopcast.store.home import Home, open_home

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))
GOOD = ("acme", "birch", "cedar")
CONFIGURATION = {
    "data/shops.yaml": """\
name: shops
reader: csv
options: {path: sales.csv}
table: {task: rank, segment: tenant}
""",
    "logical_model/shops.yaml": """\
# @package _global_
defaults:
  - override /data: shops
  - override /template: recommender.ease
logical_model:
  name: shops
  title: Suggestions
  purpose: What each customer of each tenant may like next.
  owner: shops
  risk:
    {audience: internal, impact: minor, lifetime: weeks, reversibility: reversible,
     personal_data: none}
  kpi: {metric: ndcg, direction: higher, minimum_effect: 0.0}
  schema: {task: rank, entity: customer, item: product, time: sold, length: 5}
baselines:
  popularity: {name: recommender.popularity}
""",
}


def sales(tenant: str, seed: int, rows: int = 1_500) -> pd.DataFrame:
    """Customers of four tastes; every name says whose it is."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, 80, rows)
    what = np.where(
        rng.random(rows) < 0.2, rng.integers(0, 60, rows), rng.integers(0, 15, rows) * 4 + who % 4
    )
    days = np.sort(rng.integers(0, 300, rows))
    return pd.DataFrame(
        {
            "tenant": tenant,
            "customer": [f"{tenant}-c{code}" for code in who],
            "product": [f"{tenant}-p{code}" for code in what],
            "sold": (np.datetime64("2025-01-01") + days).astype(str),
        }
    )


def broken() -> dict[str, pd.DataFrame]:
    """Tenants that cannot be trained."""
    wrong = sales("wrong", 11)
    wrong.loc[7, "sold"] = "yesterday"
    one = sales("one", 12).assign(product="one-p0")
    doubled = pd.concat([sales("twice", 13)] * 2)
    clicks = sales("poison", 15).sample(1_000_000, replace=True, random_state=0)
    poisoned = pd.concat([sales("poison", 14), clicks.assign(customer="poison-c1")])
    nobody = sales("nobody", 16).assign(customer=None)
    return {"wrong": wrong, "one": one, "twice": doubled, "poison": poisoned, "nobody": nobody}


def loopcast(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [LOOPCAST, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def night(folder: Path, *overrides: str) -> Any:
    loopcast(
        "run", f"--config-dir={folder}", "logical_model=shops", f"hydra.run.dir={folder}/run",
        *overrides, folder=folder,
    )  # fmt: skip
    return json.loads((folder / "run/summary.json").read_text())


@pytest.fixture
def shops(loopcast_home: Path, tmp_path: Path) -> Path:
    for name, text in CONFIGURATION.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    tables = [sales(tenant, seed) for seed, tenant in enumerate(GOOD)]
    pd.concat([*tables, *broken().values()]).to_csv(tmp_path / "sales.csv", index=False)
    return tmp_path


REASONS = {
    "wrong": "'yesterday'",
    "one": "nothing to judge",
    "twice": "duplicates is 0.5",
    "poison": "dominance is 0.99",
    "nobody": "'customer': missing values (1500)",
}


@pytest.mark.slow
def test_a_night_over_tenants(shops: Path, loopcast_home: Path) -> None:
    trained = {s["segment"]: s for s in night(shops, "job=train")["training"]["segments"]}
    assert {name for name, s in trained.items() if s["status"] == "better"} == set(GOOD)
    for name, expected in REASONS.items():
        assert trained[name]["status"] == "failed"
        assert expected in trained[name]["reason"], trained[name]["reason"]
    home = open_home(loopcast_home)
    versions = home.catalog.champions("shops")
    assert set(versions) == set(GOOD)
    loopcast(
        "switch", "shops", "off", "-s", "birch", "--by", "ann", "--reason", "asked", folder=shops
    )
    again = night(shops, "job=train")["training"]
    assert again["counts"] == {
        "better": 0, "waiting": 0, "not better": 0, "kept": 2, "frozen": 1, "failed": 5
    }  # fmt: skip
    answered = night(shops, "job=serve")["predictions"]["segments"]
    assert {s["segment"] for s in answered if not s["reason"]} == {"acme", "cedar"}
    _nothing_of_another(shops, home)


def _nothing_of_another(shops: Path, home: Home) -> None:
    """No bundle, list or event of a tenant has a name of another."""
    for tenant, version in home.catalog.champions("shops").items():
        files = read_bundle(home.artifacts, version.manifest).files
        for other in {*GOOD, *REASONS} - {tenant}:
            for marker in _encodings(f"{other}-"):
                assert not [name for name, content in files.items() if marker in content]
        assert any(marker in files["names.npz"] for marker in _encodings(f"{tenant}-"))
    lists = pd.read_parquet(shops / "run/rankings.parquet")
    for column in ("customer", "product"):
        assert (lists[column].str.partition("-")[0] == lists["segment"]).all()
    events = home.events.read("shops").to_pandas()
    assert set(events["segment"]) == {"acme", "cedar"}
    owner: NDArray[Any] = events["key"].str.partition("-")[0].to_numpy()
    assert (owner == events["segment"]).all()


def _encodings(text: str) -> Iterator[bytes]:
    yield text.encode()
    yield text.encode("utf-32-le")
