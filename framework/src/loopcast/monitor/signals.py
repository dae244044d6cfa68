"""From what else is watched to alerts: intervals, missing predictions, bad days, resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from loopcast.api import Alert, Drift, Remedy, Severity
from loopcast.monitor.business import KpiCourse
from loopcast.monitor.calibration import Large
from loopcast.monitor.intervals import IntervalCoverage
from loopcast.monitor.missing import Missing
from loopcast.monitor.odd_keys import OddKeys
from loopcast.monitor.resources import Health
from loopcast.monitor.strange import Strange

if TYPE_CHECKING:
    from loopcast.monitor.classifier import Separation

CHANCE = 0.01
"""The rate of false alarms of the domain classifier."""

GIVING_AWAY = 3


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Of whom something was found, and when."""

    logical_model: str
    segment: str
    at: datetime
    version: str | None = None

    def alert(
        self,
        kind: str,
        subject: str,
        cause: str,
        *,
        evidence: dict[str, float | str | None],
        severity: Severity = "warning",
        remedy: Remedy = "look",
    ) -> Alert:
        """Return an alert about it."""
        return Alert(
            logical_model=self.logical_model,
            segment=self.segment,
            version=self.version,
            kind=kind,
            subject=subject,
            severity=severity,
            cause=cause,
            remedy=remedy,
            raised=self.at,
            seen=self.at,
            evidence=evidence,
        )


def of_separation(of: Subject, found: Separation | None, threshold: float) -> Iterator[Alert]:
    """Yield an alert where a classifier tells recent rows from the training's."""
    if found is None or found.auc < threshold or found.p_value > CHANCE:
        return
    names = ", ".join(name for name, fall in found.gives_away[:GIVING_AWAY] if fall > 0)
    yield of.alert(
        "separation",
        "",
        f"recent rows are told from the training's with an AUC of {found.auc:.2f}, by {names}",
        evidence={"auc": found.auc, "p_value": found.p_value, "by": names},
        remedy="retrain",
    )


def of_intervals(of: Subject, found: Iterable[IntervalCoverage], gap: float) -> Iterator[Alert]:
    """Yield an alert for each interval that does not hold what it promises."""
    for each in found:
        if each.broken(gap):
            yield of.alert(
                "coverage",
                f"{each.nominal:.0%}",
                f"the intervals of {each.nominal:.0%} held {each.realised:.1%} of "
                f"{each.outcomes:,} outcomes",
                evidence={
                    "nominal": each.nominal,
                    "realised": each.realised,
                    "p_value": each.p_value,
                },
                remedy="retrain",
            )


def of_calibration(of: Subject, found: Large | None, gap: float) -> Iterator[Alert]:
    """Yield an alert where more or fewer events happen than scores say."""
    if found is None or not found.broken(gap):
        return
    yield of.alert(
        "calibration",
        "",
        f"the event was said to happen in {found.said:.1%} of {found.outcomes:,} cases, and "
        f"happened in {found.happened:.1%}",
        evidence={"said": found.said, "happened": found.happened, "p_value": found.p_value},
        severity="critical" if found.gaps(gap) >= 3.0 else "warning",
        remedy="retrain",
    )


def of_missing(of: Subject, found: Missing, share: float) -> Iterator[Alert]:
    """Yield an alert where predictions of the last day are missing."""
    if found.share < share or not found.share:
        return
    last, gone = f"{found.days[-1]:%Y-%m-%d}", int(found.missing[-1])
    yield of.alert(
        "missing_predictions",
        "",
        f"{gone:,} of {int(found.expected[-1]):,} expected predictions of {last} are missing, "
        f"such as those of {', '.join(found.examples)}",
        evidence={"share": found.share, "missing": float(gone)},
        severity="critical" if found.share > 0.5 else "warning",
    )


def of_bad_day(
    of: Subject, day: datetime, drifts: Iterable[Drift], repeated: float, share: float
) -> Iterator[Alert]:
    """Yield an alert for what is wrong with the values of the last day.

    Parameters
    ----------
    drifts
        Of the last day alone: missing values, and values that the training never had. Of what
        has both, the one that more values have is told.
    repeated
        Share of its events that were logged more than once.
    """
    strongest = {drift.subject: drift for drift in sorted(drifts, key=lambda drift: drift.value)}
    for drift in strongest.values():
        what = "are missing" if drift.measure == "missing" else "are none that the training had"
        yield of.alert(
            "bad_day",
            drift.subject,
            f"{drift.value:.1%} more of the values of {drift.of} {drift.subject} of "
            f"{day:%Y-%m-%d} {what}",
            evidence={drift.measure: drift.value, "p_value": drift.p_value},
            remedy="ask_a_person",
        )
    if repeated and repeated >= share:
        yield of.alert(
            "bad_day",
            "repeated events",
            f"{repeated:.1%} of the events of {day:%Y-%m-%d} repeat another; each counts once",
            evidence={"share": repeated},
        )


def of_odd_keys(
    of: Subject, day: datetime, found: Sequence[OddKeys], share: float, threshold: float
) -> Iterator[Alert]:
    """Yield an alert where events of the last day have keys that no forecast has.

    Parameters
    ----------
    found
        Those of the whole span, for an example.
    share
        Of the last day's events.
    """
    if not share or share < threshold:
        return
    yield of.alert(
        "bad_day",
        "keys",
        f"{share:.1%} of the events of {day:%Y-%m-%d} have a key that no forecast has, such as "
        f"{found[0].example!r}",
        evidence={"share": share},
    )


def of_strange(of: Subject, found: Strange | None) -> Iterator[Alert]:
    """Yield an alert where outcomes are hardly what they say."""
    if found is None:
        return
    days = "one day" if found.days == 1 else f"{found.days} days, the last"
    yield of.alert(
        "bad_day",
        "outcomes",
        f"{found.strange:,} of {found.outcomes:,} outcomes of the predictions of {days} "
        f"{found.last:%Y-%m-%d}, are far outside their intervals: {_plain(found.actual)} where "
        f"{_plain(found.predicted)} was predicted",
        evidence={
            "share": found.strange / found.outcomes,
            "actual": found.actual,
            "predicted": found.predicted,
        },
        remedy="ask_a_person",
    )


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"


def of_business(of: Subject, found: Iterable[KpiCourse], share: float) -> Iterator[Alert]:
    """Yield an alert for each business KPI that has got worse."""
    for each in found:
        if each.worse(share):
            yield of.alert(
                "business_kpi",
                each.name,
                f"{each.name} is {each.recent:.4g} in the last days, and was {each.before:.4g}",
                evidence={"now": each.recent, "then": each.before, "p_value": each.p_value},
                remedy="ask_a_person",
            )


def of_health(of: Subject, found: Iterable[Health]) -> Iterator[Alert]:
    """Yield an alert for each resource that is running out or does not answer."""
    for each in found:
        if each.wrong:
            yield of.alert(
                "resources",
                each.name,
                f"{each.name}: {each.found}",
                evidence={"value": each.value},
                severity="critical" if each.name == "database" else "warning",
            )
