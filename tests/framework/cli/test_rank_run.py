"""Rankings end to end: trained, released, looked up and taught by what became of them."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from loopcast.api import NotFoundError, Ranking, RankQuery
from loopcast.cli.feedback import feedback
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.loaded import load_version
from loopcast.deploy.rank_bundle import read_scenario
from loopcast.plugins import PluginManager
from loopcast.serve.lookup import LookUp
from loopcast.serve.suggestion import Suggestion
from loopcast.store.home import Home, open_home
from loopcast.store.truth import join

from ..examples import (
    sales,
)

SHOP = "logical_model=shop"


def test_rankings_go_the_same_way(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    table = sales(900, seed=1)
    table.to_csv(tmp_path / "sales.csv", index=False)
    summary = run(SHOP)
    [trained] = summary["training"]["segments"]
    assert trained["status"] == "better"
    assert 0 < trained["kpi"] < 1
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
    assert list(lists.columns) == [
        "customer", "place", "product", "score", "version", "action", "reason", "segment",
    ]  # fmt: skip
    assert set(lists["customer"]) == set(table["customer"])
    bought = set(zip(table["customer"], table["product"], strict=True))
    assert not bought & set(zip(lists["customer"], lists["product"], strict=True))
    popular = table["product"].value_counts(normalize=True)
    first = lists[lists["place"] == 1].set_index("customer")
    for customer in list(first.index)[:5]:
        open_ = popular.drop([p for c, p in bought if c == customer])
        assert first.loc[customer, "score"] == pytest.approx(open_.max())
    events = home.events.read("shop").to_pylist()
    assert len(events) == table["customer"].nunique()
    texts = {event["key"]: dict(event["output_texts"])["items"] for event in events}
    by_customer = lists.groupby("customer")["product"].agg("\n".join)
    assert texts == by_customer.to_dict()
    champion = home.catalog.champion("shop")
    assert champion is not None
    loaded = load_version(home, plugins, champion)
    query, expected = read_scenario(loaded.bundle.files)
    again = loaded.model.predict(query)
    np.testing.assert_array_equal(again.items, expected.items)
    assert query.entities[-1] == -1
    assert loaded.judged().outcomes.keys() == {"popularity"}


def test_lists_are_for_the_moment_of_the_run_though_the_last_sale_was_long_ago(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    sales(900, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    run(SHOP, "job.at=2025-01-02")
    champion = home.catalog.champion("shop")
    assert champion is not None
    kind = type(load_version(home, plugins, champion).model)
    predict, moments = kind.predict, []

    def noting(self: Any, query: RankQuery) -> Ranking:
        moments.append(query.moment)
        found: Ranking = predict(self, query)
        return found

    monkeypatch.setattr(kind, "predict", noting)
    run(SHOP, "job=serve", "job.at=2025-02-14T20:00:00-08:00")
    assert set(moments) == {np.datetime64("2025-02-15T04:00")}


def test_rankings_are_looked_up(tmp_path: Path, run: Any, home: Home) -> None:
    table = sales(900, seed=1)
    odd = pd.concat([table.assign(tenant="good"), table.assign(tenant="odd")])
    odd.loc[(odd["tenant"] == "odd") & (odd["product"] == "p1"), "product"] = "p\n1"
    odd.to_csv(tmp_path / "sales.csv", index=False)
    run(SHOP, "data.table.segment=tenant")
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
    with LookUp(home, "shop") as look_up:
        for customer, own in lists.groupby("customer"):
            found = look_up.ask("good", str(customer))
            assert found.items == tuple(own["product"])
            assert found.scores == tuple(own["score"])
            assert (found.version,) == tuple(own["version"].unique())
        new = look_up.ask("good", "nobody")
        popular = table["product"].value_counts()
        assert not new.personal
        assert new.action == "flagged"
        assert new.reason.startswith("customer never seen in training")
        assert [popular[item] for item in new.items] == popular.tolist()[:5]
        with pytest.raises(NotFoundError, match=r"shop/odd has no lists: .* 'p\\n1' has a line"):
            look_up.ask("odd", "nobody")
        some = look_up.ask("good", "c1")
    assert home.events.read("shop").num_rows == table["customer"].nunique()
    _feed_back(tmp_path, home, some)


def _feed_back(tmp_path: Path, home: Home, some: Suggestion) -> None:
    """A click and a purchase find the event of the list by its id."""
    now = datetime.now(UTC).isoformat()
    rows = [
        {"id": some.id, "item": some.items[0], "kind": kind, "time": now, "value": value}
        for kind, value in (("shown", None), ("clicked", None), ("bought", 9.5))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "feedback.csv", index=False)
    at = ["-m", "shop", "--home", str(home.folder), "--json"]
    command = ["ingest", str(tmp_path / "feedback.csv"), "--outcome", "revenue", *at]
    done = CliRunner().invoke(feedback, command, catch_exceptions=False)
    said = json.loads(done.output)
    assert (said["ingestion"]["new"], said["heard"]["lists"], said["heard"]["unlogged"]) == (
        1,
        1,
        0,
    )
    stranger = some.id.rpartition("/")[0] + "/stranger"
    pd.DataFrame(rows).assign(id=stranger).to_csv(tmp_path / "feedback.csv", index=False)
    done = CliRunner().invoke(feedback, command[:-1], catch_exceptions=False)
    assert done.output == (
        "3 rows about 1 lists; what is known of 0 lists is new or another than before\n"
        "1 of these lists nobody logged, such as the list for newcomers; what came of them "
        f"teaches nothing: {stranger}\n"
    )
    outcome = join(home.events.read("shop"), home.truth.latest("shop")).to_pandas()
    assert outcome.set_index("key")["value"].dropna().to_dict() == {"c1": 9.5}
    found = CliRunner().invoke(feedback, ["worth", *at], catch_exceptions=False)
    assert json.loads(found.output)["young"] == len(outcome)
    found = CliRunner().invoke(feedback, ["worth", *at[:-1]], catch_exceptions=False)
    assert found.output.endswith("no list is 14 days old yet; --days DAYS counts younger ones\n")


def test_tenants_never_see_each_other(tmp_path: Path, run: Any, home: Home) -> None:
    tenants = []
    for number in range(6):
        table = sales(300, seed=number).assign(tenant=f"t{number}")
        table["product"] = f"t{number}_" + table["product"]
        table["customer"] = f"t{number}_" + table["customer"]
        tenants.append(table)
    tenants[3] = tenants[3].head(1)
    table = pd.concat(tenants).sample(frac=1.0, random_state=2)
    table.to_csv(tmp_path / "sales.csv", index=False)
    found = run(SHOP, "data.table.segment=tenant")
    assert found["training"]["counts"]["better"] == 5
    assert found["training"]["counts"]["failed"] == 1
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
    assert set(lists["segment"]) == {"t0", "t1", "t2", "t4", "t5"}
    for column in ("product", "customer"):
        assert (lists[column].str.partition("_")[0] == lists["segment"]).all()
    for segment, version in home.catalog.champions("shop").items():
        files = read_bundle(home.artifacts, version.manifest).files
        names = [f"t{n}_" for n in range(6) if f"t{n}" != segment]
        others = [name.encode(code) for name in names for code in ("utf-8", "utf-32-le")]
        assert not [name for name, data in files.items() if any(o in data for o in others)]


def test_tenants_of_one_batch_are_those_of_batches_of_one(
    tmp_path: Path, run: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept in one file each or not: the same versions of the same bytes, in both nights."""
    tables = [sales(400, seed=n).assign(tenant=f"t{n}") for n in range(3)]

    def nights() -> None:
        for day, share in ((1, 0.8), (3, 1.0)):
            parts = [table.head(round(share * len(table))) for table in tables]
            pd.concat(parts).to_csv(tmp_path / "sales.csv", index=False)
            job = ["job=train"] if day == 1 else ["job=retrain", "retrain.every_days=1"]
            run(
                SHOP, "data.table.segment=tenant", f"job.at=2026-01-0{day}",
                "retrain.least_days=1", *job,
            )  # fmt: skip

    nights()
    monkeypatch.setattr("loopcast.develop.source.BATCH", 1)
    monkeypatch.setattr("loopcast.iterate.family.AT_ONCE", 1)
    monkeypatch.setenv("LOOPCAST_HOME", str(tmp_path / "other"))
    nights()
    other = open_home(tmp_path / "other")
    versions = [summary.version for summary in home.catalog.versions()]
    assert len(versions) == 6
    assert {v.id for v in versions} == {s.version.id for s in other.catalog.versions()}
    for version in versions:
        bundles = [read_bundle(one.artifacts, version.manifest) for one in (home, other)]
        assert bundles[0] == bundles[1]
    assert _files(home) == 6 < _files(other)


@pytest.mark.parametrize("outside", ["flag", "refuse"])
def test_lists_of_one_batch_are_those_of_batches_of_one(
    tmp_path: Path, run: Any, home: Home, monkeypatch: pytest.MonkeyPatch, outside: str
) -> None:
    """Also of a tenant that fails, and of a customer whom the version has never seen."""
    tables = [sales(400, seed=n).assign(tenant=f"t{n}") for n in range(3)]
    pd.concat(tables).to_csv(tmp_path / "sales.csv", index=False)
    run(SHOP, "data.table.segment=tenant", "job=train")
    tables[0].loc[5, "customer"] = "stranger"
    tables.append(sales(50, seed=9).assign(tenant="untrained"))
    pd.concat(tables).to_csv(tmp_path / "sales.csv", index=False)

    def night() -> tuple[Any, ...]:
        run(
            SHOP, "data.table.segment=tenant", "job=serve", "job.at=2026-01-05",
            f"+logical_model.applicability.outside={outside}",
        )  # fmt: skip
        events = home.events.read("shop").drop_columns(["latency_ms"]).to_pylist()
        with LookUp(home, "shop") as look_up:
            asked = [(f"t{n}", who) for n in range(3) for who in ("c1", "stranger", "nobody")]
            found = [look_up.ask(*each) for each in asked]
            with pytest.raises(NotFoundError, match="no version"):
                look_up.ask("untrained", "c1")
        lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
        return lists, sorted(events, key=lambda e: (e["segment"], e["key"])), found

    done = {"flag": "flagged", "refuse": "refused"}[outside]
    lists, events, found = night()
    assert len(events) == len(lists[lists["place"] <= 1])
    assert (found[1].personal, found[1].action, found[2].personal) == (True, done, False)
    shutil.rmtree(home.events_url)
    monkeypatch.setattr("loopcast.develop.source.BATCH", 1)
    one_by_one = night()
    pd.testing.assert_frame_equal(one_by_one[0], lists)
    assert one_by_one[1:] == (events, found)


def _files(home: Home) -> int:
    return sum(path.is_file() for path in Path(home.artifacts_url).rglob("*"))
