"""Records of devices, packages and rollouts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from loopcast.api import (
    Device,
    ErrorTest,
    InvalidRecordError,
    Observed,
    Package,
    Record,
    Rollout,
    RolloutStep,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
PLACE = {"logical_model": "demand", "segment": "north", "sequence": 3}
FILE = "c" * 64

GOOD: dict[type[Record], dict[str, Any]] = {
    Package: PLACE | {"version": "a" * 16, "model": FILE, "manifest": FILE, "envelope": FILE,
                      "size": 3600, "created": NOW, "expires": LATER},
    Device: {"name": "meter-1", "labels": {"region": "north"}, "enrolled": NOW},
    Rollout: PLACE | {"name": "march", "cohorts": (0.01, 0.1, 1.0)},
    RolloutStep: {"act": "look", "at": NOW, "by": "rule", "reason": "r", "evidence": {"ratio": 1}},
    Observed: {"health": "healthy", "pairs": 48, "error": 3.0, "champion_error": 4.0},
    ErrorTest: {},
}  # fmt: skip
CHANGES: list[tuple[type[Record], dict[str, Any], str]] = [
    (Package, {"sequence": 0}, "Package.sequence"),
    (Package, {"size": 0}, "Package.size"),
    (Package, {"expires": LATER.replace(tzinfo=None)}, "has no time zone"),
    (Package, {"expires": NOW}, "before it is created"),
    (Device, {"name": "meter/1"}, "Device.name"),
    (Device, {"name": "+"}, "Device.name"),
    (Device, {"name": "a" * 65}, "Device.name"),
    (Device, {"enrolled": NOW.replace(tzinfo=None)}, "has no time zone"),
    (Rollout, {"cohorts": (0.5, 0.1, 1.0)}, "do not grow to 1.0"),
    (Rollout, {"cohorts": (0.5,)}, "do not grow to 1.0"),
    (Rollout, {"cohorts": ()}, "either cohorts"),
    (Rollout, {"rings": ("early",)}, "either cohorts"),
    (Rollout, {"cohorts": (), "rings": ("early", "early")}, "one of them twice"),
    (Rollout, {"enough": 0.97}, "more than all devices"),
    (Rollout, {"hold_hours": 24.0}, "reach the deadline"),
    (RolloutStep, {"reason": " "}, "say why"),
    (RolloutStep, {"by": ""}, "name who"),
    (ErrorTest, {"devices": 2}, "ErrorTest.devices"),
    (Observed, {"error": -1.0}, "Observed.error"),
]


@pytest.mark.parametrize("kind", GOOD)
def test_records_survive_json(kind: type[Record]) -> None:
    record = kind(**GOOD[kind])
    assert msgspec.json.decode(msgspec.json.encode(record), type=kind) == record


@pytest.mark.parametrize(("kind", "change", "message"), CHANGES)
def test_what_cannot_be_right_is_refused(
    kind: type[Record], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRecordError, match=message):
        kind(**GOOD[kind] | change)
