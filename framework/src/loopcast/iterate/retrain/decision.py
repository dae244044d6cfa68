"""Whether a segment is trained again now: a pure function of what is known about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from loopcast.api import Alert, Severity, SwitchSetting, VersionId
from loopcast.api import Remedy as Suggestion
from loopcast.settings.retrain import Remedy, RetrainSettings

Trigger = Literal["first", "schedule", "drift", "performance", "outcomes", "age"]
Status = Literal["due", "not due", "frozen", "off"]

_RANK: Mapping[Severity, int] = {severity: rank for rank, severity in enumerate(get_args(Severity))}
_DRIFT = ("input_drift", "output_drift")
_REMEDIES: Mapping[Suggestion, Remedy] = {remedy: remedy for remedy in get_args(Remedy)}
"""Of what an alert suggests, what a training can do."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known about a segment.

    Attributes
    ----------
    trained
        When it was trained last, whether a version came of it or not; ``None`` for never.
    champion
        Who serves; ``None`` where nobody does.
    switch
        As it was set; ``None`` where it never was, which means on.
    alerts
        Those that are open and concern the champion or no version.
    outcomes
        How many outcomes became known after the last training.
    truth_delay
        How long after a prediction its outcome can be known.
    """

    segment: str
    trained: datetime | None = None
    champion: VersionId | None = None
    switch: SwitchSetting | None = None
    alerts: tuple[Alert, ...] = ()
    outcomes: int = 0
    truth_delay: timedelta = timedelta()


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is done about a segment, and why.

    Attributes
    ----------
    trigger
        What made it due.
    remedy
        By what it is trained again.
    features
        Inputs that a training without features leaves out.
    """

    segment: str
    status: Status
    reason: str
    trigger: Trigger | None = None
    remedy: Remedy = "retrain"
    features: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Fired:
    trigger: Trigger
    reason: str
    alerts: tuple[Alert, ...] = ()


def triggers(facts: Facts, settings: RetrainSettings, now: datetime) -> Decision:
    """Decide whether a segment is trained again, and say why or why not.

    A segment that is frozen or off never is. One that was never trained always is. Otherwise it
    waits until the outcomes of its last training can be known, and at least ``least_days``; then
    the first trigger in the order performance, drift, outcomes, schedule, age makes it due.
    """
    if facts.switch is not None and facts.switch.switch != "on":
        status: Status = "off" if facts.switch.switch == "off" else "frozen"
        return Decision(
            segment=facts.segment, status=status, reason=f"{status} {facts.switch.circumstances}"
        )
    if facts.trained is None:
        return Decision(
            segment=facts.segment, status="due", reason="it was never trained", trigger="first"
        )
    earliest = facts.trained + _pause(facts, settings)
    if now < earliest:
        return Decision(segment=facts.segment, status="not due", reason=_too_early(facts, earliest))
    fired = next(_fired(facts, settings, now, facts.trained), None)
    if fired is None:
        return Decision(
            segment=facts.segment, status="not due", reason=_quiet(facts, settings, facts.trained)
        )
    drifted = _counted(facts, _DRIFT, settings.drift, settings.lasting_days)
    features = settings.features or _subjects(drifted)
    remedy = _remedy((*fired.alerts, *drifted), settings)
    if remedy == "drop_feature" and not features:
        remedy = "retrain"
    return Decision(
        segment=facts.segment,
        status="due",
        reason=fired.reason,
        trigger=fired.trigger,
        remedy=remedy,
        features=features if remedy == "drop_feature" else (),
    )


def _pause(facts: Facts, settings: RetrainSettings) -> timedelta:
    return max(timedelta(days=settings.least_days), facts.truth_delay)


def _too_early(facts: Facts, earliest: datetime) -> str:
    assert facts.trained is not None
    return f"trained on {facts.trained:%Y-%m-%d}; the next training is from {earliest:%Y-%m-%d} on"


def _fired(
    facts: Facts, settings: RetrainSettings, now: datetime, trained: datetime
) -> Iterator[_Fired]:
    """Yield what makes a segment due, the strongest reason first."""
    bad = _counted(facts, ("performance",), settings.performance, settings.lasting_days)
    if bad:
        yield _Fired(trigger="performance", reason=_told(bad), alerts=bad)
    drifted = _counted(facts, _DRIFT, settings.drift, settings.lasting_days)
    if drifted:
        yield _Fired(trigger="drift", reason=_told(drifted), alerts=drifted)
    if settings.outcomes is not None and facts.outcomes >= settings.outcomes:
        yield _Fired(
            trigger="outcomes",
            reason=f"{facts.outcomes:,} outcomes became known since {trained:%Y-%m-%d}",
        )
    age = now - trained
    if settings.every_days is not None and age >= timedelta(days=settings.every_days):
        yield _Fired(
            trigger="schedule",
            reason=f"trained {age.days} days ago; the schedule says every {settings.every_days}",
        )
    if age >= timedelta(days=settings.most_days):
        yield _Fired(
            trigger="age",
            reason=f"trained {age.days} days ago; no version gets older than {settings.most_days}",
        )


def _counted(
    facts: Facts, kinds: tuple[str, ...], least: Severity | None, lasting: int
) -> tuple[Alert, ...]:
    """Return the alerts of some kinds that count, the most severe first."""
    if least is None:
        return ()
    found = [
        alert
        for alert in facts.alerts
        if alert.kind in kinds
        and _RANK[alert.severity] >= _RANK[least]
        and alert.seen - alert.raised >= timedelta(days=lasting)
    ]
    return tuple(sorted(found, key=lambda alert: -_RANK[alert.severity]))


def _told(alerts: tuple[Alert, ...]) -> str:
    first, more = alerts[0], len(alerts) - 1
    others = f", and {more} more like it" if more else ""
    return f"{first.cause}, since {first.raised:%Y-%m-%d}{others}"


def _quiet(facts: Facts, settings: RetrainSettings, trained: datetime) -> str:
    """Say that nothing made a segment due, and which alerts do not count yet."""
    young = [
        alert
        for alert in facts.alerts
        if alert.kind in (*_DRIFT, "performance")
        and alert.seen - alert.raised < timedelta(days=settings.lasting_days)
    ]
    said = f"trained on {trained:%Y-%m-%d}, and nothing calls for another training"
    if not young:
        return said
    return (
        f"{said} yet: {young[0].cause}, since {young[0].raised:%Y-%m-%d}, which counts when it "
        f"lasts for {settings.lasting_days} days"
    )


def _remedy(alerts: tuple[Alert, ...], settings: RetrainSettings) -> Remedy:
    """Return what was asked for, or what most of the alerts suggest that a training can do."""
    if settings.remedy != "suggested":
        return settings.remedy
    found = Counter(_REMEDIES[alert.remedy] for alert in alerts if alert.remedy in _REMEDIES)
    return found.most_common(1)[0][0] if found else "retrain"


def _subjects(drifted: tuple[Alert, ...]) -> tuple[str, ...]:
    """Return the inputs that drifted."""
    names = (a.evidence.get("input", a.subject) for a in drifted if a.kind == "input_drift")
    return tuple(sorted({str(name) for name in names}))
