"""The job ``night``: in one pass what two jobs do one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loopcast.api import Experiment, ExperimentStep
from loopcast.serve.lookup import LISTS
from loopcast.store.home import Home

from ..examples import meters
from ..store.builders import NOON
from .nights import (
    BETTER,
    CREDIT,
    EASE,
    FIRST,
    LATER,
    POPULAR,
    SHOPS,
    entries,
    plugins,
    put_credit,
    put_shops,
    sales,
    same,
    shops,
    two_and_one,
    unasked,
)

__all__ = ["plugins", "shops", "two_and_one", "unasked"]


@pytest.mark.usefixtures("unasked")
def test_lists_of_a_night_are_those_of_two_jobs(
    tmp_path: Path, run: Any, home: Home, two_and_one: Any
) -> None:
    put_shops(tmp_path, night=1)
    run("job=train", FIRST, *SHOPS, POPULAR)
    home.catalog.set_switch("shop", ["c"], "freeze", by="ann", reason="audit")
    home.catalog.set_switch("shop", ["d"], "off", by="ann", reason="asked")
    put_shops(tmp_path, night=2)
    two, one = two_and_one("rankings.parquet", LATER, BETTER, *SHOPS, EASE)
    same(two, one)
    results = {name: item["result"] for name, item in one.retrained.items()}
    assert results == {
        "a": "released", "b": "released", "c": "frozen", "d": "off", "e": "failed",
        "f": "released", "new": "released",
    }  # fmt: skip
    served = one.answers.groupby("segment")["version"].unique().explode().to_dict()
    assert served == {
        "a": one.retrained["a"]["version"],
        "b": one.retrained["b"]["version"],
        "c": home.catalog.champions("shop")["c"].id,
        "new": one.retrained["new"]["version"],
    }
    assert one.summary["asked_again"] == 0
    assert one.summary["predictions"]["rules"]["one of a kind"]["removed"] > 0
    names = {path.name for path in (tmp_path / "other-home/served/shop/current").iterdir()}
    assert {"rankings.parquet", LISTS, "summary.json", "report.html"} <= names
    assert "4 have new champions" in (tmp_path / "run/retraining.html").read_text()


def test_lists_of_a_night_are_no_table_unless_asked(tmp_path: Path, shops: Any, home: Home) -> None:
    at = "job.at=2025-01-12"
    shops()  # since when nobody has anything to learn
    asked = shops(at)
    names = {path.name for path in (home.folder / "served/shop/current").iterdir()}
    assert "rankings.parquet" in names
    with_table = entries(tmp_path / "run" / LISTS)
    (tmp_path / "run/rankings.parquet").unlink()
    told = shops(at, "job.table=null")
    assert told["predictions"] == asked["predictions"]
    assert entries(tmp_path / "run" / LISTS) == with_table
    now = {path.name for path in (home.folder / "served/shop/current").iterdir()}
    assert now == names - {"rankings.parquet"}
    assert not (tmp_path / "run/rankings.parquet").exists()


@pytest.mark.usefixtures("unasked")
def test_scores_of_a_night_are_those_of_two_jobs(
    tmp_path: Path, run: Any, home: Home, two_and_one: Any
) -> None:
    put_credit(tmp_path, night=1)
    run("job=train", FIRST, *CREDIT)
    put_credit(tmp_path, night=2)
    two, one = two_and_one("scores.parquet", LATER, BETTER, *CREDIT)
    same(two, one)
    results = {name: item["result"] for name, item in one.retrained.items()}
    assert results == {
        "east": "released", "north": "failed", "south": "released", "west": "not better",
        "young": "released",
    }  # fmt: skip
    assert set(one.answers["segment"]) == set(results)  # the last champion goes on scoring
    assert one.summary["asked_again"] == 0


@pytest.mark.parametrize("job", [["data.table.segment=tenant"], ["data.table.segment=null"]])
def test_forecasts_of_a_night_are_those_of_two_jobs(
    tmp_path: Path, run: Any, two_and_one: Any, job: list[str]
) -> None:
    """A family in one pass; one forecast alone, whose page is its own, by one job after another."""
    chosen = ("logical_model=meters", "backtest.origins=3", "backtest.calibration=3", *job)
    meters(2 if "null" not in job[0] else 1).to_csv(tmp_path / "meters.csv", index=False)
    run("job=train", FIRST, "+data.table.until=2024-02-06", *chosen)
    two, one = two_and_one("forecast.parquet", LATER, *chosen)
    assert one.retrained == two.retrained
    assert {item["version"] for item in one.retrained.values()}.isdisjoint({None})
    assert one.home.catalog.serving("meters") == two.home.catalog.serving("meters")
    pd.testing.assert_frame_equal(one.answers, two.answers)
    pd.testing.assert_frame_equal(one.events, two.events)
    for name in ("predictions", "coherence_error", "stage", "version"):
        assert one.summary.get(name) == two.summary.get(name)
    assert (tmp_path / "run/retraining.html").exists()
    assert (tmp_path / "other-home/served/meters/current/forecast.parquet").exists()


@pytest.mark.parametrize("kind", ["shadow", "ab", "canary"])
@pytest.mark.usefixtures("unasked")
def test_who_takes_part_in_an_answer_does_so_on_a_night(
    tmp_path: Path, run: Any, home: Home, two_and_one: Any, kind: Any
) -> None:
    """Of two shops one gets a new champion, which ends an experiment; nobody is asked again."""
    put_shops(tmp_path, night=1, names="ab")
    for seed in ("1", "2"):
        run("job=train", FIRST, *SHOPS, POPULAR, f"seed={seed}")
    champions, newest = home.catalog.champions("shop"), home.catalog.newest("shop")
    pairs = {name: (champions[name].id, newest[name].id) for name in "ab"}
    assert all(one != other for one, other in pairs.values())
    for name, arms in pairs.items():
        try_out(home, name, arms, kind)
    table = pd.read_csv(tmp_path / "sales.csv")
    after = sales("a", 50, 400, "2025-01-15")
    pd.concat([table, after]).to_csv(tmp_path / "sales.csv", index=False)
    two, one = two_and_one("rankings.parquet", LATER, BETTER, *SHOPS, EASE)
    same(two, one)
    assert [one.retrained[name]["result"] for name in "ab"] == ["released", "kept"]
    versions = one.events.groupby("segment")["version"].agg(set)
    assert versions["b"] == set(pairs["b"])
    ends = {pairs["a"][1]} if kind == "canary" else set()
    assert versions["a"] == {one.retrained["a"]["version"]} | ends
    assert one.summary["asked_again"] == 0


def try_out(home: Home, segment: str, arms: tuple[str, ...], kind: Any) -> None:
    """Begin an experiment, or let the second version be the canary of a third."""
    if kind != "canary":
        begin(home, segment, arms, kind)
        return
    home.catalog.release(
        "shop", segment, arms[1], stage="canary", share=0.3, by="ann", reason="try"
    )


def begin(home: Home, segment: str, arms: tuple[str, ...], kind: Any) -> None:
    experiment = Experiment(
        name="spring", logical_model="shop", segment=segment, kind=kind, arms=arms,
        metric="outcome", declared=NOON, by="ann", minimum_effect=0.1, sample_size=100,
    )  # fmt: skip
    home.catalog.declare([experiment])
    home.catalog.take_step([experiment], ExperimentStep(step="begun", at=NOON, by="ann"))


@pytest.mark.parametrize("count", [3, 16])
def test_a_champion_that_is_clearly_below_what_is_popular_holds_off_nothing(
    tmp_path: Path, run: Any, home: Home, count: int
) -> None:
    beside = (*SHOPS, EASE, "+baselines.popularity.name=recommender.popularity")
    past = sales("a", 0, 700)
    past.to_csv(tmp_path / "sales.csv", index=False)
    pd.DataFrame(columns=["rule", "does"]).to_csv(tmp_path / "rules.csv", index=False)
    run("job=train", FIRST, *beside)
    favourite, *_, rare = past["product"].value_counts().index
    those = past["customer"][past["product"] == favourite]
    never = sorted(set(past["customer"]) - set(those))[: count + 1]
    new = sales("a", 50, len(never), "2025-01-15")
    new = new.assign(customer=never, product=[*[favourite] * (len(never) - 1), rare])
    pd.concat([past, new]).to_csv(tmp_path / "sales.csv", index=False)
    [told] = run("job=night", LATER, BETTER, *beside)["retraining"]["segments"]
    if count == 3:  # as little as that tells nothing
        assert (told["result"], told["reason"].rpartition(": ")[2]) == ("not better", "undecided")
        return
    assert told["result"] == "released"
    moves = [r for r in home.catalog.history("shop", "a") if r.version == told["version"]]
    assert any("but popularity is better than that champion" in move.reason for move in moves)
