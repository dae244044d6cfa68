"""What a run shows on the terminal while it works, and when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from loopcast.api import Evaluation, MetricDefinition
    from loopcast.develop.forecast.dataset import KnownForecast
    from loopcast.iterate.train import TrainedVersion
    from loopcast.serve.batch import BatchForecast


MOST_COLUMNS = 6
"""Metrics that are shown side by side."""

SHARES = ("coverage", "granted", "set_coverage", "set_decided")
"""Metrics of which more is not better."""


@contextmanager
def progress_bar(
    console: Console, title: str, total: int | None
) -> Iterator[Callable[[str], None]]:
    """Show a bar while work goes on; yield what is to be called after each piece.

    Parameters
    ----------
    total
        Number of pieces; ``None`` where nobody knows.
    """
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total)

        def advance(label: str) -> None:
            bar.update(task, advance=1, description=f"{title}: {label}")
            done = int(bar.tasks[0].completed)
            if total is not None and not console.is_terminal and _worth_a_line(done, total):
                console.print(f"  {title}: {done} of {total} ({label})")

        yield advance


def _worth_a_line(done: int, total: int) -> bool:
    """Tell whether a tenth of the work has just been finished, or the first piece."""
    return done == 1 or done * 10 // total > (done - 1) * 10 // total


def comparison_table(
    evaluations: tuple[Evaluation, ...], metrics: tuple[MetricDefinition, ...], unit: str = ""
) -> Table:
    """Return the version against its baselines, the best value of each metric in bold.

    Metrics are columns, or rows where they are many; those that nobody has are left out.
    """
    from loopcast.develop.metrics import known_of

    metrics = known_of(metrics, evaluations)
    with_unit = {"rmse", "mae", "pinball"} if unit else set()
    titles = [f"{m.title}, {unit}" if m.name in with_unit else m.title for m in metrics]
    labels = [evaluation.contender for evaluation in evaluations]
    columns = [_cells(evaluations, metric) for metric in metrics]
    rows = list(zip(*columns, strict=True))
    if len(metrics) > MOST_COLUMNS:
        titles, labels, rows = labels, titles, columns
    table = Table(title="Model against baselines", title_justify="left")
    table.add_column("metric" if len(metrics) > MOST_COLUMNS else "contender")
    for title in titles:
        table.add_column(title, justify="right")
    for label, cells in zip(labels, rows, strict=True):
        table.add_row(label, *cells)
    return table


def _cells(evaluations: tuple[Evaluation, ...], metric: MetricDefinition) -> tuple[Text, ...]:
    """Return a metric of each contender in words, the best in bold."""
    best, values = _best(evaluations, metric), [e.value(metric.name) for e in evaluations]
    shown = [(_shown(metric.name, value), value is not None and value == best) for value in values]
    return tuple(Text(text, style="bold" if marked else "") for text, marked in shown)


def _best(evaluations: tuple[Evaluation, ...], metric: MetricDefinition) -> float | None:
    """Return the best value; shares have none, since more is not better."""
    values = [v for e in evaluations if (v := e.value(metric.name)) is not None]
    if metric.name in SHARES or not values:
        return None
    return min(values) if metric.direction == "lower" else max(values)


def _shown(metric: str, value: float | None) -> str:
    if value is None:
        return "–"
    if metric == "coverage":
        return f"{100 * value:.1f} %"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.4f}"


def result_lines(run_dir: Path, seconds: Mapping[str, float], *files: str) -> list[str]:
    """Say where the results are, which files to look at, and how long each stage took."""
    took = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    named = [f"            {', '.join(files)}"] if files else []
    return [f"  results   {run_dir}", *named, f"  took      {took}"]


def data_line(known: KnownForecast) -> str:
    """Say what was read, and from where on it is forecast."""
    dataset, last = known.dataset, known.data.times[-1]
    imputed = f", {dataset.imputed} imputed" if dataset.imputed else ""
    later = (
        f"; actuals go on until {last}, but a later origin needs a whole day of them, and "
        "covariates over its horizon"
    )
    return (
        f"  data      {dataset.name}: {dataset.rows:,} values until {known.training.times[-1]}"
        f"{imputed}\n  origin    {known.origin:%A %Y-%m-%d} ({known.origin.tz})"
        f"{later if last >= known.origin else ''}"
    )


def fallback_line(batch: BatchForecast) -> str:
    """Say how many series the fallback forecasts, and why the first."""
    name, reason = next(iter(batch.stand_ins.items()))
    return (
        f"  fallback  {len(batch.stand_ins):,} of {batch.table['series'].nunique():,} series have "
        f"no model and are forecast by the fallback, the first {name}: {reason}"
    )


def version_line(trained: TrainedVersion, job: str) -> str:
    """Say which version forecasts, and how it was come by."""
    how = "trained now" if trained.fresh else "found, trained before on the same data"
    if job in ("serve", "night"):
        how = "released"
    if trained.repeated:
        how = "trained again, identical to the registered version"
    return (
        f"  version   {trained.version.id} of {trained.version.template}, {how}; "
        f"stage: {trained.stage}"
    )
