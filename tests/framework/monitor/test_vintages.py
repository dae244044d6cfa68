"""Vintages: nothing counts before its time, and young ones are compared with older ones."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from scipy.stats import chi2
from sklearn.metrics import roc_auc_score

from loopcast.api import DataError, Feature, Kpi, LogicalModel, RankSchema, ScoreSchema
from loopcast.cli.vintages import vintages as command
from loopcast.monitor.vintages import MONTH, Cases, vintages, vintages_of
from loopcast.store.events import event_table
from loopcast.store.home import open_home
from loopcast.store.truth import truth_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = LogicalModel(
    name="loans", title="Loans", owner="me", kpi=Kpi(metric="auc", direction="higher"),
    schema=ScoreSchema(key="id", target="bad", event=1, features={"x": Feature(kind="numeric")}),
)  # fmt: skip


def book(rows: int, first: str, seed: int = 0, worse: float = 1.0, since: str = "2100") -> Cases:
    """Loans whose events come in evenly over a year; from a day on they are worse than said."""
    random = np.random.default_rng(seed)
    start = pd.Timestamp(first, tz="UTC")
    days = random.random(rows) * ((NOW - start).days - 1)
    made = (start + pd.to_timedelta(days, unit="D")).floor("s").as_unit("us")
    probability = random.beta(2.0, 8.0, rows)
    risk = probability * np.where(made >= pd.Timestamp(since, tz="UTC"), worse, 1.0)
    months = np.where(random.random(rows) < risk, 12.0 * random.random(rows), np.inf)
    seen = made + months.clip(max=1000.0) * MONTH <= NOW
    return Cases(
        made=pd.Series(made),
        probability=probability,
        weight=np.ones(rows),
        months=np.where(seen, months, np.inf),
    )


def test_a_vintage_is_as_old_as_its_youngest_case() -> None:
    found = {one.month: one for one in vintages(book(20_000, "2024-01-01"), 12, NOW)}
    assert (found["2024-01"].age, found["2024-01"].mature) == (12, True)
    assert (found["2025-06"].age, found["2025-06"].mature) == (6, False)
    assert found["2025-12"].age == 0
    assert (found["2025-12"].auc, found["2025-12"].ratio) == (None, None)
    assert len(found["2025-06"].shares) == 6


def test_shares_do_not_depend_on_when_one_looks() -> None:
    """Labels that have come in say 'event' more often than not; shares by age are right."""
    found = vintages(book(60_000, "2024-01-01"), 12, NOW)
    for one in found:
        for month, share in enumerate(one.shares, start=1):
            assert share == pytest.approx(0.2 * month / 12, abs=0.03)


def test_a_young_vintage_is_compared_with_what_older_ones_had_seen() -> None:
    found = {o.month: o for o in vintages(book(60_000, "2024-01-01"), 12, NOW)}
    young = found["2025-08"]
    assert young.age == 4
    assert young.expected == pytest.approx(young.said * 4 / 12, rel=0.1)
    ratios = [one.ratio for one in found.values() if one.ratio is not None]
    assert np.mean([ratio.low < 1.0 < ratio.high for ratio in ratios]) > 0.8
    bad = book(60_000, "2024-01-01", worse=2.0, since="2025-07-01")
    worse = {o.month: o for o in vintages(bad, 12, NOW)}
    for month in ("2025-07", "2025-08", "2025-09"):
        ratio = worse[month].ratio
        assert ratio is not None
        assert ratio.low > 1.2  # long before its loans are a year old
    before = worse["2025-05"].ratio
    assert before is not None
    assert before.low < 1.1


def test_the_interval_of_a_ratio_is_that_of_a_count() -> None:
    [first, *_] = vintages(book(4000, "2024-01-01"), 12, NOW)
    assert first.ratio is not None
    assert first.expected is not None
    count = round(first.shares[-1] * first.cases)
    expected = first.expected * first.cases
    assert first.ratio.low == pytest.approx(chi2.ppf(0.025, 2 * count) / 2 / expected)
    assert first.ratio.high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2 / expected)


def test_where_no_vintage_is_old_enough_nothing_is_expected() -> None:
    found = vintages(book(4000, "2025-06-01"), 12, NOW)
    assert all(one.expected is None and one.ratio is None for one in found)
    assert any(one.shares for one in found)
    assert all(not one.mature for one in found)


def test_the_auc_is_that_of_events_by_its_age() -> None:
    cases = book(40_000, "2024-01-01")
    found = {one.month: one for one in vintages(cases, 12, NOW)}
    for month in ("2024-03", "2025-06"):
        one, rows = found[month], (cases.made.dt.strftime("%Y-%m") == month).to_numpy()
        actual = cases.months[rows] <= one.age
        assert one.auc is not None
        assert one.auc.value == pytest.approx(roc_auc_score(actual, cases.probability[rows]))
        assert one.auc.low < one.auc.value < one.auc.high
        assert one.auc.high - one.auc.low < 0.1


def logged(folder: Path) -> Any:
    home, drawn = open_home(folder), book(2000, "2024-10-01")
    months = drawn.made.dt.strftime("%Y-%m-01")  # a day's file for each, and not for every day
    cases = replace(drawn, made=pd.to_datetime(months, utc=True).dt.as_unit("us"))
    keys = [f"l{row}" for row in range(len(cases.made))]
    events = event_table(
        key=keys, time=cases.made, logical_model="loans", segment="", version="a" * 16,
        role="champion", outputs={"probability": cases.probability},
        inputs={"x": cases.probability}, latency_ms=1.0,
    )  # fmt: skip
    home.catalog.put_logical_model(MODEL)
    home.record(events, MODEL)
    ages = ((pd.Timestamp(NOW) - cases.made) / MONTH).to_numpy()
    known = np.isfinite(cases.months) | (ages >= 12.0)
    took = np.where(np.isfinite(cases.months), cases.months, 12.0)[known]
    truth = truth_table(
        key=np.array(keys)[known],
        value=np.isfinite(cases.months)[known].astype(float),
        observed=(cases.made[known] + took * MONTH).dt.floor("us"),
    )
    home.truth.add("loans", pa.concat_tables([truth]))
    return home, cases


def test_who_went_to_a_person_without_a_score_is_no_case(tmp_path: Path) -> None:
    home, cases = logged(tmp_path / "home")
    unscored = event_table(
        key=["odd"], time=cases.made.iloc[[0]], logical_model="loans", segment="", version="a" * 16,
        role="champion", outputs={"probability": [None]}, inputs={"x": [1e9]}, latency_ms=1.0,
        action="person",
    )  # fmt: skip
    home.record(unscored, MODEL)
    assert vintages_of(home, MODEL, "", 12, NOW) == vintages(cases, 12, NOW)


def test_the_command_reads_the_event_log(tmp_path: Path) -> None:
    home, cases = logged(tmp_path / "home")
    options = ["-m", "loans", "--at", "2026-01-01", "--home", str(home.folder)]
    told = CliRunner().invoke(command, options, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    assert "events by months on book" in told.output
    assert "not mature" in told.output
    found = json.loads(CliRunner().invoke(command, [*options, "--json"]).output)
    expected = vintages(cases, 12, NOW)
    assert [one["month"] for one in found] == [one.month for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["shares"] == pytest.approx(list(other.shares))
    ranks = RankSchema(entity="customer", item="product", time="sold")
    shop = LogicalModel(
        name="loans", title="Shop", owner="me", kpi=Kpi(metric="hits"), schema=ranks
    )
    with pytest.raises(DataError, match="only scores have vintages"):
        vintages_of(home, shop, "", 12, NOW)
    with pytest.raises(DataError, match="loans/north has no predictions to follow"):
        vintages_of(home, MODEL, "north", 12, NOW)
