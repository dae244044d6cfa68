"""The job ``retrain``: train again what is due, and say what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from rich.table import Table

from loopcast.cli.answer_results import write_summary
from loopcast.cli.context import Run, Stopwatch
from loopcast.cli.progress import progress_bar, result_lines
from loopcast.develop.engine import engine_for
from loopcast.iterate.retrain.report import (
    RETRAINED,
    Result,
    Retrained,
    commands,
    counts,
    reasons,
    undone,
)
from loopcast.iterate.retrain.round import Asked, Outlook, Progress, begin, look_ahead, retrain
from loopcast.store.files import write_atomically
from loopcast.web.retrain.page import render

if TYPE_CHECKING:
    from loopcast.develop.source import Batch

RETRAINING = "retraining.html"
"""The page of a round."""

SHOWN = 3
"""Reasons that the terminal names for each result; the page names more, the summary all."""

_ALONE: Sequence[Result] = (*RETRAINED, "kept", "failed", "due")
"""Results whose reason is worth a line for each segment, where there are few."""
FEW = 5


def execute_retraining(run: Run) -> None:
    """Decide for every segment, train what is due, and write what people and systems read.

    Raises
    ------
    ConfigurationError
        Where a remedy was asked for that the task or the configuration does not have.
    """
    watch = Stopwatch()
    with retraining(run, watch) as told:
        write_summary(run, told | {"seconds": watch.seconds})
    for line in result_lines(run.folder, watch.seconds, "summary.json", RETRAINING):
        run.console.print(line, soft_wrap=True)


@contextmanager
def retraining(run: Run, watch: Stopwatch) -> Iterator[dict[str, Any]]:
    """Decide for every segment, train what is due, write the page, and give what was done.

    The round is forgotten when that has been written: what is killed before is told by the next
    call with the same settings.

    Raises
    ------
    ConfigurationError
        As :func:`execute_retraining`.
    """
    asked = asked_of(run, list(run.source.batches()))
    outlook = decide(run, asked, watch)
    trains = run.settings.retrain.train
    with watch.stage("train"):
        progress = begin(asked, outlook) if trains else None
        found = _train(run, asked, outlook, progress) if trains else looked_at(outlook)
    items = by_segment(found)
    told = tell(run, items)
    write_retraining_page(run, items, watch.seconds)
    yield told
    if progress is not None:
        progress.finish()


def asked_of(run: Run, batches: Sequence[Batch]) -> Asked:
    """Return what a round of retraining works with."""
    return Asked(
        settings=run.settings,
        batches=batches,
        home=run.home,
        rules=run.rules,
        moment=run.moment,
    )


def decide(run: Run, asked: Asked, watch: Stopwatch) -> Outlook:
    """Decide for every segment, and say how many are due."""
    with watch.stage("decide"):
        outlook = look_ahead(asked)
    run.console.print(f"  data      {run.settings.data.name}: {run.source.text}", soft_wrap=True)
    run.console.print(_outlook_line(outlook, asked), soft_wrap=True)
    return outlook


def _outlook_line(outlook: Outlook, asked: Asked) -> str:
    again = ""
    if outlook.round is not None:
        verb = "is" if len(outlook.done) == 1 else "are"
        again = (
            f"; going on with the round of {outlook.round.moment:%Y-%m-%d %H:%M}Z, of which "
            f"{len(outlook.done):,} {verb} done"
        )
    return (
        f"  due       {len(outlook.due):,} of {len(outlook.decisions):,} segments on "
        f"{asked.moment:%Y-%m-%d}{again}"
    )


def _train(run: Run, asked: Asked, outlook: Outlook, progress: Progress | None) -> list[Retrained]:
    with (
        engine_for(run.settings.engine, run.modules) as engine,
        progress_bar(run.console, "training", None) as advance,
    ):
        found = retrain(
            asked, outlook, progress, engine, advance=lambda count: advance(f"{count} segments")
        )
        return list(found)


def looked_at(outlook: Outlook) -> list[Retrained]:
    """Return what is said of all segments where nothing is trained."""
    return [undone(decision) for decision in outlook.decisions.values()]


def by_segment(items: Iterable[Retrained]) -> list[Retrained]:
    """Return what became of segments in the order of their names."""
    return sorted(items, key=lambda item: item.segment)


def tell(run: Run, items: Sequence[Retrained]) -> dict[str, Any]:
    """Say on the terminal what became of segments, and return what the summary says of it."""
    todo = _commands(run, items)
    _show(run, items, todo)
    return {
        "logical_model": run.name,
        "moment": run.moment.isoformat(),
        "trained_now": any(item.result in RETRAINED for item in items),
        "retraining": {
            "counts": counts(items),
            "commands": list(todo),
            "segments": [msgspec.to_builtins(item) for item in items],
        },
        "settings": msgspec.to_builtins(run.settings.retrain),
    }


def _commands(run: Run, items: Sequence[Retrained]) -> tuple[str, ...]:
    """Return what a person types to release what is proposed."""
    return commands(run.settings.policy.row(run.settings.logical_model), items)


def _show(run: Run, items: Sequence[Retrained], todo: Sequence[str]) -> None:
    found = counts(items)
    said = ", ".join(
        f"{n:,} {name.removesuffix('s') if n == 1 else name}" for name, n in found.items() if n
    )
    run.console.print(f"  segments  {len(items):,}: {said or 'none'}", soft_wrap=True)
    if len(items) <= FEW:
        for item in items:
            _show_one(run, item)
    else:
        _show_reasons(run, items)
    if todo:
        run.console.print("  proposed  a person decides:")
        for line in todo:
            run.console.print(f"            {line}", soft_wrap=True)


def _show_one(run: Run, item: Retrained) -> None:
    name = f"{item.segment}: " if item.segment else ""
    run.console.print(f"  why       {name}{item.why}", soft_wrap=True)
    if item.result in _ALONE:
        version = f" {item.version}" if item.version else ""
        reason = f": {item.reason}" if item.reason else ""
        how = f" by {item.remedy.replace('_', ' ')}" if item.remedy else ""
        run.console.print(f"  result    {item.result}{version}{how}{reason}", soft_wrap=True)


def _show_reasons(run: Run, items: Sequence[Retrained]) -> None:
    table = Table(title="Why", title_justify="left")
    for title in ("segments", "result", "why"):
        table.add_column(title, justify="right" if title == "segments" else "left")
    for result in get_args(Result):
        for found in reasons(items, result=result)[:SHOWN]:
            table.add_row(f"{len(found.segments):,}", result, found.reason)
    run.console.print(table)


def write_retraining_page(
    run: Run, items: Sequence[Retrained], seconds: Mapping[str, float]
) -> None:
    """Write the page of a round."""
    page = render(run.settings.logical_model, items, run.moment, _commands(run, items), seconds)
    write_atomically(run.folder / RETRAINING, page.encode())
