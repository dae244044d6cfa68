"""The job ``night``: train again what is due, and answer for every segment, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopcast.cli.answer_results import (
    PAGE,
    AnswerFiles,
    answer_record,
    answering_of,
    common_record,
    engine_of,
    publish_answers,
    show_answers,
    write_answers_page,
    write_summary,
)
from loopcast.cli.context import Run, Stopwatch
from loopcast.cli.progress import progress_bar, result_lines
from loopcast.cli.retrain_run import (
    RETRAINING,
    asked_of,
    by_segment,
    decide,
    looked_at,
    tell,
    write_retraining_page,
)
from loopcast.develop.engine import engine_for
from loopcast.iterate.night import night
from loopcast.iterate.retrain.round import begin

if TYPE_CHECKING:
    from loopcast.api import Engine
    from loopcast.iterate.retrain.report import Retrained
    from loopcast.iterate.retrain.round import Asked, Outlook, Progress


def execute_night(run: Run) -> None:
    """Train what is due, answer for every segment by who serves then, and write what both say.

    Raises
    ------
    ConfigurationError
        Where a remedy was asked for that the task or the configuration does not have.
    GateError
        Where nothing was answered; what was trained is told all the same.
    """
    watch, console, batches = Stopwatch(), run.console, list(run.source.batches())
    with engine_for(engine_of(run), run.modules, items=len(batches)) as engine:
        asked = asked_of(run, batches)
        outlook = decide(run, asked, watch)
        with watch.stage("train and answer"):
            progress = begin(asked, outlook) if run.settings.retrain.train else None
            items, files, again = _pass(run, asked, outlook, progress, engine)
    told = tell(run, items)
    write_retraining_page(run, items, watch.seconds)
    files.require_rows()
    show_answers(run, files.answered)
    if again:
        console.print(
            f"  again     {again:,} segments were asked again: not who was expected serves"
        )
    said = {"predictions": answer_record(files.answered), "asked_again": again}
    write_summary(run, common_record(run) | told | said | {"seconds": watch.seconds})
    write_answers_page(run, files, watch.seconds)
    publish_answers(run)
    if progress is not None:
        progress.finish()
    for line in result_lines(run.folder, watch.seconds, "summary.json", RETRAINING, PAGE):
        console.print(line, soft_wrap=True)


def _pass(
    run: Run, asked: Asked, outlook: Outlook, progress: Progress | None, engine: Engine
) -> tuple[list[Retrained], AnswerFiles, int]:
    """Return what became of all segments, the files of their answers, and how often again."""
    trains, answering = run.settings.retrain.train, answering_of(run)
    items, again = list(outlook.untouched()) if trains else looked_at(outlook), 0
    with (
        AnswerFiles(run) as files,
        progress_bar(run.console, "night", None) as advance,
    ):
        for batch in night(asked, outlook, progress, answering, engine):
            items += batch.retrained
            files.write(batch.answered)
            again += len(batch.answered.segments) if batch.asked_again else 0
            advance(f"{len(files.answered):,} segments")
    return by_segment(items), files, again
