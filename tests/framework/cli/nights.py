"""Nights of small families: their data, and what a night leaves behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pandas as pd
import pytest

from loopcast.cli import plugin_manager
from loopcast.plugins import PluginManager
from loopcast.serve.lookup import LISTS
from loopcast.store.home import Home, open_home
from loopcast.validate.performance import Variation

from ..distributions import forget_fakes
from ..examples import applications, install_examples

FIRST, LATER, MUCH_LATER = ("job.at=2025-01-10", "job.at=2025-12-01", "job.at=2026-06-01")
BETTER = "retrain.keep=better"
SHOPS = (
    "logical_model=shop",
    "data.table.segment=tenant",
    "+logical_model.schema.item_features.kind.kind=category",
    "+rules.reader=csv",
    "+rules.options.path=rules.csv",
    "job.table=true",
)
POPULAR, EASE = "template=recommender.popularity", "template=recommender.ease"
CREDIT = ("data.table.segment=region", "checks.shift_ks=null", "checks.shift_psi=null")


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginManager]:
    """The templates of docs/tasks.md, and the recommenders, of which one beats the other."""
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    with forget_fakes():
        install_examples(tmp_path / "site")
        yield plugin_manager(("credit", "forecasting"))


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is better is released, however far it is from its champion."""
    monkeypatch.setattr("loopcast.iterate.verdict.LIMITS", Variation(median=1.0, p95=1.0))


def sales(tenant: str, seed: int, rows: int, after: str = "2024-01-01") -> pd.DataFrame:
    """Customers of four tastes over most of a year; every fifth choice is anybody's."""
    rng = np.random.default_rng(seed)
    who, anything = rng.integers(0, 40, rows), rng.random(rows) < 0.2
    what = np.where(anything, rng.integers(0, 40, rows), rng.integers(0, 10, rows) * 4 + who % 4)
    days = np.sort(rng.integers(0, 300, rows))
    return pd.DataFrame(
        {
            "tenant": tenant,
            "customer": [f"c{code}" for code in who],
            "product": [f"p{code}" for code in what],
            "kind": [f"k{code % 3}" for code in what],
            "sold": (np.datetime64(after) + days).astype(str),
        }
    )


def put_shops(folder: Path, *, night: int, names: str = "abcdef") -> None:
    """Write the sales of shops; on the second night some are broken, and one is new."""
    parts = [sales(name, seed, 700) for seed, name in enumerate(names)]
    if night == 2:
        parts += [sales(name, 50 + s, 400, "2025-01-15") for s, name in enumerate(names)]
        parts += [sales("new", 9, 700)]
    table = pd.concat(parts)
    if night == 2:
        table.loc[table["tenant"] == "e", "sold"] = "yesterday"
    table.to_csv(folder / "sales.csv", index=False)
    rules = [
        {
            "segment": "a",
            "rule": "one of a kind",
            "does": "at_most",
            "feature": "kind",
            "number": 1,
        },
        {"segment": "f", "rule": "too far", "does": "pin", "item": "p1", "number": 9},
    ]
    pd.DataFrame(rules).to_csv(folder / "rules.csv", index=False)


def put_credit(folder: Path, *, night: int) -> None:
    """Write applications of regions; on the second night their risk falls with debt."""
    parts = []
    for seed, name in enumerate(("east", "north", "south", "west")):
        part = applications(1_200 if night == 2 else 500, seed + 10 * night)
        if night == 2 and name != "west":
            part["debt"] = 18_000 - part["debt"]
        if night == 2 and name == "north":
            part["outcome"] = "good"
        parts.append(part.assign(region=name))
    if night == 2:
        parts.append(applications(300, 77).assign(region="young"))
    pd.concat(parts).to_csv(folder / "applications.csv", index=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """What a night left behind."""

    retrained: dict[str, Any]
    summary: dict[str, Any]
    home: Home
    answers: pd.DataFrame
    events: pd.DataFrame
    lists: dict[bytes, bytes]


def outcome(folder: Path, home: Path, file: str, retrained: Any, summary: Any) -> Outcome:
    place, name = open_home(home), summary["logical_model"]
    events = place.events.read(name).to_pandas().drop(columns=["latency_ms"])
    return Outcome(
        retrained={item["segment"]: item for item in retrained["segments"]},
        summary=summary,
        home=place,
        answers=pd.read_parquet(folder / "run" / file),
        events=events.sort_values(["segment", "key", "version"]).reset_index(drop=True),
        lists=entries(folder / "run" / LISTS),
    )


def entries(path: Path) -> dict[bytes, bytes]:
    if not path.exists():
        return {}
    with lmdb.open(str(path), subdir=False, lock=False, readonly=True) as lists:
        return dict(lists.begin().cursor())


@pytest.fixture
def two_and_one(
    tmp_path: Path, run: Any, loopcast_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Outcome, Outcome]]:
    """A function that does a night by two jobs and by one, each from the same home."""

    def go(file: str, *overrides: str) -> tuple[Outcome, Outcome]:
        other = tmp_path / "other-home"
        shutil.copytree(loopcast_home, other, symlinks=True)
        told = run("job=retrain", *overrides)["retraining"]
        summary = run("job=serve", *overrides)
        two = outcome(tmp_path, loopcast_home, file, told, summary)
        shutil.rmtree(tmp_path / "run")
        monkeypatch.setenv("LOOPCAST_HOME", str(other))
        summary = run("job=night", *overrides)
        return two, outcome(tmp_path, other, file, summary["retraining"], summary)

    return go


def same(two: Outcome, one: Outcome) -> None:
    """Expect the same versions, answers, events, lists and counts."""
    assert one.retrained == two.retrained
    name = one.summary["logical_model"]
    assert one.home.catalog.newest(name) == two.home.catalog.newest(name)
    assert one.home.catalog.serving(name) == two.home.catalog.serving(name)
    assert one.home.catalog.attempts(name) == two.home.catalog.attempts(name)
    assert one.summary["predictions"] == two.summary["predictions"]
    pd.testing.assert_frame_equal(one.answers, two.answers)
    pd.testing.assert_frame_equal(one.events, two.events)
    assert one.lists == two.lists


@pytest.fixture
def shops(tmp_path: Path, run: Any, home: Home, unasked: None) -> Callable[..., Any]:
    """A function that does a night over shops that have champions; all of them get better."""
    put_shops(tmp_path, night=1, names="abc")
    run("job=train", FIRST, *SHOPS, POPULAR)
    put_shops(tmp_path, night=2, names="abc")
    return lambda *overrides: run("job=night", LATER, BETTER, *SHOPS, EASE, *overrides)
