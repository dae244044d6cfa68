"""A run over the segments of a table: scores, rankings, and families of any task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.table import Table

from loopcast.api import DataError, ForecastSchema, GateError, RankSchema
from loopcast.cli.context import Run, Stopwatch
from loopcast.cli.progress import comparison_table, progress_bar
from loopcast.develop.engine import engine_for
from loopcast.iterate.family import SegmentReport, counts, train_segments, training_of
from loopcast.iterate.settings_file import SETTINGS_FILE, settings_bytes
from loopcast.serve.answer_files import AnswerFile
from loopcast.serve.answered import Answered
from loopcast.serve.decision import decision_line, total_decisions
from loopcast.serve.family import Answering, answer_segments
from loopcast.serve.list_file import ListFile
from loopcast.serve.lookup import LISTS
from loopcast.serve.overview import Overview, all_of
from loopcast.serve.published import publish, served_folder
from loopcast.serve.rules import RuleBook, current_rules
from loopcast.serve.treatment import WORK_LIST, total_treatment, treatment_line
from loopcast.serve.under_rules import RULES_FILE, rules_line, total_rules
from loopcast.settings import EngineSettings
from loopcast.store.files import write_atomically
from loopcast.web.answers.page import AnswersReport, render

if TYPE_CHECKING:
    from loopcast.api import Engine, Task

SHOWN = 10
"""Segments that the terminal names; the summary names all."""

PAGE = "report.html"
"""Of what was answered."""

ANSWER_FILES: dict[Task, str] = {
    "forecast": "forecast.parquet",
    "score": "scores.parquet",
    "rank": "rankings.parquet",
}


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
    with engine_for(_engine(run)) as engine:
        if _trains(run):
            with watch.stage("train"):
                reports = _train(run, engine)
            found["training"] = _training_record(reports)
            _show_training(run, reports)
            _require_one_trained(reports)
        if run.settings.job.name != "train":
            with watch.stage("predict"):
                answered, seen = _predict(run, engine)
            found["predictions"] = _answer_record(answered)
            _show_answers(run, answered)
    summary = _common(run) | found | {"seconds": watch.seconds}
    content = json.dumps(summary, indent=2, ensure_ascii=False).encode()
    write_atomically(run.folder / "summary.json", content)
    if "predictions" in found:
        _write_page(run, answered, seen, watch.seconds)
        _publish(run)
    took = ", ".join(f"{name} {value:.1f} s" for name, value in watch.seconds.items())
    run.console.print(f"  results   {run.folder}", soft_wrap=True)
    run.console.print(f"  took      {took}")


def _trains(run: Run) -> bool:
    job = run.settings.job.name
    return job == "train" or (job == "predict" and not run.home.catalog.newest(_name(run)))


def _publish(run: Run) -> None:
    """Put what the released versions answered where consumers read it."""
    names = [ANSWER_FILES[run.settings.logical_model.task], "summary.json", PAGE]
    extra = (WORK_LIST, RULES_FILE, LISTS)
    names += [name for name in extra if (run.folder / name).exists()]
    publish(
        served_folder(run.home.folder, _name(run)),
        {name: run.folder / name for name in names},
        logical_model=_name(run),
        made=run.moment,
    )


def _name(run: Run) -> str:
    return run.settings.logical_model.name


def _engine(run: Run) -> EngineSettings:
    """Return the engine; one segment alone has nothing to share between processes."""
    if run.settings.data.table.segment is None and run.settings.engine.name == "local":
        return EngineSettings(name="local", workers=1)
    return run.settings.engine


def _train(run: Run, engine: Engine) -> list[SegmentReport]:
    training = training_of(
        run.course, run.home, run.rules, day=run.settings.job.origin, at=run.moment
    )
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


def _require_one_trained(reports: Sequence[SegmentReport]) -> None:
    if all(report.status == "failed" for report in reports):
        first = reports[0].reason if reports else "the table has no segment"
        more = f" ({len(reports)} segments failed; this is the first)" if len(reports) > 1 else ""
        raise DataError(f"{first}{more}")


def _predict(run: Run, engine: Engine) -> tuple[list[Answered], Overview]:
    model = run.settings.logical_model
    found: list[Answered] = []
    seen: list[Overview] = []
    answering = Answering(
        course=run.course,
        home=run.home,
        plugins=run.plugins,
        made=run.moment,
        day=run.settings.job.origin,
        rules=_rules(run),
    )
    batches = answer_segments(answering, run.source, engine)
    with (
        AnswerFile(run.folder / ANSWER_FILES[model.task], _metadata(run)) as file,
        AnswerFile(run.folder / WORK_LIST, _metadata(run)) as for_people,
        _list_file(run) as lists,
        AnswerFile(run.folder / RULES_FILE, _metadata(run)) as ruled,
    ):
        for batch in batches:
            file.write(batch.written.table)
            for_people.write(batch.for_people)
            ruled.write(batch.written.ruled)
            if lists and batch.written.lists:
                lists.write(batch.written.lists)
            if batch.written.events is not None:
                run.home.record(batch.written.events, model)
            seen += [batch.seen] if batch.seen else []
            found += batch.segments
    if not any(item.rows for item in found):
        reason = found[0].reason if found else "the table has no segment"
        raise GateError(f"nothing was answered: {reason}")
    return found, all_of(seen)


def _list_file(run: Run) -> AbstractContextManager[ListFile | None]:
    """Return the file that a ranking is looked up in; other tasks have none."""
    ranks = isinstance(run.settings.logical_model.schema, RankSchema)
    return ListFile(run.folder / LISTS) if ranks else nullcontext()


def _rules(run: Run) -> RuleBook | None:
    """Read the rules over ranked lists as they are now."""
    chosen = run.settings.rules
    return None if chosen is None else current_rules(chosen, run.plugins, Path.cwd())


def _write_page(
    run: Run, answered: Sequence[Answered], seen: Overview, seconds: Mapping[str, float]
) -> None:
    report = AnswersReport(
        logical_model=run.settings.logical_model,
        overview=seen,
        source=run.source.text,
        moment=run.moment,
        reasons={item.segment: item.reason for item in answered if item.reason},
        seconds=seconds,
    )
    write_atomically(run.folder / PAGE, render(report).encode())


def _metadata(run: Run) -> dict[str, str]:
    schema = run.settings.logical_model.schema
    unit = {"unit": schema.unit} if isinstance(schema, ForecastSchema) else {}
    return {"logical_model": _name(run), **unit}


def _common(run: Run) -> dict[str, Any]:
    return {
        "logical_model": _name(run),
        "task": run.settings.logical_model.task,
        "template": run.settings.template.name,
        "data": {"name": run.settings.data.name, "origin": run.source.text},
        "seed": run.settings.seed,
    }


def _training_record(reports: Sequence[SegmentReport]) -> dict[str, Any]:
    return {"counts": counts(reports), "segments": [msgspec.to_builtins(r) for r in reports]}


def _answer_record(answered: Sequence[Answered]) -> dict[str, Any]:
    return {
        "rows": sum(item.rows for item in answered),
        "answered": sum(not item.reason for item in answered),
        "not_answered": sum(bool(item.reason) for item in answered),
        **total_decisions([item.about for item in answered]),
        **total_treatment([item.about for item in answered]),
        **total_rules([item.about for item in answered]),
        "segments": [_answered_record(item) for item in answered],
    }


def _answered_record(item: Answered) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(item)
    about: dict[str, Any] = record.pop("about")
    return record | about


def _show_training(run: Run, reports: Sequence[SegmentReport]) -> None:
    if run.settings.data.table.segment is None and reports[0].version is not None:
        _show_one(run, reports[0])
        return
    said = ", ".join(f"{count} {name}" for name, count in counts(reports).items() if count)
    run.console.print(f"  segments  {len(reports)}: {said}")
    _show_reasons(run, [(r.segment, r.reason) for r in reports if r.status == "failed"])


def _show_one(run: Run, report: SegmentReport) -> None:
    assert report.version is not None
    catalog = run.home.catalog
    how = "found, trained before on the same data" if report.status == "kept" else "trained now"
    stage = catalog.stage(report.version)
    run.console.print(
        f"  version   {report.version} of {run.settings.template.name}, {how}; stage: {stage}",
        soft_wrap=True,
    )
    evaluations = (*catalog.evaluations(report.version), *catalog.baselines(report.version))
    run.console.print(comparison_table(evaluations, tuple(run.course.metrics)))
    if report.reason:
        run.console.print(f"  release   {report.reason}", soft_wrap=True)


def _show_answers(run: Run, answered: Sequence[Answered]) -> None:
    rows, missing = sum(item.rows for item in answered), [a for a in answered if a.reason]
    count = len(answered) - len(missing)
    segments = f"{count:,} {'segment' if count == 1 else 'segments'}"
    run.console.print(f"  answered  {rows:,} rows in {segments}")
    profits = run.settings.logical_model.decision.profits
    decided = total_decisions([item.about for item in answered])
    if decided:
        line = decision_line(decided, profits.unit if profits else "")
        run.console.print(f"  decided   {line}", soft_wrap=True)
    beyond = treatment_line(total_treatment([item.about for item in answered]))
    if beyond:
        run.console.print(f"  beyond    {beyond}", soft_wrap=True)
    ruled = rules_line(total_rules([item.about for item in answered]))
    if ruled:
        run.console.print(f"  rules     {ruled}", soft_wrap=True)
    _show_reasons(run, [(item.segment, item.reason) for item in missing])


def _show_reasons(run: Run, reasons: Sequence[tuple[str, str]]) -> None:
    if not reasons:
        return
    table = Table(title=f"Failed ({len(reasons)})", title_justify="left")
    table.add_column("segment")
    table.add_column("why")
    for segment, reason in reasons[:SHOWN]:
        table.add_row(segment, reason)
    run.console.print(table)
    if len(reasons) > SHOWN:
        run.console.print(f"  and {len(reasons) - SHOWN} more, all of them in summary.json")
