"""The example of a night: every command of its README, typed as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from .readme import Readme, beside_examples

README = Readme(example="05_night", home="night")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every command was typed."""
    folder = beside_examples(tmp_path_factory.mktemp("night"))
    for line in README.commands:
        README.told(line, folder)
    return folder


def told(folder: Path, run: str) -> Any:
    return json.loads((folder / "night" / run / "summary.json").read_text())


@pytest.mark.parametrize("night", ["first", "second"])
def test_a_night_says_what_became_of_every_shop(folder: Path, night: str) -> None:
    segments = {s["segment"]: s for s in told(folder, night)["retraining"]["segments"]}
    assert len(segments) == 200
    results = pd.Series({name: own["result"] for name, own in segments.items()})
    assert set(results.index[results == "failed"]) == {"t007", "t077", "t123"}
    assert set(results.index[results == "frozen"]) == {f"t19{n}" for n in range(10)}
    assert list(results.index[results == "off"]) == ["t042"]
    assert "'yesterday'" in segments["t007"]["reason"]
    assert (
        "the data fails 1 of its checks, and nothing was trained: duplicates is"
        in segments["t077"]["reason"]
    )
    assert "dominance is 0.9" in segments["t123"]["reason"]


def test_some_shops_get_a_better_model(folder: Path) -> None:
    assert told(folder, "first")["retraining"]["counts"]["released"] > 0


def test_a_model_that_is_not_better_makes_no_version(folder: Path) -> None:
    found = told(folder, "first")["retraining"]
    lost = [item for item in found["segments"] if item["result"] == "not better"]
    assert len(lost) > 50
    assert not any(item["version"] for item in lost)
    assert all(item["champion_kpi"] is not None for item in lost)
    assert found["counts"]["new versions"] == found["counts"]["retrained"] - len(lost)


def test_lists_follow_the_rules_of_their_shop(folder: Path) -> None:
    lists = pd.read_parquet(folder / "night/first/rankings.parquet")
    assert not {"t007", "t042"} & set(lists["segment"])
    events = pd.read_csv(folder / "shops/events.csv", dtype="str")
    genre = lists["film"].map(events.drop_duplicates("film").set_index("film")["genre"])
    assert lists.groupby(["segment", "customer", genre]).size().max() == 4
    assert "Horror" not in set(genre[lists["segment"] == "t002"])
    first = lists[(lists["segment"] == "t001") & (lists["place"] == 1)]
    assert set(first["film"]) == {"brand-new"}
    counted = told(folder, "first")["predictions"]["rules"]
    assert counted["out of stock"]["removed"] > 0
    assert counted["variety"]["removed"] > 0


def test_the_day_is_known_to_the_next_night(folder: Path) -> None:
    outcomes = pd.read_csv(folder / "shops/2026-01-01.csv")
    chose = outcomes["chosen"] != "nothing"
    assert 0.05 < chose.mean() < 0.8
    events = pd.read_csv(folder / "shops/events.csv", dtype="str")
    of_the_day = events[events["at"] == "2026-01-01"]
    assert len(of_the_day) == outcomes.loc[chose, "chosen"].str.count("\n").add(1).sum()


def test_the_morning_report_needs_no_network(folder: Path) -> None:
    html = (folder / "night/first/retraining.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"']https?:", html)
    assert "their Christmas campaign goes on" in html
