"""From measurements to alerts: what is worth telling somebody, and what could be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from loopcast.api import Alert, Drift, LogicalModel, Remedy, Severity
from loopcast.monitor.traffic import Traffic

PERFORMANCE_CHANCE = 0.01
_WORDS = {
    "ks": "its distribution has moved by {value:.2f} (Kolmogorov–Smirnov)",
    "wasserstein": "its values have moved by {value:.2f} standard deviations (Wasserstein)",
    "mean_shift": "its mean has moved by {value:.2f} standard deviations",
    "jensen_shannon": "its categories have moved by {value:.2f} (Jensen–Shannon)",
    "psi": "its distribution has moved by {value:.2f} (population stability index)",
    "characteristic": "its move shifts the mean output by {value:.3g}",
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
    p_value: float


def of_drift(drifts: Sequence[Drift], at: datetime) -> list[Alert]:
    """Return an alert for each input and output that has drifted, by its strongest measure.

    A subpopulation speaks only where all rows together do not.
    """
    strongest: dict[tuple[str, ...], Drift] = {}
    whole = {(d.segment, d.of, d.subject) for d in drifts if d.exceeded and not d.subset}
    for drift in drifts:
        if drift.subset and (drift.segment, drift.of, drift.subject) in whole:
            continue
        key = (drift.segment, drift.of, drift.subject, drift.subset)
        if drift.exceeded and (key not in strongest or _excess(drift) > _excess(strongest[key])):
            strongest[key] = drift
    return [_drifted(drift, at) for drift in strongest.values()]


def _excess(drift: Drift) -> float:
    return drift.value / drift.threshold


def _drifted(drift: Drift, at: datetime) -> Alert:
    severity: Severity = "critical" if _excess(drift) >= 3.0 else "warning"
    remedy: Remedy = "drop_feature" if drift.measure == "missing" else "retrain"
    what = "input" if drift.of == "input" else "output"
    where = f" where {drift.subset}" if drift.subset else ""
    return Alert(
        logical_model=drift.logical_model,
        segment=drift.segment,
        version=drift.version,
        kind=f"{what}_drift",
        subject=f"{drift.subject}{where}",
        severity=severity,
        cause=f"{what} {drift.subject}{where}: {_WORDS[drift.measure].format(value=drift.value)}",
        remedy=remedy,
        raised=at,
        seen=at,
        evidence={
            what: drift.subject,
            drift.measure: drift.value,
            "threshold": drift.threshold,
            "p_value": drift.p_value,
            "since": drift.start.isoformat(),
            "until": drift.end.isoformat(),
        },
    )


def of_traffic(
    logical_model: str,
    segments: Sequence[str],
    found: Traffic,
    at: datetime,
    *,
    volume: float,
    latency: float,
) -> Iterator[Alert]:
    """Yield an alert for the last day's volume or latency of each segment, where it is unusual.

    Parameters
    ----------
    volume, latency
        The rate of false alarms of a day.
    """
    for place, segment in enumerate(segments):
        if found.p_volume[place] <= volume:
            yield _volume(logical_model, segment, found, place, at)
        if found.p_latency[place] <= latency:
            yield _latency(logical_model, segment, found, place, at)


def _volume(logical_model: str, segment: str, found: Traffic, place: int, at: datetime) -> Alert:
    count, usual = int(found.counts[place, -1]), float(found.usual[place])
    last = f"{found.days[-1]:%Y-%m-%d}"
    return Alert(
        logical_model=logical_model,
        segment=segment,
        kind="volume",
        subject="",
        severity="warning" if count else "critical",
        cause=f"{count:,} predictions on {last}, where {usual:,.0f} are usual",
        remedy="look",
        raised=at,
        seen=at,
        evidence={
            "predictions": float(count),
            "usual": usual,
            "p_value": float(found.p_volume[place]),
        },
    )


def _latency(logical_model: str, segment: str, found: Traffic, place: int, at: datetime) -> Alert:
    latency = found.latency[place]
    last = f"{found.days[-1]:%Y-%m-%d}"
    return Alert(
        logical_model=logical_model,
        segment=segment,
        kind="latency",
        subject="",
        severity="warning",
        cause=f"5 % of the answers of {last} took longer than {latency[-1]:,.0f} ms",
        remedy="look",
        raised=at,
        seen=at,
        evidence={"p95_ms": float(latency[-1]), "usual_ms": float(np.nanmedian(latency[:-1]))},
    )


def of_performance(
    model: LogicalModel,
    segment: str,
    moved: Moved | None,
    at: datetime,
    *,
    least_change: float,
) -> Iterator[Alert]:
    """Yield an alert where the KPI is worse than in the contest, by more than matters.

    That is more than the KPI's minimum effect and a share of its value, and no chance.

    Parameters
    ----------
    least_change
        This share.
    """
    if moved is None or moved.p_value > PERFORMANCE_CHANCE:
        return
    worse = moved.now - moved.then if model.kpi.direction == "lower" else moved.then - moved.now
    least = max(model.kpi.minimum_effect, least_change * abs(moved.then))
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
