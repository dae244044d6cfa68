"""A run over the segments of a table: scores, rankings, and families of any task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from loopcast.api import DataError
from loopcast.cli.answer_results import (
    AnswerFiles,
    answer_record,
    answering_of,
    common_record,
    engine_of,
    publish_answers,
    show_answers,
    show_reasons,
    write_answers_page,
    write_summary,
)
from loopcast.cli.context import Run, Stopwatch
from loopcast.cli.progress import comparison_table, progress_bar, result_lines
from loopcast.develop.engine import engine_for
from loopcast.iterate.family import SegmentReport, Status, counts, train_segments, training_of
from loopcast.iterate.past import past_of
from loopcast.iterate.settings_file import SETTINGS_FILE, settings_bytes
from loopcast.serve.family import answer_segments

if TYPE_CHECKING:
    from loopcast.api import Engine, VersionId


def execute_segments(run: Run) -> None:
    """Train every segment, or answer for every segment with its released version.

    A run that may train does so where it is told to, and where there is no version at all.

    Raises
    ------
    DataError, GateError
        Where the only segment could not be trained, or not one segment of a family.
    """
    watch = Stopwatch()
    run.console.print(f"  data      {run.settings.data.name}: {run.source.text}", soft_wrap=True)
    found: dict[str, Any] = {}
    with engine_for(engine_of(run), run.modules) as engine:
        if _trains(run):
            with watch.stage("train"):
                reports = _train(run, engine)
            found["training"] = _training_record(reports)
            _show_training(run, reports)
            _require_one_trained(reports)
        if run.settings.job.name != "train":
            with watch.stage("predict"):
                files = _predict(run, engine)
            found["predictions"] = answer_record(files.answered)
            show_answers(run, files.answered)
    write_summary(run, common_record(run) | found | {"seconds": watch.seconds})
    if "predictions" in found:
        write_answers_page(run, files, watch.seconds)
        publish_answers(run)
    for line in result_lines(run.folder, watch.seconds):
        run.console.print(line, soft_wrap=True)


def _trains(run: Run) -> bool:
    job = run.settings.job.name
    return job == "train" or (job == "predict" and not run.home.catalog.newest(run.name))


def _train(run: Run, engine: Engine) -> list[SegmentReport]:
    past, day = past_of(run.home.catalog, run.name), run.settings.job.origin
    training = training_of(run.course, run.home, run.rules, past, day=day, at=run.moment)
    extra = {SETTINGS_FILE: settings_bytes(run.settings)}
    with progress_bar(run.console, "training", None) as advance:
        return list(
            train_segments(
                training,
                run.source,
                engine,
                extra=extra,
                advance=lambda count: advance(f"{count} segments"),
            )
        )


def _predict(run: Run, engine: Engine) -> AnswerFiles:
    answering = answering_of(run)
    with AnswerFiles(run) as files:
        for batch in answer_segments(answering, run.source.batches(), engine):
            files.write(batch)
    files.require_rows()
    return files


def _require_one_trained(reports: Sequence[SegmentReport]) -> None:
    if all(report.status == "failed" for report in reports):
        first = reports[0].reason if reports else "the table has no segment"
        more = f" ({len(reports)} segments failed; this is the first)" if len(reports) > 1 else ""
        raise DataError(f"{first}{more}")


def _training_record(reports: Sequence[SegmentReport]) -> dict[str, Any]:
    return {"counts": counts(reports), "segments": [msgspec.to_builtins(r) for r in reports]}


def _show_training(run: Run, reports: Sequence[SegmentReport]) -> None:
    if run.settings.data.table.segment is None:
        _show_one(run, reports[0])
        return
    said = ", ".join(f"{count} {name}" for name, count in counts(reports).items() if count)
    run.console.print(f"  segments  {len(reports)}: {said}")
    show_reasons(run, "Failed", [(r.segment, r.reason) for r in reports if r.status == "failed"])


def _show_one(run: Run, report: SegmentReport) -> None:
    """Show the version and what became of it; a failure is the error that ends the run."""
    if report.version is not None:
        _show_version(run, report.version, report.status)
    if report.reason and report.status != "failed":
        run.console.print(f"  release   {report.reason}", soft_wrap=True)


def _show_version(run: Run, version: VersionId, status: Status) -> None:
    catalog = run.home.catalog
    how = "found, trained before on the same data" if status == "kept" else "trained now"
    stage = catalog.stage(version)
    run.console.print(
        f"  version   {version} of {run.settings.template.name}, {how}; stage: {stage}",
        soft_wrap=True,
    )
    evaluations = (*catalog.evaluations(version), *catalog.baselines(version))
    run.console.print(comparison_table(evaluations, tuple(run.course.metrics)))
