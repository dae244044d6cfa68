"""The first gate of every version: it beats the baselines it was trained beside."""

from __future__ import annotations

from collections.abc import Sequence

from loopcast.api import Evaluation, GateResult, Kpi

UNDEFINED = "undefined on the judged rows; choose a kpi.metric that is defined on each of them"

NO_VALUE = "(it has none: name a baseline that has one, or another kpi.metric)"


def beats_baselines(
    evaluations: Sequence[Evaluation], kpi: Kpi, baselines: Sequence[str], *, same: str = ""
) -> tuple[GateResult, ...]:
    """Check that the first contender beats each baseline on the key metric.

    Parameters
    ----------
    same
        Label of the baseline as which the contender answers, which has to be as good as that.
    """
    own = evaluations[0].value(kpi.metric)
    by_label = {evaluation.contender: evaluation for evaluation in evaluations}
    results = []
    for label in baselines:
        other = by_label[label].value(kpi.metric)
        as_good = own is not None and own == other
        margin = f" by more than {kpi.minimum_effect:g}" if kpi.minimum_effect else ""
        theirs = _shown(other) if other is not None or own is None else NO_VALUE
        asked = f"{kpi.direction} than {label}'s {theirs}{margin}"
        results.append(
            GateResult(
                gate=f"beats_{label}",
                passed=as_good if label == same else better(own, other, kpi),
                expectation=f"{kpi.metric} {f'as {label} has it' if label == same else asked}",
                measured=f"{kpi.metric} {UNDEFINED if own is None else _shown(own)}",
            )
        )
    return tuple(results)


def better(own: float | None, other: float | None, kpi: Kpi) -> bool:
    """Tell whether both values are known, and the first is better by more than the minimum."""
    return own is not None and other is not None and kpi.better(own, other)


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
