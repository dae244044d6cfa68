"""What it costs to tell which rows are unlike the training, where a million of them is answered."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loopcast.api import (
    Feature,
    FitContext,
    Kpi,
    LogicalModel,
    PluginOrigin,
    ScoreData,
    ScoreSchema,
)
from loopcast.deploy.limits import Limits
from loopcast.deploy.loaded import Opened
from loopcast.deploy.lookup import Serving
from loopcast.develop.applicability import domains_bytes, fit_domain
from loopcast.develop.course import Contender, Course
from loopcast.develop.engine import LocalEngine
from loopcast.develop.holdout import Holdout
from loopcast.develop.score.inputs import columns_of
from loopcast.develop.score.prepare import prepare_score
from loopcast.serve import score
from loopcast.serve.answer_events import batch_events
from loopcast.serve.answer_files import AnswerFile, answer_table
from loopcast.serve.answers import Posed, Question, Responsible, SegmentAnswers
from loopcast.settings import DataSettings, ScoreTable
from loopcast.store.events import EventLog
from loopcast_credit import loopcast_templates

ROWS = 1_000_000
TRAINING = 20_000
NUMBERS = [f"x{number}" for number in range(8)]
TEMPLATES = ("credit.scorecard", "credit.boosting")
VERSION = "0" * 16
SCHEMA = ScoreSchema(
    key="key",
    target="target",
    event=1,
    features={
        **{name: Feature(kind="numeric", missing=True) for name in NUMBERS},
        "town": Feature(kind="category"),
        "job": Feature(kind="category"),
    },
)
MODEL = LogicalModel(name="big", title="Big", owner="us", kpi=Kpi(metric="auc"), schema=SCHEMA)


def run(scale: float) -> list[dict[str, Any]]:
    """Answer rows of ten features, with and without the domain of the version."""
    rows = max(TRAINING, round(ROWS * scale))
    training = prepare_score(_table(TRAINING, seed=1), ScoreTable(), SCHEMA, "memory")
    fitting, domain = _cpu(lambda: fit_domain(columns_of(training.features)))
    table = _table(rows, seed=2)
    fitted = {
        "what": f"domain of {TRAINING:,} rows",
        "fit_cpu_ms": 1000.0 * fitting,
        "bytes": len(domains_bytes({"": domain})),
    }
    return [fitted] + [
        _answered(template, training, table, Limits(domains={"": domain}))
        for template in loopcast_templates()
        if template.name in TEMPLATES
    ]


def _answered(
    template: Any, training: ScoreData, table: pd.DataFrame, limits: Limits
) -> dict[str, Any]:
    parameters = template.hyperparameters()
    context = FitContext(seed=0, engine=LocalEngine())
    [(_, model)] = template.fit({"": training}, parameters, context)
    question = Question(
        table=table,
        source="memory",
        settings=DataSettings(name="memory", reader="parquet", table=ScoreTable()),
        course=Course(
            logical_model=MODEL,
            candidate=Contender(label="own", template=template, hyperparameters=parameters),
            baselines=(),
            origin=PluginOrigin(plugin="credit", package="loopcast-credit", package_version="0"),
            metrics=(),
            plan=Holdout(method="random", share=0.25, count=1),
            seed=0,
        ),
        day=None,
        made=datetime.now(UTC),
    )
    seconds = {
        name: min(_cpu(partial(_one_run, question, model, kept))[0] for _ in range(3))
        for name, kept in {"with": limits, "without": Limits()}.items()
    }
    return {
        "what": f"{template.name}, {len(table):,} rows of {len(SCHEMA.features)} features",
        "with_cpu_s": seconds["with"],
        "without_cpu_s": seconds["without"],
        "slower_by": seconds["with"] / seconds["without"] - 1.0,
    }


def _one_run(question: Question, model: Any, limits: Limits) -> None:
    """Do what a batch run does with a table that was read: answer, write, log."""
    serving = Serving(logical_model=MODEL.name, segment="", champion=VERSION)
    responsible = Responsible(
        serving=serving,
        opened={VERSION: Opened(files={}, model=model)},
        limits={VERSION: limits},
    )
    data = score.prepare(question)
    answers = score.answer(Posed(question=question, data=data, responsible=responsible))
    item = SegmentAnswers(segment="", serving=serving, answers=answers)
    with tempfile.TemporaryDirectory() as folder:
        events = batch_events([item], MODEL.name, datetime.now(UTC))
        assert events is not None
        with AnswerFile(Path(folder) / "scores.parquet") as file:
            file.write(answer_table([item]))
        EventLog(folder).append(events)


def _table(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=rows)
    numbers = {name: common + rng.normal(size=rows) for name in NUMBERS}
    numbers["x0"] = np.where(rng.random(rows) < 0.1, np.nan, numbers["x0"])
    return pd.DataFrame(
        {
            "key": pd.array([f"k{row}" for row in range(rows)], dtype="str"),
            "target": (rng.random(rows) < 1.0 / (1.0 + np.exp(2.0 - common))).astype(int),
            **numbers,
            "town": rng.choice(list("abcdefgh"), rows),
            "job": rng.choice(list("xyz"), rows),
        }
    )


def _cpu(action: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = action()
    return time.process_time() - start, found
