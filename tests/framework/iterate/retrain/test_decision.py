"""When a segment is trained again: each trigger, what holds it back, and the words for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import Alert, InvalidRecordError, Remedy, Severity, SwitchSetting
from loopcast.iterate.retrain.decision import Decision, Facts, triggers
from loopcast.settings.retrain import RetrainSettings

TRAINED = datetime(2026, 1, 1, tzinfo=UTC)
QUIET = RetrainSettings(every_days=None)


def day(number: float) -> datetime:
    return TRAINED + timedelta(days=number)


def alert(
    kind: str = "input_drift",
    subject: str = "income",
    *,
    since: float = 5,
    seen: float = 20,
    severity: Severity = "warning",
    remedy: Remedy = "retrain",
) -> Alert:
    return Alert(
        logical_model="credit",
        segment="",
        kind=kind,
        subject=subject,
        severity=severity,
        cause=f"{subject} has moved",
        remedy=remedy,
        raised=day(since),
        seen=day(seen),
    )


def decide(*alerts: Alert, at: float = 30, settings: RetrainSettings = QUIET, **more: Any) -> Any:
    facts = Facts(segment="", trained=TRAINED, alerts=alerts, **more)
    return triggers(facts, settings, day(at))


def test_what_was_never_trained_is() -> None:
    decision = triggers(Facts(segment="north"), QUIET, day(0))
    assert decision == Decision(
        segment="north", status="due", reason="it was never trained", trigger="first"
    )


def test_nothing_calls_for_another_training() -> None:
    decision = decide()
    assert decision.status == "not due"
    assert decision.reason == "trained on 2026-01-01, and nothing calls for another training"


def test_the_schedule_and_the_year() -> None:
    monthly = RetrainSettings(every_days=30)
    assert decide(at=29.9, settings=monthly).status == "not due"
    assert decide(at=30, settings=monthly).trigger == "schedule"
    assert decide(at=364.9).status == "not due"
    old = decide(at=365)
    assert (old.status, old.trigger) == ("due", "age")
    assert old.reason == "trained 365 days ago; no version gets older than 365"
    with pytest.raises(InvalidRecordError, match="most_days"):
        RetrainSettings(most_days=366)


def test_drift_counts_when_it_is_severe_and_lasts() -> None:
    assert decide(alert(since=20, seen=26.9)).status == "not due"
    lasting = decide(alert(since=20, seen=27))
    assert (lasting.status, lasting.trigger) == ("due", "drift")
    assert lasting.reason == "income has moved, since 2026-01-21"
    severe = msgspec.structs.replace(QUIET, drift="critical")
    assert decide(alert(), settings=severe).status == "not due"
    assert decide(alert(severity="critical"), settings=severe).status == "due"
    assert decide(alert(), settings=msgspec.structs.replace(QUIET, drift=None)).status == "not due"


def test_a_single_bad_day_is_waited_for_in_words() -> None:
    decision = decide(alert(since=29, seen=30, severity="critical"))
    assert decision.status == "not due"
    assert decision.reason.endswith("which counts when it lasts for 7 days")


def test_performance_comes_before_drift() -> None:
    decision = decide(alert(), alert(kind="performance", subject="auc"))
    assert decision.trigger == "performance"
    assert decision.reason == "auc has moved, since 2026-01-06"


def test_outcomes_since_the_last_training() -> None:
    settings = msgspec.structs.replace(QUIET, outcomes=500)
    assert decide(outcomes=499, settings=settings).status == "not due"
    assert decide(outcomes=500, settings=settings).trigger == "outcomes"


def test_other_alerts_are_no_trigger() -> None:
    assert decide(alert(kind="volume", subject="")).status == "not due"


def test_never_more_often_than_ground_truth_can_arrive() -> None:
    delay = timedelta(days=45)
    early = decide(alert(), at=44.9, truth_delay=delay)
    assert early.status == "not due"
    assert early.reason == "trained on 2026-01-01; the next training is from 2026-02-15 on"
    assert decide(alert(), at=45, truth_delay=delay).status == "due"


@given(
    at=st.floats(0, 800),
    delay=st.floats(0, 500),
    least=st.integers(1, 300),
    every=st.none() | st.integers(1, 400),
    drifting=st.booleans(),
)
def test_bounds_hold_whatever_the_triggers_say(
    at: float, delay: float, least: int, every: int | None, drifting: bool
) -> None:
    settings = RetrainSettings(every_days=every, least_days=least)
    alerts = (alert(),) if drifting else ()
    decision = decide(*alerts, at=at, settings=settings, truth_delay=timedelta(days=delay))
    if at < max(delay, least):
        assert decision.status == "not due"
    elif at >= 365:
        assert decision.status == "due"
    assert decision.reason


@pytest.mark.parametrize(("switch", "status"), [("freeze", "frozen"), ("off", "off")])
def test_what_is_held_is_left_alone(switch: Any, status: str) -> None:
    setting = SwitchSetting(
        logical_model="credit", segment="", switch=switch, by="ann", reason="audit", since=TRAINED
    )
    decision = decide(alert(), at=700, switch=setting)
    assert decision.status == status
    assert decision.reason == f"{status} since 2026-01-01 00:00Z by ann (audit)"


def test_the_remedy_is_asked_for_or_suggested() -> None:
    moved, gone = alert(), alert(subject="debt", remedy="drop_feature", severity="critical")
    assert decide(moved, gone).remedy == "retrain"
    suggested = msgspec.structs.replace(QUIET, remedy="suggested")
    dropped = decide(gone, settings=suggested)
    assert (dropped.remedy, dropped.features) == ("drop_feature", ("debt",))
    assert decide(alert(remedy="ask_a_person"), settings=suggested).remedy == "retrain"
    asked = msgspec.structs.replace(QUIET, remedy="drop_feature")
    assert decide(moved, gone, settings=asked).features == ("debt", "income")
    named = msgspec.structs.replace(asked, features=("town",))
    assert decide(moved, settings=named).features == ("town",)


def test_without_a_feature_to_leave_out_it_is_a_training() -> None:
    settings = RetrainSettings(every_days=30, remedy="drop_feature")
    assert decide(settings=settings).remedy == "retrain"


def test_settings_that_contradict_are_refused() -> None:
    with pytest.raises(InvalidRecordError, match="least_days 90 is more than most_days 30"):
        RetrainSettings(least_days=90, most_days=30)
    with pytest.raises(InvalidRecordError, match="features are for remedy: drop_feature"):
        RetrainSettings(features=("income",))
