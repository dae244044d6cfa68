"""Versions as tables in the terminal; imported when a command prints one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.console import Console

from loopcast.api import (
    Dataset,
    Evaluation,
    GateResult,
    Manifest,
    Release,
    SignOff,
    Stage,
    Validation,
    Version,
)
from loopcast.cli.tables import (
    minute,
    number,
    place_of,
    print_pairs,
    print_rows,
    table_of,
    terminal,
)
from loopcast.store.catalog import VersionSummary


@dataclass(frozen=True, kw_only=True)
class Details:
    """Everything about one version."""

    version: Version
    stage: Stage
    manifest: Manifest
    evaluations: tuple[Evaluation, ...]
    baselines: tuple[Evaluation, ...]
    gates: tuple[GateResult, ...]
    validations: tuple[Validation, ...]
    sign_offs: tuple[SignOff, ...]
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
    console = terminal()
    if not found:
        console.print(f"no version matches ({total} without --offset)" if offset else "no version")
        return
    table = table_of("version", "created", "logical model", "template", "dataset", "stage")
    for metric in metrics or ["KPI"]:
        table.add_column(metric, justify="right", no_wrap=True)
    for item in found:
        wanted = metrics or [kpis.get(item.version.logical_model, "")]
        values = [number(item.metrics.get(metric)) for metric in wanted]
        if not metrics:
            values = [f"{wanted[0]} {values[0]}"]
        table.add_row(*_summary_cells(item), *values)
    console.print(table)
    console.print(f"{offset + 1} to {offset + len(found)} of {total}, the newest first")


def _summary_cells(item: VersionSummary) -> list[str]:
    version = item.version
    return [
        version.id,
        minute(version.created),
        place_of(version),
        version.template,
        item.dataset,
        item.stage,
    ]


def print_details(details: Details) -> None:
    """Print everything about one version."""
    console = terminal()
    manifest = details.manifest
    print_pairs(console, f"version {details.version.id}", _identity(details))
    print_pairs(console, "hyperparameters", _encoded(manifest.hyperparameters))
    columns = ["name", "fingerprint", "rows", "from", "to", "imputed", "origin"]
    print_rows(console, "datasets", columns, map(_dataset_cells, manifest.datasets))
    for evaluation in details.evaluations:
        _print_evaluation(console, evaluation, details.baselines)
    columns = ["gate", "test", "result", "expectation", "measured"]
    print_rows(console, "gates of its training", columns, map(_gate_cells, details.gates))
    for validation in details.validations[-1:]:
        title = f"validation of {minute(validation.at)} by {validation.by}"
        print_rows(console, title, columns, map(_gate_cells, validation.results))
    columns = ["may be", "role", "at", "by", "statement"]
    print_rows(console, "sign-offs", columns, map(_sign_off_cells, details.sign_offs))
    columns = ["stage", "since", "until", "by", "reason"]
    print_rows(console, "history", columns, map(_history_cells, details.history))
    columns = ["name", "bytes", "sha256"]
    files = sorted(manifest.files.items())
    print_rows(console, "files", columns, ([name, f"{f.size:,}", f.sha256] for name, f in files))
    print_pairs(console, "environment", manifest.environment)


def _dataset_cells(data: Dataset) -> list[str]:
    return [
        data.name,
        data.fingerprint[:12],
        f"{data.rows:,}",
        minute(data.start),
        minute(data.end),
        f"{data.imputed:,}",
        data.origin,
    ]


def _gate_cells(gate: GateResult) -> list[str]:
    result = "passed" if gate.passed else "failed"
    return [gate.gate, gate.test, result, gate.expectation, gate.measured]


def _sign_off_cells(item: SignOff) -> list[str]:
    return [item.move, item.role, minute(item.at), item.by, item.statement]


def _history_cells(entry: Release) -> list[str]:
    return [entry.stage, minute(entry.since), minute(entry.until), entry.by, entry.reason]


def _identity(details: Details) -> dict[str, str]:
    version, manifest = details.version, details.manifest
    plugin = manifest.plugin
    return {
        "logical model": place_of(version),
        "template": f"{version.template} ({plugin.package} {plugin.package_version})",
        "stage": details.stage,
        "created": minute(version.created),
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
    print_rows(
        console,
        f"evaluation on {evaluation.dataset[:12]}, {evaluation.protocol}",
        ["metric", "subset", *(contender.contender for contender in contenders)],
        (
            [
                metric.name,
                metric.subset,
                *(number(contender.value(metric.name, metric.subset)) for contender in contenders),
            ]
            for metric in evaluation.metrics
        ),
        numbers_from=2,
    )
