"""One run: find or train the version, forecast with it, write what people and systems read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd
from rich.console import Console

from loopcast.api import (
    Effect,
    Evaluation,
    ExplainedForecaster,
    GateError,
    Role,
    Stage,
    Surface,
    Template,
)
from loopcast.cli.context import Run, Stopwatch
from loopcast.cli.progress import (
    comparison_table,
    data_line,
    fallback_line,
    progress_bar,
    result_lines,
    version_line,
)
from loopcast.cli.stores import home_of
from loopcast.deploy.forecast_bundle import ForecastVersion, unpack
from loopcast.deploy.region import find_region
from loopcast.develop.engine import engine_for
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.dataset import KnownForecast, known_forecast
from loopcast.develop.forecast.judged import drawn_rows
from loopcast.develop.judged import JUDGED_FILE, Judged, read_judged
from loopcast.develop.source import source_of
from loopcast.iterate.course import course_of
from loopcast.iterate.settings_file import SETTINGS_FILE, settings_bytes
from loopcast.iterate.train import (
    TrainedVersion,
    find_version,
    held,
    refuse_held,
    released_version,
    train_version,
)
from loopcast.serve.answer_files import AnswerFile
from loopcast.serve.batch import BatchForecast, forecast
from loopcast.serve.forecast_shadows import shadow_events
from loopcast.serve.outputs import forecast_events, forecast_file, summarise
from loopcast.serve.published import publish, served_folder
from loopcast.serve.treatment import WORK_LIST, about_treatment, treatment_line, work_list
from loopcast.store.files import write_atomically
from loopcast.store.home import Home
from loopcast.web.forecast.page import render
from loopcast.web.forecast.report import ForecastReport

if TYPE_CHECKING:
    from loopcast.plugins import PluginManager
    from loopcast.settings import RunSettings

RECENT_DAYS = 14

_ROLES: Mapping[Stage, Role] = {
    "champion": "champion",
    "challenger": "challenger",
    "canary": "canary",
}
"""Of what a version that is in a stage predicts; any other one is a candidate."""
NAMED = 5  # series in a sentence


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """Everything that a run found out.

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


def execute(settings: RunSettings, run_dir: Path, plugins: PluginManager) -> None:
    """Carry out one run.

    Raises
    ------
    LoopcastError
        Where data, configuration or a model stops it; nothing is half-written then.
    """
    home = home_of(settings.store)
    serves = settings.job.name == "serve"
    region = None if serves else find_region(home, plugins, settings.logical_model)
    run = Run(
        settings=settings,
        plugins=plugins,
        course=course_of(settings, plugins, region),
        source=source_of(settings.data, plugins.reader(settings.data.reader), Path.cwd()),
        home=home,
        folder=run_dir,
        console=Console(highlight=False),
        moment=settings.job.moment,
    )
    run.console.print(f"[bold]{settings.logical_model.title}[/bold]")
    if settings.job.name == "retrain":
        from loopcast.cli.retrain_run import execute_retraining

        execute_retraining(run)
    elif isinstance(run.course, ForecastCourse) and settings.data.table.segment is None:
        _forecast(run, run.course)
    else:
        from loopcast.cli.segment_run import execute_segments

        execute_segments(run)


def _forecast(run: Run, course: ForecastCourse) -> None:
    settings, console, home = run.settings, run.console, run.home
    watch = Stopwatch()
    with watch.stage("data"):
        known = known_forecast(
            run.source.table(), settings.data, course.schema, run.source.text, settings.job.origin
        )
    console.print(data_line(known), soft_wrap=True)
    with watch.stage("version"):
        trained = _version(run, known)
    console.print(version_line(trained, settings.job.name), soft_wrap=True)
    judged = read_judged(trained.bundle.files[JUDGED_FILE], "forecast")
    evaluations = _of_series(
        (
            *home.catalog.evaluations(trained.version.id),
            *home.catalog.baselines(trained.version.id),
        ),
        judged.keys[0].categories,
    )
    console.print(comparison_table(evaluations, tuple(course.metrics), course.schema.unit))
    _require_gates(trained, home)
    if trained.reason:
        console.print(f"  release   {trained.reason}", soft_wrap=True)
    with watch.stage("forecast"):
        template = run.plugins.template(trained.version.template)
        served = unpack(trained.bundle.files, template, run.plugins.template)
        rules = course.logical_model.applicability
        batch = forecast(served, known.data, known.origin, course.reconciler, rules)
    if batch.stand_ins:
        console.print(fallback_line(batch), soft_wrap=True)
    beyond = treatment_line(about_treatment(batch.table))
    if beyond:
        console.print(f"  beyond    {beyond}", soft_wrap=True)
    outcome = Outcome(
        course=course,
        known=known,
        trained=trained,
        template=template,
        served=served,
        batch=batch,
        judged=judged,
        evaluations=evaluations,
        made=run.moment,
        seconds=watch.seconds,
    )
    with watch.stage("write"):
        _write(outcome, run.folder, home)
    shadows: dict[str, str] = {}
    if trained.stage == "champion":
        with watch.stage("shadows"):
            shadows = _listen(run, outcome)
    write_atomically(run.folder / "summary.json", _summary(outcome, shadows))
    if trained.stage == "champion":
        _publish(outcome, run.folder, home)
    for line in result_lines(run.folder, watch.seconds):
        console.print(line, soft_wrap=True)


def _version(run: Run, known: KnownForecast) -> TrainedVersion:
    course, settings = run.course, run.settings
    kept = settings.job.name == "predict" and held(course, run.home) is not None
    if settings.job.name == "serve" or kept:
        return released_version(course, run.home)
    refuse_held(course, run.home)
    if settings.job.name == "predict":
        found = find_version(course, known.dataset, run.home)
        if found is not None:
            return found
    extra = {SETTINGS_FILE: settings_bytes(settings, f"{known.origin:%Y-%m-%d}")}
    with (
        engine_for(settings.engine) as engine,
        progress_bar(run.console, "training", course.work_units()) as advance,
    ):
        return train_version(
            course,
            known,
            run.home,
            engine,
            run.rules,
            extra=extra,
            advance=advance,
            at=run.moment,
        )


def _of_series(
    evaluations: Iterable[Evaluation], series: Collection[str]
) -> tuple[Evaluation, ...]:
    """Leave out what was measured on single series, but for some of them."""
    kept = {f"series={name}" for name in series}
    return tuple(
        msgspec.structs.replace(
            evaluation,
            metrics=tuple(
                m
                for m in evaluation.metrics
                if not m.subset.startswith("series=") or m.subset in kept
            ),
        )
        for evaluation in evaluations
    )


def _require_gates(trained: TrainedVersion, home: Home) -> None:
    """Refuse to forecast with a version that does not beat its baselines.

    One that waits for a person, or loses to the champion, forecasts into the folder of the run,
    marked as what it is; what consumers read comes from the champion alone.
    """
    failed = [gate for gate in home.catalog.gates(trained.version.id) if not gate.passed]
    if failed:
        reasons = "; ".join(f"{g.gate}: expected {g.expectation}, {g.measured}" for g in failed)
        raise GateError(
            f"version {trained.version.id} did not pass its gates ({reasons}); it stays a "
            "candidate and makes no forecast: look at it with "
            f"'loopcast models show {trained.version.id}', or choose another template"
        )


def _write(outcome: Outcome, run_dir: Path, home: Home) -> None:
    version = outcome.trained.version
    metadata = {
        "logical_model": version.logical_model,
        "version": version.id,
        "dataset": outcome.known.dataset.fingerprint,
        "origin": outcome.known.origin.isoformat(),
        "unit": outcome.course.schema.unit,
    }
    write_atomically(run_dir / "forecast.parquet", forecast_file(outcome.batch, metadata))
    write_atomically(run_dir / "report.html", render(_report(outcome)).encode())
    with AnswerFile(run_dir / WORK_LIST, metadata) as for_people:
        for_people.write(work_list(outcome.batch.table))
    role = _ROLES.get(outcome.trained.stage, "candidate")
    latency = 1000.0 * outcome.seconds["forecast"]
    events = forecast_events(
        outcome.batch, version, role, outcome.made, latency, data=outcome.known.data
    )
    home.record(events, outcome.course.logical_model)


def _listen(run: Run, outcome: Outcome) -> dict[str, str]:
    """Log what shadows forecast beside the champion; say why, of those that do not."""
    heard = shadow_events(
        outcome.course, outcome.known, run.home, run.plugins.template, outcome.made
    )
    for events in heard.answers.values():
        run.home.record(events, outcome.course.logical_model)
    return {**dict.fromkeys(heard.answers, ""), **heard.silent}


def _publish(outcome: Outcome, run_dir: Path, home: Home) -> None:
    """Put what the champion forecast where consumers read it."""
    version = outcome.trained.version
    names = ["forecast.parquet", "summary.json", "report.html"]
    names += [WORK_LIST] if (run_dir / WORK_LIST).exists() else []
    publish(
        served_folder(home.folder, version.logical_model, version.segment),
        {name: run_dir / name for name in names},
        logical_model=version.logical_model,
        versions={version.segment: version.id},
        made=outcome.made,
    )


def _report(outcome: Outcome) -> ForecastReport:
    course, known, trained = outcome.course, outcome.known, outcome.trained
    table, shown = outcome.batch.table, list(outcome.judged.keys[0].categories)
    manifest = trained.bundle.manifest
    return ForecastReport(
        logical_model=course.logical_model,
        version=trained.version,
        stage=trained.stage,
        dataset=known.dataset,
        template_summary=outcome.template.summary,
        hyperparameters=manifest.hyperparameters,
        origin=known.origin,
        created=outcome.made,
        forecast=table[table["series"].isin(shown)],
        recent=_recent(outcome)[shown],
        evaluations=outcome.evaluations,
        errors=drawn_rows(outcome.judged, course.schema.step, course.schema.timezone),
        effects=_effects(outcome),
        coherence_error=outcome.batch.coherence_error,
        notes=_notes(outcome),
        seconds=outcome.seconds,
        seed=course.seed,
        environment=manifest.environment,
    )


def _recent(outcome: Outcome) -> pd.DataFrame:
    """Return the latest actuals of every series at the finest step."""
    past = outcome.known.training
    start = past.times.searchsorted(outcome.known.origin - pd.DateOffset(days=RECENT_DAYS))
    latest = replace(
        past,
        target=past.target.iloc[start:],
        covariates={name: frame.iloc[start:] for name, frame in past.covariates.items()},
    )
    return outcome.served.preparation.levels(latest)[outcome.course.schema.step].target


def _effects(outcome: Outcome) -> tuple[Effect | Surface, ...]:
    model = outcome.served.models[outcome.course.schema.step].model
    if not isinstance(model, ExplainedForecaster):
        return ()
    shown = outcome.judged.keys[0].categories
    return model.effects([name for name in shown if name not in model.failures])


def _notes(outcome: Outcome) -> tuple[str, ...]:
    schema, known = outcome.course.schema, outcome.known
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
    shown, series = outcome.judged.keys[0].categories, outcome.served.preparation.hierarchy.series
    if len(shown) < len(series):
        notes.append(
            f"Shown are {len(shown)} of {len(series):,} series: the top, its largest parts, and "
            "those that did worst against the baselines. The forecast of every series is in "
            "forecast.parquet."
        )
    if outcome.batch.stand_ins:
        names = ", ".join(list(outcome.batch.stand_ins)[:NAMED])
        more = len(outcome.batch.stand_ins) - NAMED
        notes.append(
            f"{len(outcome.batch.stand_ins)} series have no model and are forecast by the "
            f"fallback: {names}" + (f" and {more} more." if more > 0 else ".")
        )
    beyond = treatment_line(about_treatment(outcome.batch.table))
    if beyond:
        notes.append(f"{beyond}.")
    if known.dataset.imputed:
        notes.append(f"{known.dataset.imputed} missing actuals were imputed, as configured.")
    return tuple(notes)


def _summary(outcome: Outcome, shadows: Mapping[str, str]) -> bytes:
    course, trained = outcome.course, outcome.trained
    content = summarise(
        trained.version,
        outcome.known.dataset,
        outcome.evaluations,
        outcome.batch,
        horizon=course.schema.horizon,
    )
    content |= {
        "stage": trained.stage,
        "trained_now": trained.fresh,
        "hyperparameters": trained.bundle.manifest.hyperparameters,
        "notes": list(_notes(outcome)),
        **({"shadows": dict(shadows)} if shadows else {}),
        "seconds": outcome.seconds,
        "seed": course.seed,
        "environment": dict(trained.bundle.manifest.environment),
    }
    return json.dumps(content, indent=2, ensure_ascii=False).encode()
