"""The first gate of every version: it beats the baselines it was trained beside."""

from __future__ import annotations

from collections.abc import Sequence

from loopcast.api import Evaluation, GateResult, Kpi


def beats_baselines(
    evaluations: Sequence[Evaluation], kpi: Kpi, baselines: Sequence[str]
) -> tuple[GateResult, ...]:
    """Check that the first contender beats each baseline on the key metric."""
    own = evaluations[0].value(kpi.metric)
    by_label = {evaluation.contender: evaluation for evaluation in evaluations}
    results = []
    for label in baselines:
        other = by_label[label].value(kpi.metric)
        passed = own is not None and other is not None and kpi.better(own, other)
        results.append(
            GateResult(
                gate=f"beats_{label}",
                passed=passed,
                expectation=f"{kpi.metric} {kpi.direction} than {label}'s {_shown(other)}"
                + (f" by more than {kpi.minimum_effect:g}" if kpi.minimum_effect else ""),
                measured=f"{kpi.metric} {_shown(own)}",
            )
        )
    return tuple(results)


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
