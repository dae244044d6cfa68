"""A run of one forecast: find or train the version, and forecast with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from loopcast.api import (
    Evaluation,
    GateError,
)
from loopcast.cli.answer_results import write_summary
from loopcast.cli.context import Run, Stopwatch
from loopcast.cli.forecast_results import (
    ForecastResult,
    publish_results,
    summary_of,
    write_results,
)
from loopcast.cli.progress import (
    comparison_table,
    data_line,
    fallback_line,
    progress_bar,
    result_lines,
    version_line,
)
from loopcast.deploy.forecast_bundle import unpack
from loopcast.develop.engine import engine_for
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.dataset import KnownForecast, known_forecast
from loopcast.develop.judged import JUDGED_FILE, read_judged
from loopcast.iterate.settings_file import SETTINGS_FILE, settings_bytes
from loopcast.iterate.train import (
    TrainedVersion,
    find_version,
    held,
    refuse_held,
    released_version,
    train_version,
)
from loopcast.serve.batch import forecast
from loopcast.serve.forecast_shadows import shadow_events
from loopcast.serve.treatment import about_treatment, treatment_line
from loopcast.store.home import Home


def execute_forecast(
    run: Run, course: ForecastCourse, watch: Stopwatch, told: Mapping[str, Any]
) -> None:
    """Find or train the version, forecast with it, and write what people and systems read.

    Parameters
    ----------
    told
        What the summary says of what was done before.

    Raises
    ------
    GateError
        Where the version did not pass its gates.
    LoopcastError
        Where data, configuration or a model stops it; nothing is half-written then.
    """
    settings, console = run.settings, run.console
    with watch.stage("data"):
        known = known_forecast(
            run.source.table(), settings.data, course.schema, run.source.text, settings.job.origin
        )
    console.print(data_line(known), soft_wrap=True)
    with watch.stage("version"):
        trained = _version(run, known)
    console.print(version_line(trained, settings.job.name), soft_wrap=True)
    result = _predict(run, course, known, trained, watch)
    _hand_out(run, result, watch, told)
    named = ("forecast.parquet", "summary.json", "report.html")
    for line in result_lines(run.folder, watch.seconds, *named):
        console.print(line, soft_wrap=True)


def _predict(
    run: Run,
    course: ForecastCourse,
    known: KnownForecast,
    trained: TrainedVersion,
    watch: Stopwatch,
) -> ForecastResult:
    """Say how the version was judged, and forecast with it if it passed its gates."""
    console, catalog = run.console, run.home.catalog
    judged = read_judged(trained.bundle.files[JUDGED_FILE], "forecast")
    measured = (*catalog.evaluations(trained.version.id), *catalog.baselines(trained.version.id))
    evaluations = _of_series(measured, judged.keys[0].categories)
    console.print(comparison_table(evaluations, tuple(course.metrics), course.schema.unit))
    _require_gates(trained, run.home)
    if trained.reason:
        console.print(f"  release   {trained.reason}", soft_wrap=True)
    with watch.stage("forecast"):
        template = run.plugins.template(trained.version.template)
        served = unpack(trained.bundle.files, template, run.plugins.template)
        rules = course.logical_model.applicability
        batch = forecast(served, known.data, known.origin, course.reconciler, rules)
    if batch.stand_ins:
        console.print(fallback_line(batch), soft_wrap=True)
    if beyond := treatment_line(about_treatment(batch.table)):
        console.print(f"  beyond    {beyond}", soft_wrap=True)
    return ForecastResult(
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


def _hand_out(run: Run, result: ForecastResult, watch: Stopwatch, told: Mapping[str, Any]) -> None:
    """Write the results, ask the shadows of a champion, and publish what it forecast."""
    leads = result.trained.stage == "champion"
    with watch.stage("write"):
        write_results(result, run.folder, run.home)
    shadows: dict[str, str] = {}
    if leads:
        with watch.stage("shadows"):
            shadows = _listen(run, result)
    write_summary(run, {**summary_of(result, shadows), **told})
    if leads:
        publish_results(result, run.folder, run.home)


def _version(run: Run, known: KnownForecast) -> TrainedVersion:
    course, settings = run.course, run.settings
    kept = settings.job.name == "predict" and held(course, run.home) is not None
    if settings.job.name in ("serve", "night") or kept:
        return released_version(course, run.home)
    refuse_held(course, run.home)
    if settings.job.name == "predict":
        found = find_version(course, known.dataset, run.home)
        if found is not None:
            return found
    extra = {SETTINGS_FILE: settings_bytes(settings, f"{known.origin:%Y-%m-%d}")}
    with (
        engine_for(settings.engine, run.modules) as engine,
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


def _listen(run: Run, result: ForecastResult) -> dict[str, str]:
    """Log what shadows forecast beside the champion; say why, of those that do not."""
    heard = shadow_events(result.course, result.known, run.home, run.plugins.template, result.made)
    for events in heard.answers.values():
        run.home.record(events, result.course.logical_model)
    return {**dict.fromkeys(heard.answers, ""), **heard.silent}
