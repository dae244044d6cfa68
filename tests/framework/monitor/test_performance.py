"""Performance from events and late, partial, chosen labels, against what all labels would say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from loopcast.api import (
    DecisionSettings,
    Feature,
    ForecastSchema,
    Kpi,
    LogicalModel,
    LogSettings,
    MetricDefinition,
    RankSchema,
    SamplingRule,
    ScoreSchema,
    SetSettings,
    Site,
)
from loopcast.develop import metrics as forecast_metrics
from loopcast.develop.inference import Estimate
from loopcast.develop.rank import metrics as rank_metrics
from loopcast.develop.score import decisions
from loopcast.develop.score import metrics as score_metrics
from loopcast.monitor.observed import column
from loopcast.monitor.performance import (
    Performance,
    change,
    labelled_events,
    overall_estimate,
    performance,
)
from loopcast.store.events import event_table
from loopcast.store.recording import sample
from loopcast.store.truth import TruthStore, join, truth_table

START = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = 8_000
_FOLDERS = count()


def model(schema: Any, log: LogSettings | None = None) -> LogicalModel:
    kpi = Kpi(metric="mape")
    return LogicalModel(
        name="m", title="t", owner="o", kpi=kpi, schema=schema, log=log or LogSettings()
    )


def metric(name: str) -> MetricDefinition:
    offered = [*forecast_metrics.loopcast_metrics(), *score_metrics.loopcast_metrics()]
    return next(definition for definition in offered if definition.name == name)


SCORE = ScoreSchema(key="id", target="bad", event="bad", features={"age": Feature(kind="numeric")})
FORECAST = ForecastSchema(
    unit="MW", step="1h", timezone="UTC", sites={"north": Site(timezone="UTC")},
    series={"a": "north", "b": "north"},
)  # fmt: skip


def scored(log: LogSettings | None = None) -> tuple[pa.Table, NDArray[np.float64], LogicalModel]:
    """Events of two segments, one of them riskier and worse scored, with what came true."""
    noise = np.random.default_rng(0)
    risky = np.arange(ROWS) % 4 == 0
    chance = np.where(risky, 0.5, 0.1)
    said = np.where(risky, 0.2, 0.1)
    events = event_table(
        key=[f"k{i}" for i in range(ROWS)],
        time=pd.date_range(START, periods=ROWS, freq="5min"),
        logical_model="m",
        segment=np.where(risky, "risky", "safe"),
        version="0" * 16,
        role="champion",
        outputs={"probability": said},
    )
    return events, (noise.random(ROWS) < chance).astype(float), model(SCORE, log)


def segments(keys: list[str]) -> list[str]:
    return ["risky" if int(key[1:]) % 4 == 0 else "safe" for key in keys]


def outcomes(keys: list[str], happened: NDArray[np.float64], segment: Any = None) -> pa.Table:
    segment = segments(keys) if segment is None else segment
    words = np.where(happened > 0, "bad", "good")
    store = TruthStore(f"memory://performance-{next(_FOLDERS)}")
    late = START + timedelta(days=60)
    store.add("m", truth_table(key=keys, value=words, segment=segment, observed=late))
    return store.latest("m")


def overall(found: list[Performance], subset: str = "") -> Performance:
    return next(item for item in found if item.subset == subset)


def test_forecasts_without_an_answer_have_no_performance() -> None:
    """They are left out with their keys, so that lead and series stay those of the others."""
    starts = pd.date_range(START, periods=48, freq="1h")
    keys = [f"{'ab'[n % 2]}|1h|{start.isoformat()}" for n, start in enumerate(starts)]
    means = np.where(np.arange(48) < 5, np.nan, 100.0)
    events = event_table(
        key=keys, time=START, logical_model="m", segment="", version="0" * 16, role="champion",
        outputs={"mean": means}, action=np.where(np.isnan(means), "refused", "served"),
    )  # fmt: skip
    store = TruthStore(f"memory://performance-{next(_FOLDERS)}")
    store.add("m", truth_table(key=keys, value=np.full(48, 90.0), observed=START))
    labelled = labelled_events(join(events, store.latest("m")), model(FORECAST))
    assert labelled.coverage.predictions == 43
    assert labelled.attributes["lead_days"].tolist() == ["0"] * 19 + ["1"] * 24
    assert labelled.attributes["series"].tolist() == ["ab"[n % 2] for n in range(5, 48)]


class TestScore:
    def test_all_labels(self) -> None:
        events, happened, logical_model = scored()
        latest = outcomes(events["key"].to_pylist(), happened)
        labelled = labelled_events(join(events, latest), logical_model)
        found = performance(labelled, [metric("brier"), metric("auc")], "week")
        said = np.where(np.arange(ROWS) % 4 == 0, 0.2, 0.1)
        assert overall(found).value == pytest.approx(((said - happened) ** 2).mean())
        risky = overall(found, "segment=risky")
        assert risky.value == pytest.approx(((0.2 - happened[::4]) ** 2).mean())
        weeks = [p for p in found if p.metric == "brier" and not p.subset][1:]
        assert len(weeks) == 4
        assert weeks[0].start == START
        assert weeks[0].end == START + timedelta(days=7)
        assert sum(week.labelled for week in weeks) == labelled.coverage.labelled == ROWS
        auc = next(p for p in found if p.metric == "auc")
        assert auc.low is not None
        assert auc.value is not None
        assert auc.low < auc.value

    def test_an_interval_ends_where_the_metric_does(self) -> None:
        events, _, logical_model = scored()
        few, seen = events.slice(0, 4), np.array([1.0, 0.0, 0.0, 0.0])
        latest = outcomes(few["key"].to_pylist(), seen)
        found = overall(
            performance(labelled_events(join(few, latest), logical_model), [metric("brier")])
        )
        assert found.value == pytest.approx((0.8**2 + 3 * 0.1**2) / 4)
        assert found.low == 0.0

    def test_decision_sets_are_judged_by_what_came_true(self) -> None:
        events, happened, logical_model = scored()
        risky = np.arange(ROWS) % 4 == 0
        sets = np.where(risky, "both", "no event").astype(object)
        columns = {n: events[n] for n in ("time", "segment", "version", "role", "key")}
        outputs = {"probability": np.full(ROWS, 0.1), "decision_set": sets}
        logged = event_table(**columns, logical_model="m", outputs=outputs)
        latest = outcomes(events["key"].to_pylist(), happened)
        asked = msgspec.structs.replace(
            logical_model, decision=DecisionSettings(sets=SetSettings())
        )
        bound = [m.bind(asked) for m in decisions.loopcast_metrics() if m.bind]
        [coverage] = [m for m in bound if m is not None and m.name == "set_coverage"]
        found = performance(labelled_events(join(logged, latest), asked), [coverage], "week")
        expected = np.where(risky, 1.0, 1.0 - happened).mean()
        assert overall(found).value == pytest.approx(expected)
        assert overall(found, "segment=risky").value == 1.0
        sets[0] = None  # an answer without one: nobody knows what it promised
        outputs = {"probability": np.full(ROWS, 0.1), "decision_set": sets}
        partly = event_table(**columns, logical_model="m", outputs=outputs)
        found = performance(labelled_events(join(partly, latest), asked), [coverage], "week")
        assert overall(found).value is None

    def test_chosen_labels_say_what_all_would(self) -> None:
        rules = (SamplingRule(share=0.9, segment="risky"), SamplingRule(share=0.2))
        log = LogSettings(labelling=rules, sampling=(SamplingRule(share=0.7),))
        events, happened, logical_model = scored(log)
        by_key = dict(zip(events["key"].to_pylist(), happened, strict=True))
        kept = sample(events, logical_model)
        keys = kept["key"].filter(pa.array(kept["labelling"].to_numpy() > 0)).to_pylist()
        latest = outcomes(keys, np.array([by_key[key] for key in keys]))
        labelled = labelled_events(join(kept, latest), logical_model)
        found = overall(performance(labelled, [metric("brier")]))
        said = np.where(np.arange(ROWS) % 4 == 0, 0.2, 0.1)
        truth = ((said - happened) ** 2).mean()
        assert found.low is not None
        assert found.high is not None
        assert found.low <= truth <= found.high
        plain = np.mean([(0.2 if int(k[1:]) % 4 == 0 else 0.1) - by_key[k] for k in keys])
        assert abs(plain) > 0.12, "unweighted, the risky ones weigh too much"
        assert labelled.coverage.share == 1.0

    def test_volunteered_labels_do_not_count(self) -> None:
        log = LogSettings(labelling=(SamplingRule(share=0.3),))
        events, happened, logical_model = scored(log)
        kept = sample(events, logical_model)
        latest = outcomes(kept["key"].to_pylist(), happened)
        cover = labelled_events(join(kept, latest), logical_model).coverage
        assert cover.chosen == cover.labelled < 0.35 * ROWS
        assert cover.volunteered == ROWS - cover.chosen

    def test_who_is_asked_about_twice_has_one_outcome(self) -> None:
        events, happened, logical_model = scored()
        latest = outcomes(events["key"].to_pylist(), happened)
        twice = pa.concat_tables([events, events])
        once, again = (
            overall(
                performance(labelled_events(join(one, latest), logical_model), [metric("brier")])
            )
            for one in (events, twice)
        )
        assert again.labelled == 2 * once.labelled
        assert (again.value, again.error) == pytest.approx((once.value, once.error))

    def test_intervals_hold(self) -> None:
        noise = np.random.default_rng(1)
        inside = 0
        for seed in range(100):
            happened = (noise.random(300) < 0.3).astype(float)
            events = event_table(
                key=[f"{seed}-{i}" for i in range(300)], time=START, logical_model="m",
                segment="", version="0" * 16, role="champion",
                outputs={"probability": np.full(300, 0.3)},
            )  # fmt: skip
            latest = outcomes(events["key"].to_pylist(), happened, "")
            labelled = labelled_events(join(events, latest), model(SCORE))
            found = overall(performance(labelled, [metric("brier")]))
            inside += found.low <= 0.3 * 0.49 + 0.7 * 0.09 <= found.high  # type: ignore[operator]
        assert 88 <= inside <= 100


class TestForecast:
    def events(self, days: int) -> tuple[pa.Table, pa.Table]:
        noise = np.random.default_rng(2)
        tables, keys, values = [], [], []
        for day in range(days):
            origin = START + timedelta(days=day)
            starts = pd.date_range(origin, periods=48, freq="1h").strftime("%Y-%m-%dT%H:%M:%SZ")
            own = [f"{series}|1h|{start}" for series in "ab" for start in starts]
            own += [f"a|1D|{starts[0]}"]
            mean = np.full(len(own), 100.0)
            tables.append(
                event_table(
                    key=own,
                    time=origin,
                    logical_model="m",
                    segment="",
                    version="0" * 16,
                    role="champion",
                    outputs={"mean": mean, "0.05": mean - 9, "0.95": mean + 9},
                )
            )
            keys += own[:-1]
            values += list(100.0 + noise.normal(0.0, 4.0, 96) + 3.0 * noise.normal())
        store = TruthStore(f"memory://forecast-{days}")
        store.add("m", truth_table(key=keys, value=values, observed=START))
        return pa.concat_tables(tables), store.latest("m")

    def test_by_series_lead_time_and_window(self) -> None:
        events, latest = self.events(21)
        labelled = labelled_events(join(events, latest), model(FORECAST))
        assert labelled.coverage.predictions == 21 * 96, "only the finest step is measured"
        found = performance(labelled, [metric("rmse"), metric("coverage")], "week")
        subsets = {item.subset for item in found}
        assert subsets == {"", "series=a", "series=b", "lead_days=0", "lead_days=1"}
        rmse = overall(found)
        assert rmse.value == pytest.approx(5.0, abs=0.8)
        assert rmse.error is not None
        alone = 5.0 / np.sqrt(2 * 21 * 96)
        assert rmse.error > 2 * alone, "the rows of an origin are not independent"
        assert len([item for item in found if item.metric == "rmse" and not item.subset]) == 4

    def test_overall_is_of_the_top_as_in_the_contest(self) -> None:
        """Errors of series and of their sum are no one number; each series has its own line."""
        events, latest = self.events(21)
        schema = msgspec.structs.replace(FORECAST, series={"a": "north"}, aggregates={"b": ("a",)})
        labelled = labelled_events(join(events, latest), model(schema))
        top = labelled_events(
            join(events.filter(pc.starts_with(events["key"], "b|")), latest), model(FORECAST)
        )
        one, other = (performance(each, [metric("mae")], "week") for each in (labelled, top))
        by_subset = {(item.subset, item.start, item.end): item for item in one}
        wanted = [item for item in other if item.subset in ("", "lead_days=0", "lead_days=1")]
        assert len(wanted) == 3 + 3
        for item in wanted:
            assert by_subset[item.subset, item.start, item.end].value == pytest.approx(item.value)
        assert overall(one, "series=a").value != overall(one).value
        assert overall(one, "series=b").value == overall(one).value
        assert overall_estimate(labelled, metric("mae")).value == overall(one).value
        assert labelled.coverage.predictions == 21 * 96
        of_parts = latest.filter(pc.starts_with(latest["key"], "a|"))
        assert labelled_events(join(events, of_parts), model(schema)).only_of_parts
        assert not labelled.only_of_parts

    def test_without_labels(self) -> None:
        events, latest = self.events(2)
        labelled = labelled_events(join(events, latest.slice(0, 0)), model(FORECAST))
        [found] = [p for p in performance(labelled, [metric("rmse")], "month") if not p.subset][1:]
        assert (found.value, found.labelled, found.predictions) == (None, 0, 192)
        assert labelled.coverage.share == 0.0


class TestRankings:
    """Lists of clients, and what each of them bought next; one buys twice, one nothing."""

    lists: ClassVar = {"ann": "tea\npot\ncup", "bob": "cup\noil", "cid": "", "dan": "oil\ntea"}
    bought: ClassVar = {"ann": "pot", "bob": "oil\nyarn", "cid": "tea"}

    def measured(self, length: int) -> dict[str, float | None]:
        events = event_table(
            key=list(self.lists), time=START, logical_model="m", segment="", version="0" * 16,
            role="champion", outputs={"items": list(self.lists.values()), "score": np.ones(4)},
        )  # fmt: skip
        texts = list(self.bought.values())
        latest = truth_table(key=list(self.bought), value=texts, observed=START + timedelta(1))
        wanted = model(RankSchema(entity="e", item="i", time="t", length=length))
        labelled = labelled_events(join(events, latest), wanted)
        metrics = [m for m in rank_metrics.loopcast_metrics() if m.rows is not None]
        found = performance(labelled, metrics, "month")
        return {p.metric: p.value for p in found if not p.subset and p.labelled == 3}

    def test_they_are_judged_by_what_was_chosen(self) -> None:
        found = self.measured(3)
        second = 1.0 / np.log2(3.0)
        assert found["ndcg"] == pytest.approx(np.mean([second, second / (1.0 + second), 0.0]))
        assert found["recall"] == pytest.approx((1.0 + 0.5 + 0.0) / 3)
        assert found["precision"] == pytest.approx((1 + 1 + 0) / 9)

    def test_no_further_than_a_list_is_long(self) -> None:
        assert self.measured(1)["recall"] == 0.0

    def test_what_was_chosen_before_a_list_was_made_is_no_outcome_of_it(self) -> None:
        nights = [START + timedelta(days=n) for n in range(3)]
        events = event_table(
            key=["ann"] * 3, time=pd.DatetimeIndex(nights), logical_model="m", segment="",
            version="0" * 16, role="champion",
            outputs={"items": ["tea\npot"] * 3, "score": np.ones(3)},
        )  # fmt: skip
        wanted = model(RankSchema(entity="e", item="i", time="t", length=2))
        latest = truth_table(key=["ann"], value=["pot"], observed=nights[2])
        joined = join(events, latest, task="rank")
        assert labelled_events(joined, wanted).known.tolist() == [0, 1]

    def test_what_feedback_says_of_a_list_is_no_item(self) -> None:
        events = event_table(
            key=["ann", "bob"], time=START, logical_model="m", segment="", version="0" * 16,
            role="champion", outputs={"items": ["1\n2"] * 2, "score": np.ones(2)},
        )  # fmt: skip
        later = START + timedelta(days=1)
        wanted = model(RankSchema(entity="e", item="i", time="t", length=2))
        heard = truth_table(key=["ann"], value=np.ones(1), observed=later, source="feedback")
        bought = truth_table(key=["bob"], value=np.ones(1), observed=later)
        latest = pa.concat_tables([heard, bought])
        assert labelled_events(join(events, latest), wanted).known.tolist() == [1]


def test_a_change_is_tested_as_welch_does() -> None:
    from scipy import stats

    noise = np.random.default_rng(3)
    one, two = noise.normal(0.0, 1.0, 40), noise.normal(0.5, 3.0, 25)
    then, now = (
        Estimate(value=v.mean(), error=v.std(ddof=1) / np.sqrt(len(v)), freedom=len(v) - 1)
        for v in (one, two)
    )
    expected = stats.ttest_ind(one, two, equal_var=False).pvalue
    assert change(then, now).p_value() == pytest.approx(expected, rel=0.02)


class TestColumns:
    def test_of_maps_that_differ(self) -> None:
        kind = pa.map_(pa.string(), pa.float64())
        maps = pa.chunked_array(
            [pa.array([[("a", 1.0), ("b", 2.0)], [("b", 3.0)], []], kind)], type=kind
        )
        assert column(maps, "b").to_pylist() == [2.0, 3.0, None]
        assert column(maps.slice(1), "b").to_pylist() == [3.0, None]

    def test_of_maps_that_are_alike(self) -> None:
        events, _, _ = scored()
        assert column(events["outputs"], "probability").to_pylist()[:2] == [0.2, 0.1]
        assert column(events["outputs"].slice(1, 2), "probability").to_pylist() == [0.1, 0.1]
        assert column(events["outputs"], "points").null_count == ROWS
