"""Comparison of two versions: only where both were judged on the same data in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loopcast.api import Evaluation, NotFoundError


@dataclass(frozen=True)
class Difference:
    """One metric of two versions; ``difference`` is the second minus the first."""

    metric: str
    subset: str
    first: float | None
    second: float | None
    difference: float | None


@dataclass(frozen=True)
class Comparison:
    """Two versions on one dataset by one protocol.

    Attributes
    ----------
    dataset
        Fingerprint of the data.
    differences
        Of the metrics that were measured for both, in the first version's order.
    """

    dataset: str
    protocol: str
    differences: tuple[Difference, ...]


def compare(first: Sequence[Evaluation], second: Sequence[Evaluation]) -> tuple[Comparison, ...]:
    """Compare two versions by their evaluations.

    Raises
    ------
    NotFoundError
        When no evaluation of both has the same dataset and the same protocol.
    """
    others = {(evaluation.dataset, evaluation.protocol): evaluation for evaluation in second}
    pairs = [
        (evaluation, others[evaluation.dataset, evaluation.protocol])
        for evaluation in first
        if (evaluation.dataset, evaluation.protocol) in others
    ]
    if not pairs:
        raise NotFoundError(
            "the two versions cannot be compared, since they were never judged on the same dataset "
            f"in the same way: the first {_judged(first)}; the second {_judged(second)}"
        )
    return tuple(
        Comparison(one.dataset, one.protocol, _differences(one, two)) for one, two in pairs
    )


def only_by(comparison: Comparison, attribute: str | None) -> Comparison:
    """Keep the overall differences and those by one attribute."""
    kept = [
        difference
        for difference in comparison.differences
        if difference.subset.partition("=")[0] in {"", attribute}
    ]
    return replace(comparison, differences=tuple(kept))


def _judged(evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return "was never judged"
    ways = (f"{evaluation.dataset[:12]} ({evaluation.protocol})" for evaluation in evaluations)
    return "on " + " and ".join(ways)


def _differences(first: Evaluation, second: Evaluation) -> tuple[Difference, ...]:
    measured = {(metric.name, metric.subset) for metric in second.metrics}
    return tuple(
        _difference(metric.name, metric.subset, metric.value, second)
        for metric in first.metrics
        if (metric.name, metric.subset) in measured
    )


def _difference(metric: str, subset: str, value: float | None, second: Evaluation) -> Difference:
    other = second.value(metric, subset)
    change = other - value if value is not None and other is not None else None
    return Difference(metric, subset, value, other, change)
