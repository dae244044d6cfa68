"""A loan book that turns bad is noticed: performance, calibration in the large, and stability.

The later book is made from real rows, of which none is altered: clients without arrears who go on
paying find another bank, and one in seven of them is left. So the book gets worse than its scores
say, and scores tell less of those who stay: the features of those who left explained much. It is
the shape of a public loan book whose AUC fell from .80 to .66 with 22 % predicted and 53 % actual
defaults, while its stability index stood at .53 to .74.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast import config
from loopcast.api import DriftThresholds, ScoreSchema
from loopcast.cli import plugin_manager
from loopcast.deploy.loaded import load_version
from loopcast.develop.engine import LocalEngine
from loopcast.develop.known import Known
from loopcast.develop.score.metrics import loopcast_metrics
from loopcast.develop.score.prepare import dataset_record, prepare_score
from loopcast.iterate.course import course_of
from loopcast.iterate.releasing import Rules
from loopcast.iterate.train import train_version
from loopcast.monitor.counting import count_days
from loopcast.monitor.daily import daily_sketches
from loopcast.monitor.drift import Limits
from loopcast.monitor.plan import Plan, usual_plan
from loopcast.monitor.population import population_stability
from loopcast.monitor.served import Watched
from loopcast.monitor.watch import Report, watch
from loopcast.settings import ScoreTable
from loopcast.store.events import event_table
from loopcast.store.home import Home, open_home
from loopcast.store.truth import truth_table

TAIWAN = Path(__file__).resolve().parents[3] / "shared/data/credit_taiwan_default"
FEATURES = ["limit_bal", "pay_status_1", "pay_status_2", "bill_amt1", "pay_amt1", "pay_amt2"]
MODEL = """\
# @package _global_
defaults:
  - override /data: credit_data
  - override /template: credit.scorecard
logical_model:
  name: cards
  title: Default of credit cards
  owner: risk
  risk:
    {audience: internal, impact: minor, lifetime: months, reversibility: reversible,
     personal_data: none}
  kpi: {metric: auc, direction: higher}
  schema:
    task: score
    key: id
    target: default_next_month
    event: 1
    time: month
    features: {FEATURES}
baselines: {}
"""
START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 28

pytestmark = pytest.mark.skipif(
    not TAIWAN.exists(), reason="the data is not part of the repository"
)


@pytest.fixture(scope="module")
def book() -> pd.DataFrame:
    """All clients in the order of a draw; the first come in the half-year of the training."""
    table = pd.read_csv(TAIWAN / "credit_taiwan_default.csv.gz")
    table = table.sample(frac=1.0, random_state=0).reset_index(drop=True)
    return table.assign(month=np.datetime64("2025-07-01") + np.arange(len(table)) // 60)


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, book: pd.DataFrame
) -> Iterator[tuple[Home, Any]]:
    folder = tmp_path_factory.mktemp("conf")
    (folder / "logical_model").mkdir()
    features = ", ".join(f"{name}: {{kind: numeric}}" for name in FEATURES)
    content = MODEL.replace("{FEATURES}", f"{{{features}}}")
    (folder / "logical_model" / "cards.yaml").write_text(content)
    plugins = plugin_manager()
    settings = config.compose(["logical_model=cards"], plugins=plugins, folder=folder)
    home = open_home(tmp_path_factory.mktemp("home"))
    schema = settings.logical_model.schema
    assert isinstance(schema, ScoreSchema)
    data = prepare_score(book[:10_000], ScoreTable(), schema, "cards")
    known = Known(data=data, training=data, dataset=dataset_record("cards", data, "cards"))
    course, rules = course_of(settings, plugins), Rules(policy=settings.policy, plugins=plugins)
    trained = train_version(course, known, home, LocalEngine(), rules)
    loaded = load_version(home, plugins, trained.version)
    later = book[10_000:]
    _live(home, loaded, later[:4000], START)
    gone = (later["default_next_month"] == 0) & (later["pay_status_1"].astype(float) <= 0)
    left = np.random.default_rng(0).random(len(later)) < 1.0 / 7.0
    _live(home, loaded, later[~gone | left], START + timedelta(days=DAYS))
    yield home, settings.logical_model
    home.catalog.close()


def _live(home: Home, loaded: Any, rows: pd.DataFrame, start: datetime) -> None:
    """Score clients day by day over four weeks; what happens is known three weeks later."""
    features = rows[FEATURES].astype(np.float64)
    said = loaded.model.predict(features).probability
    for day, part in enumerate(np.array_split(np.arange(len(rows)), DAYS)):
        moment = start + timedelta(days=day, hours=9)
        keys = [f"{start:%m}-{row}" for row in rows["id"].iloc[part]]
        events = event_table(
            key=keys, time=moment, logical_model="cards", segment="", version=loaded.version.id,
            role="champion", outputs={"probability": said[part]},
            inputs={name: features[name].to_numpy()[part] for name in FEATURES}, latency_ms=1.0,
        )  # fmt: skip
        home.record(events, loaded.logical_model)
        happened = rows["default_next_month"].to_numpy(np.float64)[part]
        late = moment + timedelta(days=21)
        home.truth.add("cards", truth_table(key=keys, value=happened, observed=late))


def look(place: tuple[Home, Any], first: int) -> Report:
    home, model = place
    psi = {"psi": 0.25}
    limits = Limits(inputs=psi, outputs=psi, significance=DriftThresholds().significance)
    watched = Watched(
        model=model,
        segment="",
        start=START + timedelta(days=first),
        end=START + timedelta(days=first + DAYS),
        metrics=[m for m in loopcast_metrics() if m.name == "auc"],
        plan=Plan(rules=usual_plan().rules, limits=limits),
    )
    return watch(watched, home, START + timedelta(days=first + DAYS))


def stability_of_score(place: tuple[Home, Any], first: int) -> Any:
    home, model = place
    sketches, start = daily_sketches(home), (START + timedelta(days=first)).date()
    count_days(home, sketches, model, START + timedelta(days=3 * DAYS))
    end = start + timedelta(days=DAYS - 1)
    found = population_stability(home, "cards", start, end)
    [score] = [one for one in found if one.of == "population"]
    return score


def test_a_book_like_that_of_the_training_raises_no_alarm(place: tuple[Home, Any]) -> None:
    report = look(place, 0)
    assert report.found == ()
    score = stability_of_score(place, 0)
    assert score.verdict == "stable"
    assert score.psi < 0.02


def test_a_book_that_turns_bad_raises_all_three_alarms(place: tuple[Home, Any]) -> None:
    report = look(place, DAYS)
    found = {alert.kind: alert for alert in report.found}
    assert {"performance", "calibration", "output_drift"} <= found.keys()
    performance = found["performance"].evidence
    assert performance["then"] > 0.75  # type: ignore[operator]
    assert performance["now"] < 0.65  # type: ignore[operator]
    calibration = found["calibration"]
    assert calibration.severity == "critical"
    assert calibration.evidence["said"] == pytest.approx(0.33, abs=0.03)
    assert calibration.evidence["happened"] == pytest.approx(0.51, abs=0.03)
    assert found["output_drift"].evidence["psi"] > 0.25  # type: ignore[operator]
    assert report.calibration is not None
    assert report.calibration.difference.value == pytest.approx(0.18, abs=0.03)


def test_the_index_says_that_the_population_has_shifted(place: tuple[Home, Any]) -> None:
    score = stability_of_score(place, DAYS)
    assert score.verdict == "shifted"
    assert score.psi > 0.25
    assert score.ks is not None
    assert score.ks > 0.2
