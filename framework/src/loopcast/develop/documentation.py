"""The generated documentation of a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopcast.api import Dataset, Evaluation, GateResult, LogicalModel

ALTERNATIVE_FILE = "alternative.txt"
"""What the version is labelled as, in bundles of alternatives beside unconstrained versions."""

PREPARATION_FILE = "row_preparation.json"
"""What training rows have passed, in sentences; in bundles of versions whose rows have."""


def document(
    logical_model: LogicalModel,
    *,
    template: str,
    summary: str,
    hyperparameters: Mapping[str, object],
    datasets: Sequence[Dataset],
    evaluations: tuple[Evaluation, ...],
    gates: tuple[GateResult, ...],
    preparation: Sequence[str] = (),
    calibration: str = "",
) -> bytes:
    """Return Markdown that says what a version is for, what it is made of and how it did.

    Parameters
    ----------
    preparation
        What training rows have passed, and what that assumes, in sentences.
    calibration
        How the probabilities of a score are calibrated; empty where they are not.
    """
    metrics = [metric.name for metric in evaluations[0].metrics if not metric.subset]
    lines = [
        f"# {logical_model.title}",
        "",
        logical_model.purpose,
        "",
        f"- Owner: {logical_model.owner}",
        *_stated("Assumptions", logical_model.assumptions),
        *_stated("Limits", logical_model.limits),
        f"- Template: {template}, {summary}",
        f"- Training data: {_described(datasets[0], logical_model)}",
        *(f"- Judged on: {_described(dataset, logical_model)}" for dataset in datasets[1:]),
        *([f"- Calibration: {calibration}"] if calibration else []),
        "",
        *_section("What training rows have passed", preparation),
        "## Hyperparameters",
        "",
        *(f"- {name}: {value}" for name, value in hyperparameters.items()),
        "",
        "## Evaluation",
        "",
        f"{evaluations[0].protocol}.",
        "",
        f"| contender | {' | '.join(metrics)} |",
        f"|---|{'---|' * len(metrics)}",
        *(_row(evaluation, metrics) for evaluation in evaluations),
        "",
        *_section("Gates of the training", [_gate(gate) for gate in gates]),
    ]
    return "\n".join(lines).encode()


def _stated(what: str, statements: tuple[str, ...]) -> list[str]:
    return [f"- {what}: {' '.join(statements)}"] if statements else []


def _section(title: str, sentences: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *(f"- {one}" for one in sentences), ""] if sentences else []


def _gate(gate: GateResult) -> str:
    how = "passed" if gate.passed else "failed"
    return f"{gate.gate}: {how} (expected {gate.expectation}; measured {gate.measured})"


def _described(dataset: Dataset, logical_model: LogicalModel) -> str:
    what = "values" if logical_model.task == "forecast" else "rows"
    imputed = f", {dataset.imputed} imputed" if dataset.imputed else ""
    span = "" if dataset.start is None else f" from {dataset.start} to {dataset.end}"
    return (
        f"{dataset.name} ({dataset.origin}), {dataset.rows:,} {what}{span}{imputed}, "
        f"fingerprint {dataset.fingerprint}"
    )


def _row(evaluation: Evaluation, metrics: list[str]) -> str:
    values = [evaluation.value(name) for name in metrics]
    shown = ["–" if value is None else f"{value:.4g}" for value in values]
    return f"| {evaluation.contender} | {' | '.join(shown)} |"
