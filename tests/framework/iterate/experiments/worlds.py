"""Homes in which an experiment runs, and what its entities do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from msgspec.structs import replace
from numpy.typing import NDArray

from loopcast.api import Experiment, ExperimentStep, Kpi, MetricDefinition, VersionId
from loopcast.deploy.assignment import arms as arms_of_entities
from loopcast.develop.rank import metrics as rank_metrics
from loopcast.develop.score import metrics as score_metrics
from loopcast.iterate.experiments.evaluation import Evaluated, evaluate
from loopcast.store.events import event_table
from loopcast.store.home import Home
from loopcast.store.trials import Trial
from loopcast.store.truth import truth_table

from ...deploy.versions import MODEL as BARE
from ...deploy.versions import add, make_home

BEGUN = datetime(2026, 3, 2, tzinfo=UTC)
MODEL = replace(BARE, kpi=Kpi(metric="brier", direction="lower", minimum_effect=0.001))
METRICS: dict[str, MetricDefinition] = {m.name: m for m in score_metrics.loopcast_metrics()}
RANK_METRICS = {m.name: m for m in rank_metrics.loopcast_metrics()}


def home_with_arms(folder: Path, arms: int = 2, **options: Any) -> tuple[Home, list[VersionId]]:
    """A home with a champion and challengers."""
    home = make_home(folder, model=options.pop("model", MODEL))
    versions = [add(home, number) for number in range(arms)]
    for number, version in enumerate(versions):
        stage: Any = "challenger" if number else "champion"
        home.catalog.release("demand", "", version, stage=stage, by="a", reason="r")
    return home, versions


def experiment(arms: Sequence[VersionId], **fields: Any) -> Experiment:
    common: dict[str, Any] = {
        "name": "spring", "logical_model": "demand", "segment": "", "kind": "ab",
        "arms": tuple(arms), "metric": "outcome", "declared": BEGUN, "by": "ann",
        "minimum_effect": 0.05, "sample_size": 500,
    }  # fmt: skip
    return Experiment(**(common | fields))


def begin(home: Home, item: Experiment, at: datetime = BEGUN) -> Trial:
    home.catalog.declare([item])
    home.catalog.take_step([item], ExperimentStep(step="begun", at=at, by="ann"))
    return home.catalog.experiment(item.logical_model, item.segment, item.name)


def serve(
    home: Home,
    item: Experiment,
    names: Sequence[str],
    *,
    at: datetime = BEGUN,
    per_day: int = 100,
    said: float = 0.2,
) -> NDArray[np.intp]:
    """Let the arms of an A/B test answer, so many a day; return the arm of each entity."""
    shares = [1.0 / len(item.arms)] * len(item.arms)
    arm = arms_of_entities(names, item.salt, shares)
    days = pd.to_timedelta(np.arange(len(names)) // per_day, unit="D")
    home.events.append(
        event_table(
            key=list(names),
            time=pd.DatetimeIndex([at] * len(names)) + days,
            logical_model=item.logical_model,
            segment=item.segment,
            version=np.array(item.arms)[arm],
            role=np.where(arm == 0, "champion", "challenger"),
            outputs={"probability": np.full(len(names), said)},
            propensity=np.array(shares)[arm],
        )
    )
    return arm


def hear(
    home: Home, names: Sequence[str], values: Any, at: Any = BEGUN + timedelta(days=30)
) -> None:
    """Let outcomes come in."""
    table = truth_table(key=list(names), value=values, observed=at)
    home.truth.add("demand", table)


def evaluated(home: Home, days: int = 40, name: str = "spring") -> Evaluated:
    trial = home.catalog.experiment("demand", "", name)
    return evaluate(trial, home, METRICS, BEGUN + timedelta(days=days))
