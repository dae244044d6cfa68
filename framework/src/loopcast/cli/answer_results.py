"""What the answers of a run over segments become: files, a page, what consumers read, and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
from rich.table import Table

from loopcast.api import ForecastSchema, GateError, RankSchema
from loopcast.serve.answer_files import AnswerFile
from loopcast.serve.answered import Answered
from loopcast.serve.decision import decision_line, total_decisions
from loopcast.serve.family import Answering
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
    from loopcast.api import Task
    from loopcast.cli.context import Run
    from loopcast.serve.answered import AnsweredBatch

SHOWN = 10
"""Segments that the terminal names; the summary names all."""

PAGE = "report.html"
"""Of what was answered."""

ANSWER_FILES: dict[Task, str] = {
    "forecast": "forecast.parquet",
    "score": "scores.parquet",
    "rank": "rankings.parquet",
}


def answering_of(run: Run) -> Answering:
    """Return how the segments of a run are answered."""
    return Answering(
        course=run.course,
        home=run.home,
        plugins=run.plugins,
        made=run.moment,
        day=run.settings.job.origin,
        rules=_rules(run),
        table=run.settings.job.lists_as_table,
    )


def _rules(run: Run) -> RuleBook | None:
    """Read the rules over ranked lists as they are now."""
    chosen = run.settings.rules
    return None if chosen is None else current_rules(chosen, run.plugins, Path.cwd())


class AnswerFiles:
    """The files of what a run answers, which grow by batches and appear whole with the last one.

    Events of a batch are logged when it is written.

    Attributes
    ----------
    answered
        What is said of each segment.
    """

    def __init__(self, run: Run) -> None:
        self.answered: list[Answered] = []
        self._run = run
        self._seen: list[Overview] = []

    def __enter__(self) -> Self:
        model, folder = self._run.settings.logical_model, self._run.folder
        files = (ANSWER_FILES[model.task], WORK_LIST, RULES_FILE)
        with ExitStack() as opened:  # what is open is closed again where another cannot be
            self._answers, self._for_people, self._ruled = (
                opened.enter_context(AnswerFile(folder / name, _metadata(self._run)))
                for name in files
            )
            # What a ranking is looked up in; other tasks have none.
            lists = ListFile(folder / LISTS) if isinstance(model.schema, RankSchema) else None
            self._lists = opened.enter_context(lists) if lists else None
            self._open = opened.pop_all()
        return self

    def write(self, batch: AnsweredBatch) -> None:
        """Add what the segments of a batch were answered."""
        written = batch.written
        self._answers.write(written.table)
        self._for_people.write(written.for_people)
        self._ruled.write(written.ruled)
        if self._lists and written.lists:
            self._lists.write(written.lists)
        if written.events is not None:
            self._run.home.record(written.events, self._run.settings.logical_model)
        self._seen += [written.seen] if written.seen else []
        self.answered += batch.segments

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    def require_rows(self) -> None:
        """Raise a ``GateError`` where nothing was answered."""
        if not any(item.rows for item in self.answered):
            reason = self.answered[0].reason if self.answered else "the table has no segment"
            raise GateError(f"nothing was answered: {reason}")

    def overview(self) -> Overview:
        """Return what all answers look like, of which there is at least one."""
        return all_of(self._seen)


def _metadata(run: Run) -> dict[str, str]:
    schema = run.settings.logical_model.schema
    unit = {"unit": schema.unit} if isinstance(schema, ForecastSchema) else {}
    return {"logical_model": run.name, **unit}


def engine_of(run: Run) -> EngineSettings:
    """Return the engine; one segment alone has nothing to share between processes."""
    if run.settings.data.table.segment is None and run.settings.engine.name == "local":
        return EngineSettings(name="local", workers=1)
    return run.settings.engine


def write_summary(run: Run, content: Mapping[str, Any]) -> None:
    """Write what systems read of a run."""
    encoded = msgspec.json.format(msgspec.json.encode(content), indent=2)
    write_atomically(run.folder / "summary.json", encoded)


def common_record(run: Run) -> dict[str, Any]:
    """Return what every summary says first."""
    return {
        "logical_model": run.name,
        "task": run.settings.logical_model.task,
        "template": run.settings.template.name,
        "data": {"name": run.settings.data.name, "origin": run.source.text},
        "seed": run.settings.seed,
    }


def answer_record(answered: Sequence[Answered]) -> dict[str, Any]:
    """Return what the summary says of all answers."""
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


def show_answers(run: Run, answered: Sequence[Answered]) -> None:
    """Say on the terminal how many were answered, what was done, and who was not answered."""
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
    show_reasons(run, "Not answered", [(item.segment, item.reason) for item in missing])


def show_reasons(run: Run, what: str, reasons: Sequence[tuple[str, str]]) -> None:
    """Show a table of segments that failed, if there are any, and what became of them."""
    if not reasons:
        return
    table = Table(title=f"{what} ({len(reasons)})", title_justify="left")
    table.add_column("segment")
    table.add_column("why")
    for segment, reason in reasons[:SHOWN]:
        table.add_row(segment, reason)
    run.console.print(table)
    if len(reasons) > SHOWN:
        run.console.print(f"  and {len(reasons) - SHOWN} more, all of them in summary.json")


def write_answers_page(run: Run, files: AnswerFiles, seconds: Mapping[str, float]) -> None:
    """Write the page of what was answered."""
    report = AnswersReport(
        logical_model=run.settings.logical_model,
        overview=files.overview(),
        source=run.source.text,
        moment=run.moment,
        reasons={item.segment: item.reason for item in files.answered if item.reason},
        seconds=seconds,
        rules=total_rules([item.about for item in files.answered]).get("rules", {}),
    )
    write_atomically(run.folder / PAGE, render(report).encode())


def publish_answers(run: Run) -> None:
    """Put what the released versions answered where consumers read it."""
    names = ["summary.json", PAGE]
    extra = (ANSWER_FILES[run.settings.logical_model.task], WORK_LIST, RULES_FILE, LISTS)
    names += [name for name in extra if (run.folder / name).exists()]
    publish(
        served_folder(run.home.folder, run.name),
        {name: run.folder / name for name in names},
        logical_model=run.name,
        made=run.moment,
    )
