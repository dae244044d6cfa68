"""From measurements to alerts: what is worth telling somebody, and what could be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from loopcast.api import Alert, Drift, LogicalModel, Remedy, Severity

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("input_drift", "output_drift", "performance", "volume", "latency")
"""What is looked for."""

CHANCE = 1e-4
"""The rate of false alarms of a day's volume or latency."""

PERFORMANCE_CHANCE = 0.01
LEAST_CHANGE = 0.1

FEWEST_DAYS = 7

_WORDS = {
    "ks": "its distribution has moved by {value:.2f} (Kolmogorov–Smirnov)",
    "jensen_shannon": "its categories have moved by {value:.2f} (Jensen–Shannon)",
    "missing": "{value:.1%} more of its values are missing",
    "outside": "{value:.1%} of its values are none that the training had",
}


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How the KPI has moved since the contest of the version.

    Attributes
    ----------
    version
        Whose contest it was.
    p_value
        Of the hypothesis that it has not.
    """

    version: str
    then: float
    now: float
    p_value: float | None


def of_drift(drifts: Iterable[Drift], at: datetime) -> list[Alert]:
    """Return an alert for each input and output that has drifted, by its strongest measure."""
    strongest: dict[tuple[str, str], Drift] = {}
    for drift in drifts:
        key = (drift.of, drift.subject)
        if drift.exceeded and (key not in strongest or _excess(drift) > _excess(strongest[key])):
            strongest[key] = drift
    return [_drifted(drift, at) for drift in strongest.values()]


def _excess(drift: Drift) -> float:
    return drift.value / drift.threshold


def _drifted(drift: Drift, at: datetime) -> Alert:
    severity: Severity = "critical" if _excess(drift) >= 3.0 else "warning"
    remedy: Remedy = "drop_feature" if drift.measure == "missing" else "retrain"
    what = "input" if drift.of == "input" else "output"
    return Alert(
        logical_model=drift.logical_model,
        segment=drift.segment,
        version=drift.version,
        kind=f"{what}_drift",
        subject=drift.subject,
        severity=severity,
        cause=f"{what} {drift.subject}: {_WORDS[drift.measure].format(value=drift.value)}",
        remedy=remedy,
        raised=at,
        seen=at,
        evidence={
            drift.measure: drift.value,
            "threshold": drift.threshold,
            "p_value": drift.p_value,
            "since": drift.start.isoformat(),
            "until": drift.end.isoformat(),
        },
    )


def of_volume(
    logical_model: str,
    segment: str,
    days: pd.DatetimeIndex,
    counts: NDArray[np.int64],
    latency: NDArray[np.float64],
    *,
    at: datetime,
) -> Iterator[Alert]:
    """Yield an alert for the last day's volume or latency, where it is unusual."""
    if not len(days):
        return
    last = f"{days[-1]:%Y-%m-%d}"
    if unusual_days(counts)[-1]:
        usual = float(np.median(counts[:-1]))
        yield Alert(
            logical_model=logical_model,
            segment=segment,
            kind="volume",
            subject="",
            severity="critical" if counts[-1] == 0 else "warning",
            cause=f"{counts[-1]:,} predictions on {last}, where {usual:,.0f} are usual",
            remedy="look",
            raised=at,
            seen=at,
            evidence={"predictions": float(counts[-1]), "usual": usual},
        )
    known = latency[np.isfinite(latency)]
    if len(known) and np.isfinite(latency[-1]) and unusual_levels(known)[-1]:
        yield Alert(
            logical_model=logical_model,
            segment=segment,
            kind="latency",
            subject="",
            severity="warning",
            cause=f"5 % of the answers of {last} took longer than {latency[-1]:,.0f} ms",
            remedy="look",
            raised=at,
            seen=at,
            evidence={"p95_ms": float(latency[-1]), "usual_ms": float(np.median(known[:-1]))},
        )


def of_performance(
    model: LogicalModel, segment: str, moved: Moved | None, at: datetime
) -> Iterator[Alert]:
    """Yield an alert where the KPI is worse than in the contest, by more than matters.

    That is more than the KPI's minimum effect and a tenth of its value, and no chance.
    """
    if moved is None or moved.p_value is None or moved.p_value > PERFORMANCE_CHANCE:
        return
    worse = moved.now - moved.then if model.kpi.direction == "lower" else moved.then - moved.now
    least = max(model.kpi.minimum_effect, LEAST_CHANGE * abs(moved.then))
    if worse <= least:
        return
    yield Alert(
        logical_model=model.name,
        segment=segment,
        version=moved.version,
        kind="performance",
        subject=model.kpi.metric,
        severity="critical" if worse > 3.0 * least else "warning",
        cause=f"{model.kpi.metric} is {moved.now:.4g}, and was {moved.then:.4g} when judged",
        remedy="retrain",
        raised=at,
        seen=at,
        evidence={"now": moved.now, "then": moved.then, "p_value": moved.p_value},
    )


def unusual_days(counts: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which days had far more or fewer events than the days before them.

    The count of a day is compared with the median of those before it, as a Poisson number whose
    variance is what these days show. A day is judged from the eighth on.
    """
    found = np.zeros(len(counts), dtype=bool)
    values = np.asarray(counts, dtype=np.float64)
    for day in range(FEWEST_DAYS, len(values)):
        before = values[:day][~found[:day]]
        usual = float(np.median(before))
        spread = max(float(np.var(before)) / max(usual, 1.0), 1.0)
        low, high = (
            spread * poisson.ppf(share, max(usual, 1e-9) / spread) for share in (CHANCE, 1 - CHANCE)
        )
        found[day] = bool(values[day] < low or values[day] > high)
    return found


def unusual_levels(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which days were far above the days before them, on a logarithmic scale."""
    found = np.zeros(len(values), dtype=bool)
    logs = np.log(np.maximum(np.asarray(values, dtype=np.float64), 1e-3))
    for day in range(FEWEST_DAYS, len(logs)):
        before = logs[:day][~found[:day]]
        spread = max(1.4826 * float(np.median(np.abs(before - np.median(before)))), 0.1)
        found[day] = bool(logs[day] > np.median(before) + 4.0 * spread)
    return found
