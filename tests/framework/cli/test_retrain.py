"""The job ``retrain`` through the command's own code: what is due, compared, released, resumed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import Alert, ConfigurationError, Remedy
from loopcast.deploy.bundle import read_bundle
from loopcast.deploy.loaded import schema_of
from loopcast.develop.engine import LocalEngine
from loopcast.iterate.rebuild import rebuild
from loopcast.iterate.retrain.treatment import Retraining, read_retraining
from loopcast.monitor.alerts import AlertBook
from loopcast.plugins import PluginManager
from loopcast.store.events import event_table
from loopcast.store.home import Home
from loopcast.validate.performance import Variation

from ..examples import applications, meters, sales

FIRST = "job.at=2025-01-10"
LATER = "job.at=2025-06-01"  # beyond the schedule of 90 days
PROPOSE = (
    "logical_model.risk.impact=moderate",
    "+logical_model.assumptions=[people stay as they are]",
    "+logical_model.fallback=ask a person",
    "~policy.classes.medium.gates.variation",
    "~policy.classes.medium.gates.baselines",
    "~policy.classes.medium.gates.oddities",
)


def flipped(rows: int, seed: int) -> pd.DataFrame:
    """Applications whose risk falls with debt, where it rose before."""
    table = applications(rows, seed)
    table["debt"] = 18_000 - table["debt"]
    return table


def put(folder: Path, *parts: pd.DataFrame) -> None:
    pd.concat(parts).to_csv(folder / "applications.csv", index=False)


def alert(
    remedy: Remedy = "retrain", *, days: int = 20, champion: str | None = None, segment: str = ""
) -> Alert:
    raised = datetime(2025, 1, 20, tzinfo=UTC)
    return Alert(
        logical_model="credit",
        segment=segment,
        version=champion,
        kind="input_drift",
        subject="debt",
        severity="critical",
        cause="input debt: its distribution has moved by 0.40 (Kolmogorov–Smirnov)",
        remedy=remedy,
        raised=raised,
        seen=raised + timedelta(days=days),
    )


def raised(home: Home, *alerts: Alert) -> None:
    for one in alerts:
        AlertBook(f"{home.folder}/alerts").update("credit", one.segment, ("input_drift",), [one])


@pytest.fixture
def trained(tmp_path: Path, run: Any) -> Any:
    """A function that retrains and returns the segments of the summary; a champion serves."""
    put(tmp_path, applications(600, seed=1))
    run("job=train", FIRST)

    def go(*overrides: str) -> list[dict[str, Any]]:
        found = run("job=retrain", *overrides)["retraining"]
        assert sum(found["counts"][name] for name in found["counts"]) >= len(found["segments"])
        return list(found["segments"])

    return go


def test_what_is_not_due_is_not_trained(trained: Any, home: Home) -> None:
    [segment] = trained("job.at=2025-02-01")
    assert segment["result"] == "not due"
    assert segment["why"] == "trained on 2025-01-10, and nothing calls for another training"
    assert home.catalog.count() == 1


def test_what_is_to_be_watched_is_known_though_nothing_is_due(trained: Any, home: Home) -> None:
    watch = "+logical_model.watch={events: {of: outcome, direction: lower}}"
    trained(LATER, "retrain.train=false", watch)
    assert not home.catalog.logical_model("credit").watch
    trained("job.at=2025-02-01", watch)
    assert list(home.catalog.logical_model("credit").watch) == ["events"]


def test_decisions_are_told_without_training(trained: Any, home: Home) -> None:
    [segment] = trained(LATER, "retrain.train=false")
    assert (segment["result"], segment["remedy"]) == ("due", "retrain")
    assert segment["why"] == "trained 142 days ago; the schedule says every 90"
    assert home.catalog.count() == 1


def test_the_champion_is_judged_beside_the_new_version_on_the_same_rows(
    tmp_path: Path, trained: Any, home: Home
) -> None:
    put(tmp_path, applications(1_000, seed=2))
    champion = home.catalog.champion("credit")
    assert champion is not None
    [segment] = trained(LATER)
    assert segment["result"] == "not better"
    assert "undecided" in segment["reason"]
    assert champion.id in segment["reason"]
    [own] = home.catalog.evaluations(segment["version"])
    [theirs] = home.catalog.baselines(segment["version"])
    assert theirs.contender == f"champion {champion.id}"
    assert (theirs.dataset, theirs.protocol) == (own.dataset, own.protocol)
    assert theirs.value("auc") == segment["champion_kpi"]
    assert home.catalog.champion("credit") == champion


def test_an_automatic_policy_releases_what_is_better(
    tmp_path: Path, trained: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, flipped(1_500, seed=2))
    wide = ("checks.shift_ks=null", "checks.shift_psi=null")
    [segment] = trained(LATER, *wide)
    # Far from the champion, however much better: a person decides.
    assert (segment["result"], segment["better"]) == ("proposed", True)
    assert "a person has to decide" in segment["reason"]
    anywhere = Variation(median=1.0, p95=1.0)
    monkeypatch.setattr("loopcast.iterate.verdict.LIMITS", anywhere)
    [segment] = trained("job.at=2025-12-01", *wide, "seed=5")
    assert (segment["result"], segment["stage"]) == ("released", "champion")
    assert segment["kpi"] > segment["champion_kpi"] + 0.05
    [release] = home.catalog.serving("credit")
    assert release.version == segment["version"]
    assert release.since == datetime(2025, 12, 1, tzinfo=UTC)


def test_a_policy_of_proposals_says_what_a_person_types(
    tmp_path: Path, trained: Any, run: Any, home: Home
) -> None:
    put(tmp_path, applications(1_000, seed=2))
    found = run("job=retrain", LATER, *PROPOSE)["retraining"]
    [segment] = found["segments"]
    assert (segment["result"], segment["stage"]) == ("proposed", "staging")
    version = segment["version"]
    assert found["commands"] == [
        f"loopcast release {version} --to challenger --by NAME --reason TEXT",
        f"loopcast sign {version} --role model_owner --for champion --by NAME --statement TEXT",
        f"loopcast release {version} --to champion --by NAME --reason TEXT",
    ]
    page = (tmp_path / "run" / "retraining.html").read_text()
    assert f"loopcast sign {version}" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_drift_makes_it_due_when_it_lasts(tmp_path: Path, trained: Any, home: Home) -> None:
    put(tmp_path, applications(700, seed=2))
    champion = home.catalog.champion("credit")
    assert champion is not None
    raised(home, alert(days=1, champion=champion.id))
    [segment] = trained("job.at=2025-02-01")
    assert segment["result"] == "not due"
    assert "which counts when it lasts for 7 days" in segment["why"]
    raised(home, alert(champion=champion.id))
    [segment] = trained("job.at=2025-02-10")
    assert segment["result"] != "not due"
    assert segment["why"].startswith("input debt: its distribution has moved")
    [again] = trained("job.at=2025-02-11")
    assert again["why"] == "trained on 2025-02-10; the next training is from 2025-02-17 on"


def test_an_alert_about_another_version_is_none(trained: Any, home: Home) -> None:
    raised(home, alert(champion="0" * 16))
    [segment] = trained("job.at=2025-02-10")
    assert segment["result"] == "not due"


def test_never_before_the_truth_can_be_known(trained: Any, home: Home) -> None:
    raised(home, alert())
    [segment] = trained("job.at=2025-02-10", "+logical_model.truth_delay_days=60")
    assert segment["why"] == "trained on 2025-01-10; the next training is from 2025-03-11 on"


def test_a_poisoned_day_releases_nothing(tmp_path: Path, trained: Any, home: Home) -> None:
    """Outcomes of one day are swapped, and its debts are in another currency."""
    table = applications(1_000, seed=2)
    last = table["at"] == table["at"].max()
    table.loc[last, "debt"] = table.loc[last, "debt"] * 1000
    table.loc[last, "outcome"] = np.where(table.loc[last, "outcome"] == "bad", "good", "bad")
    put(tmp_path, table)
    champion = home.catalog.champion("credit")
    raised(home, alert(days=0))  # the monitor noticed it the same day
    [segment] = trained("job.at=2025-02-10")
    assert segment["result"] == "not due"
    [segment] = trained(LATER)  # and the schedule trains with the day in the data
    assert segment["result"] in ("not better", "failed")
    assert home.catalog.champion("credit") == champion


def retraining_of(home: Home, version: str) -> Retraining:
    bundle = read_bundle(home.artifacts, home.catalog.version(version).manifest)
    found = read_retraining(bundle.files)
    assert found is not None
    return found


def test_a_drifting_input_is_left_out(
    tmp_path: Path, trained: Any, run: Any, home: Home, plugins: PluginManager
) -> None:
    table = applications(1_000, seed=2)
    put(tmp_path, table)
    raised(home, alert("drop_feature"))
    [segment] = trained("job.at=2025-02-10", "retrain.remedy=suggested")
    assert segment["remedy"] == "drop_feature"
    done = retraining_of(home, segment["version"])
    assert done.features == ("debt",)
    assert segment["reason"].startswith("without debt; ")
    version = home.catalog.version(segment["version"])
    files = read_bundle(home.artifacts, version.manifest).files
    learned: Any = schema_of(files)
    assert not learned.features["debt"].used
    champion = home.catalog.champion("credit")
    assert champion is not None
    assert champion.id in segment["reason"]  # which has all inputs, and was judged with them
    assert segment["champion_kpi"] is not None
    schema: Any = home.catalog.logical_model("credit").schema
    assert schema.features["debt"].used
    again = rebuild(home, plugins, version, LocalEngine(), base=tmp_path)
    assert again.identical, again
    home.catalog.release(
        "credit", "", version.id, stage="champion", by="ann", reason="it does not drift"
    )
    assert run("job=serve")["predictions"]["rows"] == len(table)


def test_training_rows_are_weighed_by_the_recent_population(
    tmp_path: Path, trained: Any, home: Home, plugins: PluginManager
) -> None:
    champion = home.catalog.champion("credit")
    assert champion is not None
    recent = applications(400, seed=9, shift=600.0)
    home.record(
        event_table(
            key=recent["id"].to_numpy(),
            time=datetime(2025, 2, 8, tzinfo=UTC),
            logical_model="credit",
            segment="",
            version=champion.id,
            role="champion",
            outputs={"probability": np.full(len(recent), 0.2)},
            inputs={n: recent[n].to_numpy() for n in ("income", "debt")},
        ),
        home.catalog.logical_model("credit"),
    )
    put(tmp_path, applications(1_000, seed=2))
    raised(home, alert())
    [segment] = trained("job.at=2025-02-10", "retrain.remedy=reweight")
    done = retraining_of(home, segment["version"])
    assert (done.remedy, done.rows, done.recent_rows) == ("reweight", 1_000, 400)
    assert done.effective_rows is not None
    assert 200 < done.effective_rows < 950
    said = f"1,000 rows, weighed by 400 recent ones, say as much as {done.effective_rows:,.0f}; "
    assert segment["reason"].startswith(said)
    version = home.catalog.version(segment["version"])
    assert rebuild(home, plugins, version, LocalEngine(), base=tmp_path).identical


def test_without_recent_events_there_is_nothing_to_weigh_by(trained: Any, home: Home) -> None:
    raised(home, alert())
    [segment] = trained("job.at=2025-02-10", "retrain.remedy=reweight")
    assert segment["result"] == "failed"
    assert segment["reason"] == "there are no recent events to weigh by; predict first"


def test_a_simpler_template_takes_over(tmp_path: Path, trained: Any, home: Home) -> None:
    put(tmp_path, applications(1_000, seed=2))
    with pytest.raises(ConfigurationError, match=r"say it with \+fallback="):
        trained(LATER, "retrain.remedy=fall_back")
    assert not list((home.folder / "retrain").rglob("*.json"))
    [segment] = trained(
        LATER,
        "retrain.remedy=fall_back",
        "+fallback={name: example.logistic, hyperparameters: {ridge: 50.0}}",
    )
    version = home.catalog.version(segment["version"])
    manifest = read_bundle(home.artifacts, version.manifest).manifest
    assert manifest.hyperparameters["ridge"] == 50.0
    assert retraining_of(home, version.id).remedy == "fall_back"


REGIONS = ("east", "north", "south", "west")
FAMILY = ("data.table.segment=region",)


def family(seed: int, regions: tuple[str, ...] = REGIONS) -> pd.DataFrame:
    return pd.concat(
        applications(200, seed=seed * 10 + place).assign(region=name)
        for place, name in enumerate(regions)
    )


def test_a_family_is_told_in_sum(tmp_path: Path, run: Any, home: Home) -> None:
    put(tmp_path, family(1))
    run("job=train", FIRST, *FAMILY)
    home.catalog.set_switch("credit", ["north"], "freeze", by="ann", reason="audit")
    home.catalog.set_switch("credit", ["south"], "off", by="ann", reason="closed")
    tiny = applications(12, seed=7).assign(region="tiny")
    put(tmp_path, family(2, REGIONS[:3]), tiny)
    found = run("job=retrain", LATER, *FAMILY)["retraining"]
    told = {item["segment"]: item for item in found["segments"]}
    assert {name: item["result"] for name, item in told.items()} == {
        "east": "not better",
        "north": "frozen",
        "south": "off",
        "tiny": "failed",
        "west": "not due",
    }
    assert "by ann (audit)" in told["north"]["why"]
    assert told["west"]["why"] == "the data has no rows of it"
    assert "rows is 12" in told["tiny"]["reason"]
    assert found["counts"]["retrained"] == 1
    page = (tmp_path / "run" / "retraining.html").read_text()
    assert "2 have" not in page
    assert "1 could not be trained" in page


def test_a_forecasts_champion_is_judged_on_the_same_origins(
    tmp_path: Path, run: Any, home: Home
) -> None:
    meters(1).to_csv(tmp_path / "meters.csv", index=False)
    few = ("backtest.origins=3", "backtest.calibration=3")
    one = ("logical_model=meters", "data.table.segment=null", *few)
    run("job=train", FIRST, "+data.table.until=2024-02-06", *one)
    champion = home.catalog.champion("meters")
    assert champion is not None
    found = run("job=retrain", LATER, *one)["retraining"]
    [segment] = found["segments"]
    assert segment["version"] != champion.id
    assert champion.id in segment["reason"]
    [theirs] = home.catalog.baselines(segment["version"])
    assert theirs.value("mae") == segment["champion_kpi"]


def later_sales() -> pd.DataFrame:
    """A year of sales, then some of the year after, to more customers, of more products."""
    after = sales(700, seed=3, customers=60, products=30)
    moved = pd.to_datetime(after["sold"]) + pd.Timedelta(days=366)
    return pd.concat([sales(1_500, seed=1), after.assign(sold=moved.dt.strftime("%Y-%m-%d"))])


def test_a_rankings_champion_is_judged_in_its_own_codes_on_what_came_after_it(
    tmp_path: Path, run: Any, home: Home, plugins: PluginManager
) -> None:
    sales(1_500, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    run("job=train", FIRST, "logical_model=shop")
    champion = home.catalog.champion("shop")
    assert champion is not None
    later_sales().to_csv(tmp_path / "sales.csv", index=False)
    shop = ("job.at=2026-01-10", "logical_model=shop")
    [segment] = run("job=retrain", *shop)["retraining"]["segments"]
    assert champion.id in segment["reason"]
    assert abs(segment["champion_kpi"] - segment["kpi"]) < 0.1
    version = home.catalog.version(segment["version"])
    protocols = {
        e.protocol
        for e in (*home.catalog.evaluations(version.id), *home.catalog.baselines(version.id))
    }
    assert protocols == {
        "the later half of what came after 2024-12-30, until when the champion was trained, from "
        "2025-07-12; lists of 5"
    }
    assert rebuild(home, plugins, version, LocalEngine(), base=tmp_path).identical


def test_a_ranking_is_kept_where_nothing_came_after_its_champion(
    tmp_path: Path, run: Any, home: Home
) -> None:
    sales(1_500, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    run("job=train", FIRST, "logical_model=shop")
    corrected = sales(1_500, seed=1).iloc[20:]
    corrected.to_csv(tmp_path / "sales.csv", index=False)
    [segment] = run("job=retrain", LATER, "logical_model=shop")["retraining"]["segments"]
    assert segment["result"] == "kept"
