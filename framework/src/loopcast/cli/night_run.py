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

if TYPE_CHECKING:
    from loopcast.iterate.retrain.report import Retrained
    from loopcast.iterate.retrain.round import Asked, Outlook


def execute_night(run: Run) -> None:
    """Train what is due, answer for every segment by who serves then, and write what both say.

    Raises
    ------
    ConfigurationError
        Where a remedy was asked for that the task or the configuration does not have.
    GateError
        Where nothing was answered; what was trained is told all the same.
    """
    watch, asked = Stopwatch(), asked_of(run)
    outlook = decide(run, asked, watch)
    with watch.stage("train and answer"):
        items, files = _pass(run, asked, outlook)
    told = tell(run, items)
    write_retraining_page(run, items, watch.seconds)
    files.require_rows()
    show_answers(run, files.answered)
    said = {"predictions": answer_record(files.answered), "seconds": watch.seconds}
    write_summary(run, common_record(run) | told | said)
    write_answers_page(run, files, watch.seconds)
    publish_answers(run)
    for line in result_lines(run.folder, watch.seconds, "summary.json", RETRAINING, PAGE):
        run.console.print(line, soft_wrap=True)


def _pass(run: Run, asked: Asked, outlook: Outlook) -> tuple[list[Retrained], AnswerFiles]:
    """Return what became of all segments, and the files of what they were answered."""
    trains, answering = run.settings.retrain.train, answering_of(run)
    items = list(outlook.untouched()) if trains else looked_at(outlook)
    with (
        engine_for(engine_of(run)) as engine,
        AnswerFiles(run) as files,
        progress_bar(run.console, "night", None) as advance,
    ):
        for batch in night(asked, outlook, answering, engine):
            items += batch.retrained
            files.write(batch.answered)
            advance(f"{len(files.answered):,} segments")
    return by_segment(items), files
