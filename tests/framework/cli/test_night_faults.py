"""Nights in which somebody acts meanwhile, that are killed, look only, or answer nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loopcast.api import GateError
from loopcast.cli.answer_results import AnswerFiles
from loopcast.iterate.family import Training
from loopcast.serve.lookup import LISTS
from loopcast.store.home import Home

from ..examples import applications
from .nights import (
    CREDIT,
    EASE,
    FIRST,
    LATER,
    SHOPS,
    entries,
    plugins,
    put_credit,
    put_shops,
    shops,
    unasked,
)

__all__ = ["plugins", "shops", "unasked"]


def interfering(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], *, after: bool) -> None:
    """Let somebody act between the process that trained and answered, and what is written."""
    settle = Training.settle

    def settled(training: Training, results: Any) -> Any:
        if not after:
            act()
        found = settle(training, results)
        if after:
            act()
        return found

    monkeypatch.setattr(Training, "settle", settled)


def served(folder: Path) -> dict[str, Any]:
    """Return who answered each segment, by what was written."""
    lists = pd.read_parquet(folder / "run" / "rankings.parquet")
    return {str(name): set(own["version"]) for name, own in lists.groupby("segment")}


def lists_again(folder: Path, run: Any) -> tuple[pd.DataFrame, dict[bytes, bytes]]:
    run("job=serve", LATER, *SHOPS)
    lists = pd.read_parquet(folder / "run" / "rankings.parquet")
    return lists, entries(folder / "run" / LISTS)


def test_nobody_is_answered_by_a_version_that_was_taken_back_or_switched_off_meanwhile(
    tmp_path: Path, run: Any, home: Home, shops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: version.id for name, version in home.catalog.champions("shop").items()}

    def act() -> None:
        home.catalog.release("shop", "a", before["a"], stage="champion", by="ann", reason="no")
        home.catalog.set_switch("shop", ["b"], "off", by="ann", reason="asked")

    interfering(monkeypatch, act, after=True)
    summary = shops()
    results = {item["segment"]: item for item in summary["retraining"]["segments"]}
    assert all(results[name]["result"] == "released" for name in "abc")
    assert summary["asked_again"] == 4
    assert served(tmp_path) == {
        "a": {before["a"]}, "c": {results["c"]["version"]}, "new": {results["new"]["version"]},
    }  # fmt: skip
    reasons = {item["segment"]: item["reason"] for item in summary["predictions"]["segments"]}
    assert "shop/b is switched off" in reasons["b"]
    written = pd.read_parquet(tmp_path / "run/rankings.parquet"), entries(tmp_path / "run" / LISTS)
    events = home.events.read("shop").to_pandas()
    assert not (set(events["version"]) & {results[name]["version"] for name in "ab"})
    again = lists_again(tmp_path, run)
    pd.testing.assert_frame_equal(written[0], again[0])
    assert written[1] == again[1]


def test_whom_a_person_releases_meanwhile_nobody_follows_unasked(
    tmp_path: Path, run: Any, home: Home, shops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    popular = home.catalog.champions("shop")["a"].id
    put_shops(tmp_path, night=1, names="abc")
    run("job=train", FIRST, *SHOPS, EASE)
    put_shops(tmp_path, night=2, names="abc")
    assert home.catalog.champions("shop")["a"].id != popular

    def act() -> None:
        home.catalog.release("shop", "a", popular, stage="champion", by="ann", reason="chosen")

    interfering(monkeypatch, act, after=False)
    summary = shops("retrain.keep=all")
    found = {item["segment"]: item for item in summary["retraining"]["segments"]}["a"]
    assert found["result"] == "proposed"
    since = f"champion {popular} was released since, and it was not judged beside that"
    assert found["reason"] == since
    assert any(found["version"] in line for line in summary["retraining"]["commands"])
    assert home.catalog.champions("shop")["a"].id == popular
    assert served(tmp_path)["a"] == {popular}


def test_a_segment_that_is_frozen_meanwhile_keeps_its_champion_and_stops_no_other(
    tmp_path: Path, home: Home, shops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: version.id for name, version in home.catalog.champions("shop").items()}
    interfering(
        monkeypatch,
        lambda: home.catalog.set_switch("shop", ["a"], "freeze", by="ann", reason="audit"),
        after=False,
    )
    summary = shops()
    results = {item["segment"]: item for item in summary["retraining"]["segments"]}
    assert results["a"]["result"] == "held back"
    assert "shop/a is frozen since" in results["a"]["reason"]
    assert served(tmp_path) == {
        "a": {before["a"]}, "b": {results["b"]["version"]},
        "c": {results["c"]["version"]}, "new": {results["new"]["version"]},
    }  # fmt: skip


def test_a_night_that_was_killed_goes_on_and_makes_all_lists(
    tmp_path: Path, home: Home, shops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopcast.develop.source.BATCH", 1)
    monkeypatch.setattr("loopcast.iterate.family.AT_ONCE", 1)
    write = AnswerFiles.write

    def killed(files: AnswerFiles, batch: Any) -> None:
        if files.answered:
            raise KeyboardInterrupt
        write(files, batch)

    with monkeypatch.context() as patch:
        patch.setattr(AnswerFiles, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            shops()
    assert not (tmp_path / "run/rankings.parquet").exists()
    assert not (home.folder / "served").exists()
    made = home.catalog.count()
    assert made == 3 + 2  # of two batches, the second of which was not written
    summary = shops()
    assert home.catalog.count() == made + 2
    counts = summary["retraining"]["counts"]
    assert (counts["released"], counts["not due"]) == (4, 0)
    champions = {name: {v.id} for name, v in home.catalog.champions("shop").items()}
    assert served(tmp_path) == champions
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
    logged = home.events.read("shop", columns=["segment", "key"])
    assert logged.num_rows == len(lists[["segment", "customer"]].drop_duplicates())
    assert not list((home.folder / "retrain").rglob("*.json"))


def test_who_is_frozen_or_off_since_a_night_was_killed_is_not_trained_when_it_goes_on(
    tmp_path: Path, home: Home, shops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(training: Training, results: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            shops()
    home.catalog.set_switch("shop", ["a"], "freeze", by="ann", reason="audit")
    home.catalog.set_switch("shop", ["b"], "off", by="ann", reason="asked")
    found = {item["segment"]: item for item in shops()["retraining"]["segments"]}
    assert (found["a"]["result"], found["b"]["result"]) == ("frozen", "off")
    assert found["a"]["version"] is found["b"]["version"] is None
    assert found["c"]["result"] == "released"
    assert home.catalog.count() == 3 + 2
    assert set(served(tmp_path)) == {"a", "c", "new"}


def test_a_night_that_only_looks_answers_by_who_serves(
    tmp_path: Path, run: Any, home: Home, shops: Any
) -> None:
    champions = {name: {v.id} for name, v in home.catalog.champions("shop").items()}
    summary = shops("retrain.train=false")
    assert summary["retraining"]["counts"]["due"] == 4
    assert home.catalog.count() == 3
    assert served(tmp_path) == champions
    reasons = {item["segment"]: item["reason"] for item in summary["predictions"]["segments"]}
    assert reasons["new"] == "shop/new has no version; train it first"
    assert (home.folder / "served/shop/current" / LISTS).exists()


def test_a_night_on_which_nothing_is_due_is_one_of_answers(
    tmp_path: Path, run: Any, home: Home
) -> None:
    put_credit(tmp_path, night=1)
    run("job=night", FIRST, *CREDIT)
    first = pd.read_parquet(tmp_path / "run/scores.parquet")
    made = home.catalog.count()
    assert set(first["version"]) == {v.id for v in home.catalog.champions("credit").values()}
    summary = run("job=night", "job.at=2025-01-11", *CREDIT)
    assert summary["retraining"]["counts"]["not due"] == 4
    assert home.catalog.count() == made
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "run/scores.parquet"), first)


def test_a_night_without_any_answer_still_tells_what_was_trained(
    tmp_path: Path, run: Any, home: Home
) -> None:
    table = applications(300, 1).assign(region="east", outcome="good")
    table.to_csv(tmp_path / "applications.csv", index=False)
    why = "nothing was answered: credit/east has no version: .*no row has the event"
    with pytest.raises(GateError, match=why):
        run("job=night", FIRST, *CREDIT)
    assert "no row has the event" in (tmp_path / "run/retraining.html").read_text()
    assert not (home.folder / "served").exists()


def test_a_shop_whose_name_is_none_stops_no_other(tmp_path: Path, home: Home, shops: Any) -> None:
    table = pd.read_csv(tmp_path / "sales.csv")
    odd = table[table["tenant"] == "a"]
    names = ["../../etc/passwd", "two words", "line\nbreak", "🛒"]
    pd.concat([table, *(odd.assign(tenant=name) for name in names)]).to_csv(
        tmp_path / "sales.csv", index=False
    )
    summary = shops()
    results = {item["segment"]: item for item in summary["retraining"]["segments"]}
    assert [name for name, item in results.items() if item["result"] == "failed"] == sorted(names)
    assert all("cannot name a segment" in results[name]["reason"] for name in names)
    assert all(results[name]["result"] == "released" for name in "abc")
    assert set(served(tmp_path)) == {"a", "b", "c", "new"}
    reasons = {item["segment"]: item["reason"] for item in summary["predictions"]["segments"]}
    assert all("cannot name a segment" in reasons[name] for name in names)


def test_a_stamp_of_the_future_stops_its_shop_before_anything_is_learned_from_it(
    tmp_path: Path, home: Home, shops: Any
) -> None:
    table = pd.read_csv(tmp_path / "sales.csv")
    table.loc[table.index[table["tenant"] == "a"][5], "sold"] = "2099-01-01"
    table.to_csv(tmp_path / "sales.csv", index=False)
    before = home.catalog.champions("shop")["a"]
    summary = shops()
    results = {item["segment"]: item for item in summary["retraining"]["segments"]}
    assert results["a"]["result"] == "failed"
    assert "times in the future (1), the first '2099-01-01'" in results["a"]["reason"]
    assert home.catalog.champions("shop")["a"] == before
    assert set(served(tmp_path)) == {"b", "c", "new"}
