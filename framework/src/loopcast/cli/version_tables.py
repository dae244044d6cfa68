"""Versions as tables in the terminal; imported when a command prints one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loopcast.api import Dataset, Evaluation, GateResult, Manifest, Release, Stage, Version
from loopcast.store.catalog import VersionSummary
from loopcast.store.comparison import Comparison

_PIPE_WIDTH = 200  # columns where output goes to a file or another program


@dataclass(frozen=True, kw_only=True)
class Details:
    """Everything about one version."""

    version: Version
    stage: Stage
    manifest: Manifest
    evaluations: tuple[Evaluation, ...]
    baselines: tuple[Evaluation, ...]
    gates: tuple[GateResult, ...]
    history: tuple[Release, ...]


def list_record(found: Sequence[VersionSummary]) -> list[dict[str, Any]]:
    """Return a list of versions as plain data."""
    return [
        msgspec.structs.asdict(item.version)
        | {"stage": item.stage, "dataset_name": item.dataset, "metrics": dict(item.metrics)}
        for item in found
    ]


def print_list(
    found: Sequence[VersionSummary],
    kpis: Mapping[str, str],
    metrics: Sequence[str],
    *,
    offset: int,
    total: int,
) -> None:
    """Print a page of versions, each with the KPI of its logical model or the named metrics."""
    console = _console()
    if not found:
        console.print(f"no version matches ({total} without --offset)" if offset else "no version")
        return
    table = _table("version", "created", "logical model", "template", "dataset", "stage")
    for metric in metrics or ["KPI"]:
        table.add_column(metric, justify="right", no_wrap=True)
    for item in found:
        wanted = metrics or [kpis.get(item.version.logical_model, "")]
        values = [_number(item.metrics.get(metric)) for metric in wanted]
        if not metrics:
            values = [f"{wanted[0]} {values[0]}"]
        table.add_row(*_summary_cells(item), *values)
    console.print(table)
    console.print(f"{offset + 1} to {offset + len(found)} of {total}, the newest first")


def _summary_cells(item: VersionSummary) -> list[str]:
    version = item.version
    return [
        version.id,
        _minute(version.created),
        _place(version),
        version.template,
        item.dataset,
        item.stage,
    ]


def print_details(details: Details) -> None:
    """Print everything about one version."""
    console = _console()
    manifest = details.manifest
    _print_pairs(console, f"version {details.version.id}", _identity(details))
    _print_pairs(console, "hyperparameters", _encoded(manifest.hyperparameters))
    columns = ["name", "fingerprint", "rows", "from", "to", "imputed", "origin"]
    _print_rows(console, "datasets", columns, map(_dataset_cells, manifest.datasets))
    for evaluation in details.evaluations:
        _print_evaluation(console, evaluation, details.baselines)
    columns = ["gate", "result", "expectation", "measured"]
    _print_rows(console, "gates", columns, map(_gate_cells, details.gates))
    columns = ["stage", "since", "until", "by", "reason"]
    _print_rows(console, "history", columns, map(_history_cells, details.history))
    columns = ["name", "bytes", "sha256"]
    files = sorted(manifest.files.items())
    _print_rows(console, "files", columns, ([name, f"{f.size:,}", f.sha256] for name, f in files))
    _print_pairs(console, "environment", manifest.environment)


def _dataset_cells(data: Dataset) -> list[str]:
    return [
        data.name,
        data.fingerprint[:12],
        f"{data.rows:,}",
        _minute(data.start),
        _minute(data.end),
        f"{data.imputed:,}",
        data.origin,
    ]


def _gate_cells(gate: GateResult) -> list[str]:
    return [gate.gate, "passed" if gate.passed else "failed", gate.expectation, gate.measured]


def _history_cells(entry: Release) -> list[str]:
    return [entry.stage, _minute(entry.since), _minute(entry.until), entry.by, entry.reason]


def _identity(details: Details) -> dict[str, str]:
    version, manifest = details.version, details.manifest
    plugin = manifest.plugin
    return {
        "logical model": _place(version),
        "template": f"{version.template} ({plugin.package} {plugin.package_version})",
        "stage": details.stage,
        "created": _minute(version.created),
        "seed": str(manifest.seed),
        "recipe": version.recipe,
        "manifest": version.manifest,
    }


def _encoded(values: Mapping[str, object]) -> dict[str, str]:
    return {name: msgspec.json.encode(value).decode() for name, value in values.items()}


def _print_evaluation(
    console: Console, evaluation: Evaluation, baselines: Sequence[Evaluation]
) -> None:
    """Print a version's metrics beside those of the baselines that were judged alike."""
    alike = [
        other
        for other in baselines
        if (other.dataset, other.protocol) == (evaluation.dataset, evaluation.protocol)
    ]
    contenders = [evaluation, *alike]
    _print_rows(
        console,
        f"evaluation on {evaluation.dataset[:12]}, {evaluation.protocol}",
        ["metric", "subset", *(contender.contender for contender in contenders)],
        (
            [
                metric.name,
                metric.subset,
                *(_number(contender.value(metric.name, metric.subset)) for contender in contenders),
            ]
            for metric in evaluation.metrics
        ),
        numbers_from=2,
    )


def print_comparisons(first: Version, second: Version, found: Sequence[Comparison]) -> None:
    """Print the metrics of two versions side by side."""
    console = _console()
    for comparison in found:
        _print_rows(
            console,
            f"on {comparison.dataset[:12]}, {comparison.protocol}",
            ["metric", "subset", first.id, second.id, "difference"],
            (
                [
                    item.metric,
                    item.subset,
                    _number(item.first),
                    _number(item.second),
                    _number(item.difference, sign="+"),
                ]
                for item in comparison.differences
            ),
            numbers_from=2,
        )


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"version", "metric"})
    return table


def _print_rows(
    console: Console,
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers_from: int | None = None,
) -> None:
    """Print a titled table, or nothing where there are no rows."""
    table = _table(*columns)
    for column in table.columns[numbers_from:] if numbers_from is not None else ():
        column.justify = "right"
    for row in rows:
        table.add_row(*map(Text, row))
    if table.row_count:
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)


def _print_pairs(console: Console, title: str, pairs: Mapping[str, str]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in pairs.items():
        table.add_row(Text(name), Text(value))
    if pairs:
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)


def _place(version: Version) -> str:
    return (
        f"{version.logical_model}/{version.segment}" if version.segment else version.logical_model
    )


def _minute(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z" if moment else ""


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign},.5g}"
