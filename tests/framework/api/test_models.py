"""Records of the life cycle and of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loopcast.api import (
    Evaluation,
    Event,
    InvalidRecordError,
    Metric,
    Release,
    Version,
)

DIGEST = "ab" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def version(**changes: Any) -> Version:
    good: dict[str, Any] = {
        "id": DIGEST[:16],
        "logical_model": "demand",
        "segment": "",
        "template": "forecasting.gam_arima",
        "recipe": DIGEST,
        "manifest": DIGEST,
        "dataset": DIGEST,
        "created": NOW,
    }
    return Version(**{**good, **changes})


def test_the_id_is_the_beginning_of_the_manifest() -> None:
    assert version().manifest.startswith(version().id)
    with pytest.raises(InvalidRecordError, match="is not the beginning of the manifest's digest"):
        version(id="0" * 16)


@pytest.mark.parametrize("segment", ["", "store-1", "NSW1", "a.b_c"])
def test_a_segment(segment: str) -> None:
    assert version(segment=segment).segment == segment


@pytest.mark.parametrize("segment", ["-a", "a b", "a/b", "x" * 121, ".."])
def test_what_could_leave_a_folder_is_no_segment(segment: str) -> None:
    with pytest.raises(InvalidRecordError, match=r"Version\.segment"):
        version(segment=segment)


@pytest.mark.parametrize("template", ["gam", "forecasting.", "Forecasting.gam", "a.b.c", "a/b"])
def test_what_is_no_template_name(template: str) -> None:
    with pytest.raises(InvalidRecordError, match=r"Version\.template"):
        version(template=template)


def test_a_release_does_not_end_before_it_begins() -> None:
    fields: dict[str, Any] = {
        "logical_model": "demand",
        "segment": "",
        "version": DIGEST[:16],
        "stage": "champion",
        "since": NOW,
        "by": "ann",
        "reason": "better",
    }
    assert Release(**fields, until=NOW + timedelta(days=1)).until is not None
    with pytest.raises(InvalidRecordError, match="is before since"):
        Release(**fields, until=NOW - timedelta(seconds=1))


def test_an_evaluation_finds_its_metrics() -> None:
    evaluation = Evaluation(
        contender="gam",
        dataset=DIGEST,
        protocol="28 origins",
        metrics=(
            Metric(name="mape", value=3.0),
            Metric(name="mape", value=4.0, subset="hour=7"),
            Metric(name="rmse", value=None),
        ),
    )
    assert evaluation.value("mape") == 3.0
    assert evaluation.value("mape", "hour=7") == 4.0
    assert evaluation.value("rmse") is None
    assert evaluation.value("mae") is None


def test_times_have_a_zone() -> None:
    naive = datetime(2026, 1, 1)
    with pytest.raises(InvalidRecordError, match="has no time zone"):
        Event(
            key="k",
            time=naive,
            logical_model="m",
            segment="",
            version=DIGEST[:16],
            role="champion",
            outputs={"mean": 1.0},
        )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_undefined_metric_is_none(value: float) -> None:
    with pytest.raises(InvalidRecordError, match=r"mape is .*; an undefined value is None"):
        Metric(name="mape", value=value)
    assert Metric(name="mape", value=None).value is None
