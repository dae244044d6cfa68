"""Records of gates, drift and experiments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from loopcast.api import (
    BanditSettings,
    BanditState,
    Drift,
    Experiment,
    ExperimentStep,
    InvalidRecordError,
    Record,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
A, B = "a" * 16, "b" * 16
PLACE = {"logical_model": "demand", "segment": "north"}

GOOD: list[tuple[type[Record], dict[str, Any]]] = [
    (
        Drift,
        PLACE | {"version": A, "of": "input", "subject": "temperature", "measure": "psi",
                 "value": 0.3, "threshold": 0.2, "start": NOW, "end": LATER},
    ),
    (
        Experiment,
        PLACE | {"name": "spring", "kind": "ab", "arms": (A, B), "metric": "mape",
                 "declared": NOW, "by": "owner", "sample_size": 400,
                 "minimum_effect": 0.1},
    ),
    (BanditSettings, {"forgetting": 0.99}),
    (
        BanditState,
        {"updated": NOW, "updates": 3, "until": NOW, "successes": (1.0, 2.0),
         "failures": (9.0, 8.0), "shares": (0.25, 0.75)},
    ),
    (ExperimentStep, {"step": "begun", "at": NOW, "by": "owner"}),
]  # fmt: skip
CHANGES: list[tuple[type[Record], dict[str, Any], str]] = [
    (Drift, {"end": NOW}, "is empty"),
    (Drift, {"start": NOW.replace(tzinfo=None)}, "has no time zone"),
    (Drift, {"p_value": 1.5}, "Drift.p_value"),
    (Experiment, {"arms": (A,)}, "1 arms; a comparison needs two"),
    (Experiment, {"arms": (A, A)}, "arms name a version twice"),
    (Experiment, {"sample_size": None}, "declared with its sample_size"),
    (Experiment, {"power": 1.0}, "Experiment.power"),
    (Experiment, {"minimum_effect": 0.0}, "declared with the minimum_effect"),
    (Experiment, {"by": " "}, "name who declares it"),
    (Experiment, {"kind": "bandit"}, "the settings of a bandit belong to one"),
    (Experiment, {"bandit": BanditSettings()}, "the settings of a bandit belong to one"),
    (Experiment, {"kind": "shadow", "sequential": True}, "those of an A/B test"),
    (BanditSettings, {"forgetting": 0.0}, "BanditSettings.forgetting"),
    (BanditState, {"shares": (0.5, 0.6)}, "shares add up to 1.1"),
    (BanditState, {"failures": (1.0,)}, "differ in length"),
    (ExperimentStep, {"step": "stopped"}, "stopped without a reason"),
]


@pytest.mark.parametrize(("kind", "fields"), GOOD)
def test_records_survive_the_wire(kind: type[Record], fields: dict[str, Any]) -> None:
    record = kind(**fields)
    assert msgspec.json.decode(msgspec.json.encode(record), type=kind) == record


@pytest.mark.parametrize(("kind", "change", "message"), CHANGES)
def test_records_cannot_be_invalid(
    kind: type[Record], change: dict[str, Any], message: str
) -> None:
    fields = dict(GOOD)[kind]
    with pytest.raises(InvalidRecordError) as caught:
        kind(**(fields | change))
    assert message in str(caught.value)


def test_drift_counts_from_its_threshold_on() -> None:
    fields = dict(GOOD)[Drift]
    assert Drift(**fields).exceeded
    assert not Drift(**(fields | {"value": 0.1})).exceeded
