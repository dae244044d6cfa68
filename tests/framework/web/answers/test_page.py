"""The page of what was answered, for each task, from tables as they are written."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import Kpi, LogicalModel, RankSchema, ScoreSchema
from loopcast.api.schema import Feature, ForecastSchema, Site
from loopcast.serve.answer_files import arrow
from loopcast.serve.overview import Overview, all_of, overview
from loopcast.web.answers.page import AnswersReport, render

SCORES = ScoreSchema(
    key="id", target="outcome", event=1, features={"income": Feature(kind="numeric")}
)
LISTS = RankSchema(entity="customer", item="product", time="at", length=2)
FORECASTS = ForecastSchema(
    unit="kW", step="1h", timezone="UTC", sites={"here": Site(timezone="UTC")}
)


def model(schema: Any) -> LogicalModel:
    return LogicalModel(
        name="demo", title="Demo <of> a & b", owner="us", kpi=Kpi(metric="auc"), schema=schema
    )


def scores(rows: int, seed: int, segment: str) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    action = rng.choice(["served", "flagged", "refused"], rows, p=[0.8, 0.1, 0.1])
    probability = np.where(action == "refused", np.nan, rng.beta(2, 5, rows))
    why = "income above the most in training (9)"
    reason = [None if each == "served" else why for each in action]
    return pd.DataFrame(
        {
            "id": np.arange(rows).astype(str),
            "version": f"{seed:016x}",
            "probability": probability,
            "action": pd.array(action, dtype="str"),
            "reason": pd.array(reason, dtype="str"),
            "segment": segment,
        }
    )


def page(schema: Any, *tables: pd.DataFrame, **changes: Any) -> str:
    own = model(schema)
    parts = [overview(arrow(table), own) for table in tables]
    return page_of(own, all_of(parts), **changes)


def page_of(own: LogicalModel, seen: Overview, **changes: Any) -> str:
    report = AnswersReport(
        logical_model=own,
        overview=seen,
        source="table.csv",
        moment=datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
        reasons=changes.get("reasons", {}),
        seconds={"predict": 1.25},
        rules=changes.get("rules", {}),
    )
    return render(report)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def chart(html: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}-data">(.*?)</script>', html)
    assert found is not None
    return json.loads(found[1])


def test_scores_of_segments_in_batches() -> None:
    tables = [scores(400, 1, "north"), scores(300, 2, "south"), scores(50, 3, "west")]
    together = pd.concat(tables[:2], ignore_index=True)
    html = page(SCORES, together, tables[2], reasons={"east": "demo/east has no version"})
    text = text_of(html)
    every = pd.concat(tables)
    beyond = every["action"] != "served"
    assert f"rows {len(every)}" in text
    assert "segments answered 3 of 4" in text
    assert f"{100 * beyond.mean():.2f} %" in text
    assert "demo/east has no version" in text
    assert f"income above the most in training {beyond.sum()}" in text
    assert f"{(every['action'] == 'refused').sum()} rows have no answer by rule" in text
    assert "Demo &lt;of&gt; a &amp; b" in html
    lines = {line["label"]: line["values"] for line in chart(html, "distribution")["lines"]}
    own = every.loc[~beyond, "probability"]
    expected = 100 * np.histogram(own, np.linspace(0, 1, 61))[0] / len(own)
    np.testing.assert_allclose(lines["like the training"], expected, rtol=1e-5)
    assert sum(lines["unlike it"]) == pytest.approx(100, abs=0.01)
    for number, name in enumerate(("north", "south", "west"), 1):
        median = tables[number - 1]["probability"].median()
        assert f"{name} median: {median:.3f}" in text


def test_batches_give_the_same_as_the_whole() -> None:
    tables = [scores(400, 1, "north"), scores(300, 2, "south")]
    parts = all_of([overview(arrow(table), model(SCORES)) for table in tables])
    whole = overview(arrow(pd.concat(tables)), model(SCORES))
    np.testing.assert_array_equal(parts.values, whole.values)
    np.testing.assert_array_equal(parts.own, whole.own)
    pd.testing.assert_frame_equal(parts.segments, whole.segments)
    assert parts.reasons == whole.reasons
    columns = ["segment", "version", "action"]
    pd.testing.assert_series_equal(
        parts.counts.set_index(columns)["rows"].sort_index(),
        whole.counts.set_index(columns)["rows"].sort_index(),
    )


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "cid"]),
            st.sampled_from(["served", "person"]),
            st.floats(0.0, 1.0) | st.just(math.nan),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_percentiles_and_counts_are_those_of_pandas(rows: list[tuple[str, str, float]]) -> None:
    names, actions, numbers = zip(*rows, strict=True)
    table = pa.table(
        {
            "version": ["v"] * len(rows),
            "action": actions,
            "reason": pa.nulls(len(rows), pa.string()),
            "segment": names,
            "score": numbers,
        }
    )
    seen = overview(table, model(LISTS))
    known = pd.DataFrame({"segment": names, "score": numbers}).dropna()
    spread = known.groupby("segment")["score"].quantile(np.array([0.05, 0.5, 0.95])).unstack()
    assert sorted(seen.segments.index) == list(spread.index)
    if len(spread):
        np.testing.assert_allclose(seen.segments.sort_index(), spread, atol=1e-12)
    counted = pd.DataFrame({"segment": names, "action": actions}).value_counts()
    found = seen.counts.set_index(["segment", "action"])["rows"]
    assert found.to_dict() == counted.to_dict()
    assert set(seen.counts["version"]) == {"v"}


def test_lists_count_entities_and_items() -> None:
    served, never = "served", "customer never seen in training"
    lists = pa.table(
        {
            "version": pa.array(["a" * 16] * 3),
            "action": pa.array([served, served, "person"]),
            "reason": pa.array([None, None, never]).dictionary_encode(),
            "segment": pa.array([""] * 3),
            "score": np.array([0.5, 0.75, np.nan]),
        },
    )
    seen = overview(lists, model(LISTS), {"tea": 2, "pot": 1})
    assert seen.values.tolist() == [0.5, 0.75]
    assert seen.counts.set_index("action")["rows"].to_dict() == {"served": 2, "person": 1}
    text = text_of(page_of(model(LISTS), seen))
    assert "tea 2 66.7 %" in text
    assert "customer never seen in training 1" in text


def test_a_family_of_forecasts_draws_the_largest_series_of_each_segment() -> None:
    times = pd.date_range("2024-01-01", periods=24, freq="1h", tz="UTC")
    parts = []
    for segment in ("t1", "t2"):
        for series, level in (("small", 1.0), ("large", 10.0)):
            mean = level * (1.0 + np.arange(24) / 24)
            own = {"mean": mean, "0.05": 0.9 * mean, "0.95": 1.1 * mean, "total": mean}
            parts.append(
                pd.DataFrame(own).assign(time=times, series=series, step="1h", segment=segment)
            )
    table = pd.concat(parts, ignore_index=True).assign(
        version="b" * 16, action="served", reason=pd.array([None] * 96, dtype="str")
    )
    seen = overview(arrow(table), model(FORECASTS))
    assert seen.courses["t1"] == tuple(10.0 * (1.0 + np.arange(24) / 24))
    np.testing.assert_allclose(seen.values, 0.2, rtol=1e-6)
    html = page(FORECASTS, table)
    assert html.count("<polyline") == 2
    refused = table.assign(action="refused", reason="too hot")
    refused[["mean", "0.05", "0.95", "total"]] = np.nan
    assert "96 rows have no answer by rule" in text_of(page(FORECASTS, refused))


def test_the_page_says_what_the_rules_are() -> None:
    own = model(SCORES)
    rules = msgspec.structs.replace(own.applicability, outside="refuse", share=0.02)
    report = AnswersReport(
        logical_model=msgspec.structs.replace(own, applicability=rules),
        overview=overview(arrow(scores(100, 1, "")), own),
        source="table.csv",
        moment=datetime(2026, 3, 1, tzinfo=UTC),
        reasons={},
        seconds={},
    )
    text = text_of(render(report))
    assert "Outside the bounds of the training: refuse." in text
    assert "beyond 2.00% of its rows: flag." in text


def test_what_rules_did_is_told_rule_by_rule() -> None:
    rules = {"new arrival": {"displaced": 72, "pinned": 80}, "out <of> stock": {"removed": 1_046}}
    text = text_of(page(SCORES, scores(50, 1, "north"), rules=rules))
    assert "rule removed displaced pinned" in text
    assert "new arrival 0 72 80" in text
    assert "out <of> stock 1,046 0 0" in text
    assert "Places that rules changed" not in text_of(page(SCORES, scores(50, 1, "north")))
