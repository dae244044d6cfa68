"""Subjects of the three tasks, sound ones to begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

from loopcast.api import (
    BundleFile,
    Covariate,
    Dataset,
    Feature,
    Forecast,
    ForecastData,
    ForecastOutcome,
    ForecastQuery,
    ForecastSchema,
    Judged,
    Kpi,
    LogicalModel,
    Manifest,
    Outcome,
    PluginOrigin,
    Ranking,
    RankOutcome,
    RankQuery,
    RankSchema,
    Scenario,
    ScoreOutcome,
    Scores,
    ScoreSchema,
    Site,
    Subject,
    Task,
)
from loopcast.develop import metrics
from loopcast.develop.rank import metrics as rank_metrics
from loopcast.develop.score import metrics as score_metrics

METRICS = {
    definition.name: definition
    for module in (metrics, score_metrics, rank_metrics)
    for definition in module.loopcast_metrics()
}
MELBOURNE = "Australia/Melbourne"
MANIFEST = Manifest(
    logical_model="demo", segment="", template="demo.demo",
    plugin=PluginOrigin(plugin="demo", package="demo", package_version="0"),
    hyperparameters={}, recipe="a" * 64, seed=3,
    datasets=(Dataset(name="d", fingerprint="b" * 64, origin="x", rows=1),),
    environment={}, files={"model.npz": BundleFile(sha256="c" * 64, size=2_000_000)},
)  # fmt: skip


@dataclass(frozen=True)
class LastDay:
    """Forecasts the day before, filling gaps with the mean, and a bit more where it is warm."""

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        past = known.target.iloc[-len(horizon) :].to_numpy(np.float64)
        past = np.where(np.isfinite(past), past, np.nan_to_num(known.target.mean().to_numpy()))
        warm = known.covariates["temperature"].reindex(horizon)
        of_series = warm[[known.site_of[name] for name in known.series]].to_numpy()
        return Forecast(mean=past * (1.0 + 0.001 * np.nan_to_num(of_series)))


@dataclass(frozen=True)
class Logistic:
    """Scores by income and city; a city never seen counts as none."""

    def predict(self, rows: pd.DataFrame) -> Scores:
        score = -1.0 + 0.5 * np.nan_to_num(rows["income"].to_numpy(np.float64))
        score = score + (rows["city"] == "north").to_numpy(np.float64)
        return Scores(probability=1.0 / (1.0 + np.exp(-score)))


@dataclass(frozen=True)
class Popular:
    """Recommends what most entities chose."""

    share: NDArray[np.float64]

    def predict(self, query: RankQuery) -> Ranking:
        scores = np.tile(np.where(query.allowed, self.share, -np.inf), (len(query.entities), 1))
        if query.excluded is not None:
            scores[query.excluded.nonzero()] = -np.inf
        items = np.argsort(-scores, axis=1, kind="stable")[:, : query.length]
        best = np.take_along_axis(scores, items, axis=1)
        short = query.length - items.shape[1]
        if short > 0:
            items = np.pad(items, ((0, 0), (0, short)), constant_values=-1)
            best = np.pad(best, ((0, 0), (0, short)), constant_values=-np.inf)
        nothing = np.isinf(best)
        return Ranking(
            items=np.where(nothing, -1, items).astype(np.int32),
            scores=np.where(nothing, np.nan, best).astype(np.float32),
        )


def forecast_scenario() -> ForecastQuery:
    rng = np.random.default_rng(1)
    times = pd.date_range("2024-01-01", periods=72, freq="1h", tz=MELBOURNE)
    longer = pd.date_range("2024-01-01", periods=96, freq="1h", tz=MELBOURNE)
    sites = ["city", "desert"]
    return ForecastQuery(
        known=ForecastData(
            target=pd.DataFrame(
                rng.uniform(50, 100, (72, 2)), index=times, columns=["north", "west"]
            ),
            covariates={
                "temperature": pd.DataFrame(rng.uniform(5, 30, (96, 2)), longer, sites),
                "holiday": pd.DataFrame(np.zeros((96, 2)), longer, sites),
            },
            sites={name: Site(timezone=MELBOURNE) for name in sites},
            site_of={"north": "city", "west": "desert"},
            step="1h",
            timezone=MELBOURNE,
        ),
        horizon=longer[72:],
    )


def score_rows() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    city = pd.Categorical(rng.choice(["north", "south"], 40))
    return pd.DataFrame({"income": rng.normal(0, 1, 40), "city": city})


def rank_query() -> RankQuery:
    return RankQuery(
        entities=np.arange(4, dtype=np.int32),
        length=3,
        allowed=np.array([True, True, True, True, False]),
        excluded=sparse.csr_array(np.eye(4, 5, dtype=np.int8)),
    )


SCHEMAS: dict[Task, ForecastSchema | ScoreSchema | RankSchema] = {
    "forecast": ForecastSchema(
        unit="MW",
        step="1h",
        timezone=MELBOURNE,
        sites={name: Site(timezone=MELBOURNE) for name in ("city", "desert")},
        series={"north": "city", "west": "desert"},
        covariates={"temperature": Covariate(maximum=55.0), "holiday": Covariate(kind="flag")},
    ),
    "score": ScoreSchema(
        key="id",
        target="bad",
        event=1,
        features={
            "income": Feature(kind="numeric", missing=True),
            "city": Feature(kind="category"),
            "sex": Feature(kind="category", protected=True, used=False),
        },
    ),
    "rank": RankSchema(entity="customer", item="product", time="sold", length=3),
}
KPIS: dict[Task, Kpi] = {
    "forecast": Kpi(metric="mae"),
    "score": Kpi(metric="brier"),
    "rank": Kpi(metric="recall", direction="higher"),
}


def outcomes(task: Task, rows: int, noise: float, seed: int) -> Outcome:
    rng, own = np.random.default_rng(7), np.random.default_rng(seed)
    if task == "forecast":
        actual = rng.uniform(90, 110, rows)
        mean = actual + noise * own.normal(size=rows)
        levels = np.array([0.05, 0.5, 0.95])
        spread = noise * np.array([-1.645, 0.0, 1.645])
        return ForecastOutcome(
            actual=actual, mean=mean, levels=levels, quantiles=mean[:, None] + spread
        )
    if task == "score":
        probability = rng.uniform(0.05, 0.6, rows)
        actual = (rng.uniform(size=rows) < probability).astype(np.float64)
        said = np.clip(probability + noise * own.normal(size=rows) / 50.0, 0.0, 1.0)
        return ScoreOutcome(actual=actual, probability=said, weight=np.ones(rows))
    items = np.argsort(own.uniform(size=(rows, 5)), axis=1)[:, :3].astype(np.int32)
    chosen = np.where(own.uniform(size=rows) < 0.9 - noise / 10.0, items[:, 0], 4)
    return RankOutcome(
        ranking=Ranking(items=items, scores=np.ones((rows, 3), np.float32)),
        chosen_entity=np.arange(rows, dtype=np.int32),
        chosen_item=chosen.astype(np.int32),
        popularity=np.full(5, 0.2),
    )


def judged(task: Task, rows: int = 960) -> Judged:
    block = np.arange(rows) // 24 if task == "forecast" else np.arange(rows)
    group = pd.Categorical(np.where(np.arange(rows) % 2, "female", "male"))
    return Judged(
        keys=(pd.Categorical(np.arange(rows)),),
        block=block,
        overall=np.ones(rows, bool),
        attributes={"sex": group},
        outcomes={
            "own": outcomes(task, rows, 1.0, 1),
            "naive": outcomes(task, rows, 6.0, 2),
        },
    )


def subject_of(task: Task) -> Subject:
    if task == "forecast":
        query = forecast_scenario()
        model: object = LastDay()
        answer: Forecast | Scores | Ranking = LastDay().predict(query.known, query.horizon)
        scenario = Scenario(name="1h", inputs=query, answer=answer)
    elif task == "score":
        model = Logistic()
        scenario = Scenario(name="", inputs=score_rows(), answer=Logistic().predict(score_rows()))
    else:
        ranker = Popular(share=np.array([0.1, 0.4, 0.2, 0.2, 0.1]))
        model = ranker
        scenario = Scenario(name="", inputs=rank_query(), answer=ranker.predict(rank_query()))
    return Subject(
        version="0123456789abcdef",
        logical_model=LogicalModel(
            name="demo", title="Demo", owner="tests", kpi=KPIS[task], schema=SCHEMAS[task]
        ),
        manifest=MANIFEST,
        models={scenario.name: model},
        scenarios=(scenario,),
        judged=judged(task),
        metrics={name: metric for name, metric in METRICS.items() if metric.task == task},
    )


def with_model(subject: Subject, predict: Callable[..., object]) -> Subject:
    """Let another function answer."""
    return replace(subject, models=dict.fromkeys(subject.models, Answering(predict)))


@dataclass(frozen=True)
class Answering:
    predict: Callable[..., object]


@pytest.fixture(params=["forecast", "score", "rank"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return subject_of(request.param)
