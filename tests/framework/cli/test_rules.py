"""Rules over ranked lists, through the command's own code: lists, counts, events, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ConfigurationError, DataError
from loopcast.serve.lookup import LookUp
from loopcast.store.home import Home

from ..examples import sales

SHOP = (
    "logical_model=shop",
    "data.table.segment=tenant",
    "+logical_model.schema.item_features.kind.kind=category",
    "+rules.reader=csv",
    "+rules.options.path=rules.csv",
)


@pytest.fixture
def shops(tmp_path: Path) -> pd.DataFrame:
    """Sales of two tenants, products of three kinds."""
    table = pd.concat([sales(600, seed).assign(tenant=f"t{seed}") for seed in (1, 2)])
    table["kind"] = "k" + (table["product"].str[1:].astype(int) % 3).astype(str)
    table.to_csv(tmp_path / "sales.csv", index=False)
    return table


def rules(folder: Path, *rows: dict[str, Any]) -> None:
    pd.DataFrame(rows).to_csv(folder / "rules.csv", index=False)


def test_what_rules_do_is_in_lists_summary_events_and_a_file_of_its_own(
    tmp_path: Path, run: Any, home: Home, shops: pd.DataFrame
) -> None:
    rules(tmp_path, {"segment": "t9", "rule": "of nobody", "does": "hide", "item": "p1"})
    free = run(*SHOP)
    assert "rules" not in free["predictions"]
    before = pd.read_parquet(tmp_path / "run/rankings.parquet")
    [gone] = before[before["segment"] == "t1"]["product"].mode()[:1]
    rules(
        tmp_path,
        {"segment": "t1", "rule": "taken out", "does": "hide", "item": gone},
        {"rule": "one of a kind", "does": "at_most", "feature": "kind", "number": 1},
        {"segment": "t2", "rule": "new here", "does": "pin", "item": "p999", "number": 2},
        {"segment": "t2", "rule": "not for minors", "does": "hide", "entity": "c1",
         "feature": "kind", "value": "k0"},
    )  # fmt: skip
    summary = run(*SHOP, "job=serve")
    lists = pd.read_parquet(tmp_path / "run/rankings.parquet")
    one, two = (lists[lists["segment"] == name] for name in ("t1", "t2"))
    assert gone not in set(one["product"])
    assert (two["product"] == "p999").sum() == 40
    assert set(two.loc[two["product"] == "p999", "place"]) == {2}
    assert set(two.loc[two["product"] == "p999", "rule"]) == {"new here"}
    kinds = lists["product"].map(shops.groupby("product")["kind"].first())
    assert lists.groupby(["segment", "customer", kinds]).size().max() == 1
    assert "k0" not in set(kinds[(lists["segment"] == "t2") & (lists["customer"] == "c1")])
    _effects_add_up(tmp_path, summary, before, gone)
    events = home.events.read("shop").to_pandas().set_index("time")
    assert set(events.loc[[events.index.max()], "action"]) == {"adjusted"}


def _effects_add_up(folder: Path, summary: dict[str, Any], before: pd.DataFrame, gone: str) -> None:
    effects = pd.read_parquet(folder / "run/rules.parquet")
    counted = summary["predictions"]["rules"]
    assert counted["new here"] == {"pinned": 40}
    assert counted["taken out"] == {
        "removed": int(((before["segment"] == "t1") & (before["product"] == gone)).sum())
    }
    total = sum(count for own in counted.values() for count in own.values())
    assert total == len(effects)
    assert set(effects.columns) == {"segment", "customer", "product", "place", "rule", "effect"}


def test_who_may_not_be_shown_something_is_not_and_neither_is_a_newcomer(
    tmp_path: Path, run: Any, home: Home, shops: pd.DataFrame
) -> None:
    minors = {f"c{code}" for code in range(0, 40, 3)}
    group = shops["customer"].map(lambda name: "minor" if name in minors else "adult")
    shops.assign(age_group=group, town="north").to_csv(tmp_path / "sales.csv", index=False)
    barred = {"segment": "t1", "rule": "not for minors", "does": "hide", "feature": "kind",
              "value": "k0", "entity_feature": "age_group", "entity_value": "minor"}  # fmt: skip
    rules(tmp_path, barred)
    features = "+logical_model.schema.entity_features"
    summary = run(*SHOP, f"{features}.age_group.kind=category", f"{features}.town.kind=category")
    lists = pd.read_parquet(tmp_path / "run/rankings.parquet")
    kinds = lists["product"].map(shops.groupby("product")["kind"].first())
    shown = lists[kinds == "k0"].groupby("segment")["customer"].agg(set)
    assert shown["t1"]
    assert not shown["t1"] & minors
    assert shown["t2"] & minors
    assert summary["predictions"]["rules"]["not for minors"]["removed"] > 0
    with LookUp(home, "shop") as published:
        newcomer = published.ask("t1", "nobody").items
    assert newcomer
    assert not set(newcomer) & set(shops.loc[shops["kind"] == "k0", "product"])


def test_recommend_nothing_below_a_value(
    tmp_path: Path, run: Any, home: Home, shops: pd.DataFrame
) -> None:
    rules(tmp_path, {"segment": "t2", "rule": "not worth it", "does": "at_least", "number": 1e9})
    summary = run(*SHOP)
    lists = pd.read_parquet(tmp_path / "run/rankings.parquet")
    nothing = lists["place"] == 0
    assert set(lists.loc[~nothing, "segment"]) == {"t1"}
    assert set(lists.loc[nothing, "segment"]) == {"t2"}
    assert lists.loc[nothing, "product"].isna().all()
    assert nothing.sum() == 40
    counted = summary["predictions"]["rules"]["not worth it"]
    assert counted["removed"] == 40 * 5
    events = home.events.read("shop").to_pandas()
    np.testing.assert_array_equal(events["action"] == "nothing", events["segment"] == "t2")
    assert set(events["action"]) == {"served", "nothing"}


def test_a_wrong_rule_stops_its_own_tenant_and_a_wrong_table_all(
    tmp_path: Path, run: Any, shops: pd.DataFrame
) -> None:
    rules(tmp_path, {"segment": "t1", "rule": "too far", "does": "pin", "item": "p1", "number": 9})
    answered = {s["segment"]: s["reason"] for s in run(*SHOP)["predictions"]["segments"]}
    assert "row 1: rule 'too far' needs a number: a place from 1 to 5" in answered["t1"]
    assert not answered["t2"]
    rules(tmp_path, {"rule": "typo", "does": "hide", "prodct": "p1"})
    with pytest.raises(DataError, match="unknown column 'prodct'"):
        run(*SHOP, "job=serve")


def test_rules_are_over_lists(run: Any) -> None:
    with pytest.raises(ConfigurationError, match="rules are over the lists of a ranking"):
        run("+rules.reader=csv", "+rules.options.path=rules.csv")
    with pytest.raises(ConfigurationError, match=r"rules\.reader"):
        run("logical_model=shop", "+rules.reader=cvs")


def test_whether_lists_are_a_table_is_asked_of_rankings(run: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"job\.table is for the lists of a ranking"):
        run("job.table=false")
