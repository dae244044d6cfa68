"""What a run of one forecast found, as people and systems read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from loopcast.api import (
    Effect,
    Evaluation,
    ExplainedForecaster,
    Judged,
    Role,
    Stage,
    Surface,
    Template,
)
from loopcast.deploy.forecast_bundle import ForecastVersion
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.dataset import KnownForecast
from loopcast.develop.forecast.judged import drawn_rows
from loopcast.develop.forecast.measured import filled_in_backtest
from loopcast.iterate.train import TrainedVersion
from loopcast.serve.answer_files import AnswerFile, arrow
from loopcast.serve.batch import BatchForecast
from loopcast.serve.outputs import forecast_events, forecast_file, summarise
from loopcast.serve.published import publish, served_folder
from loopcast.serve.treatment import WORK_LIST, about_treatment, treatment_line, work_list
from loopcast.store.files import write_atomically
from loopcast.store.home import Home
from loopcast.web.forecast.page import render
from loopcast.web.forecast.report import RECENT_DAYS, ForecastReport

NAMED = 5  # series in a sentence

_ROLES: Mapping[Stage, Role] = {
    "champion": "champion",
    "challenger": "challenger",
    "canary": "canary",
}
"""Of what a version that is in a stage predicts; any other one is a candidate."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastResult:
    """Everything that a run of one forecast found out.

    Of many series, evaluations and judged rows are those of the ones that are shown.
    """

    course: ForecastCourse
    known: KnownForecast
    trained: TrainedVersion
    template: Template[Any, Any]
    served: ForecastVersion
    batch: BatchForecast
    judged: Judged
    evaluations: tuple[Evaluation, ...]
    made: datetime
    seconds: dict[str, float]


def write_results(result: ForecastResult, run_dir: Path, home: Home) -> None:
    """Write the forecast, its page and what waits for people into the folder; log the events."""
    version = result.trained.version
    metadata = {
        "logical_model": version.logical_model,
        "version": version.id,
        "dataset": result.known.dataset.fingerprint,
        "origin": result.known.origin.isoformat(),
        "unit": result.course.schema.unit,
    }
    write_atomically(run_dir / "forecast.parquet", forecast_file(result.batch, metadata))
    write_atomically(run_dir / "report.html", render(_report(result)).encode())
    with AnswerFile(run_dir / WORK_LIST, metadata) as for_people:
        for_people.write(work_list(arrow(result.batch.table)))
    role = _ROLES.get(result.trained.stage, "candidate")
    latency = 1000.0 * result.seconds["forecast"]
    events = forecast_events(
        result.batch, version, role, result.made, latency, data=result.known.data
    )
    home.record(events, result.course.logical_model)


def publish_results(result: ForecastResult, run_dir: Path, home: Home) -> None:
    """Put what the champion forecast where consumers read it."""
    version = result.trained.version
    names = ["forecast.parquet", "summary.json", "report.html"]
    names += [WORK_LIST] if (run_dir / WORK_LIST).exists() else []
    publish(
        served_folder(home.folder, version.logical_model, version.segment),
        {name: run_dir / name for name in names},
        logical_model=version.logical_model,
        versions={version.segment: version.id},
        made=result.made,
    )


def _report(result: ForecastResult) -> ForecastReport:
    course, known, trained = result.course, result.known, result.trained
    table, shown = result.batch.table, list(result.judged.keys[0].categories)
    manifest = trained.bundle.manifest
    return ForecastReport(
        logical_model=course.logical_model,
        version=trained.version,
        stage=trained.stage,
        dataset=known.dataset,
        template_summary=result.template.summary,
        hyperparameters=manifest.hyperparameters,
        origin=known.origin,
        created=result.made,
        forecast=table[table["series"].isin(shown)],
        recent=_recent(result)[shown],
        evaluations=result.evaluations,
        errors=drawn_rows(result.judged, course.schema.step, course.schema.timezone),
        effects=_effects(result),
        coherence_error=result.batch.coherence_error,
        notes=_notes(result),
        seconds=result.seconds,
        seed=course.seed,
        environment=manifest.environment,
    )


def _recent(result: ForecastResult) -> pd.DataFrame:
    """Return the latest actuals of every series at the finest step."""
    past = result.known.training
    start = past.times.searchsorted(result.known.origin - pd.DateOffset(days=RECENT_DAYS))
    latest = replace(
        past,
        target=past.target.iloc[start:],
        covariates={name: frame.iloc[start:] for name, frame in past.covariates.items()},
    )
    return result.served.preparation.levels(latest)[result.course.schema.step].target


def _effects(result: ForecastResult) -> tuple[Effect | Surface, ...]:
    model = result.served.models[result.course.schema.step].model
    if not isinstance(model, ExplainedForecaster):
        return ()
    shown = result.judged.keys[0].categories
    return model.effects([name for name in shown if name not in model.failures])


def _notes(result: ForecastResult) -> tuple[str, ...]:
    schema, known = result.course.schema, result.known
    names = " and ".join(schema.covariates)
    notes = []
    if names:
        notes.append(
            f"The backtest was given the realised {names} over each horizon; errors with "
            "forecast inputs will be larger."
        )
        if known.data.times[-1] >= known.origin:
            notes.append(
                f"The forecast was given the realised {names}: the day is in the data, and its "
                "actuals were not used."
            )
    shown, series = result.judged.keys[0].categories, result.served.preparation.hierarchy.series
    if len(shown) < len(series):
        notes.append(
            f"Shown are {len(shown)} of {len(series):,} series: the top, its largest parts, and "
            "those that did worst against the baselines. The forecast of every series is in "
            "forecast.parquet."
        )
    if result.batch.stand_ins:
        names = ", ".join(list(result.batch.stand_ins)[:NAMED])
        more = len(result.batch.stand_ins) - NAMED
        notes.append(
            f"{len(result.batch.stand_ins)} series have no model and are forecast by the "
            f"fallback: {names}" + (f" and {more} more." if more > 0 else ".")
        )
    beyond = treatment_line(about_treatment(result.batch.table))
    if beyond:
        notes.append(f"{beyond}.")
    if known.dataset.imputed:
        notes.append(_of_imputed(result))
    return tuple(notes)


def _of_imputed(result: ForecastResult) -> str:
    """Say what became of actuals that were filled in, and how many this run did not judge by."""
    known = result.known
    text = f"{known.dataset.imputed:,} missing actuals were imputed, as configured, to learn from"
    if known.filled is None or not result.trained.fresh:
        return f"{text}; no forecast is judged by them."
    count = filled_in_backtest(result.course.plan, known.training, known.filled)
    return f"{text}; the {count:,} of them in the judged days were left out of the backtest."


def summary_of(result: ForecastResult, shadows: Mapping[str, str]) -> dict[str, Any]:
    """Return the summary; ``shadows`` has the reason of each that was silent, by its version."""
    course, trained = result.course, result.trained
    content = summarise(
        trained.version,
        result.known.dataset,
        result.evaluations,
        result.batch,
        horizon=course.schema.horizon,
    )
    return content | {
        "stage": trained.stage,
        "trained_now": trained.fresh,
        "hyperparameters": trained.bundle.manifest.hyperparameters,
        "notes": list(_notes(result)),
        **({"shadows": dict(shadows)} if shadows else {}),
        "seconds": result.seconds,
        "seed": course.seed,
        "environment": dict(trained.bundle.manifest.environment),
    }
