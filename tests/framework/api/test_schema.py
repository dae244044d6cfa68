"""Schemas refuse what does not fit together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loopcast.api import (
    Covariate,
    Feature,
    ForecastSchema,
    InvalidRecordError,
    Kpi,
    LogicalModel,
    RankSchema,
    ScoreSchema,
    Site,
    step_minutes,
)

SITES = {"sydney": Site(timezone="Australia/Sydney"), "perth": Site(timezone="Australia/Perth")}
GOOD: dict[str, Any] = {
    "unit": "MW",
    "step": "30min",
    "timezone": "Australia/Brisbane",
    "sites": SITES,
    "series": {"NSW": "sydney", "WA": "perth"},
    "aggregates": {"total": ("NSW", "WA")},
    "resolutions": ("30min", "1h", "1D"),
}


def forecast(**changes: Any) -> ForecastSchema:
    return ForecastSchema(**{**GOOD, **changes})


def score(**changes: Any) -> ScoreSchema:
    good: dict[str, Any] = {
        "key": "id",
        "target": "bad",
        "event": 1,
        "features": {"income": Feature(kind="numeric")},
    }
    return ScoreSchema(**{**good, **changes})


RANK = RankSchema(entity="customer", item="product", time="sold")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sites": {}, "series": {}}, "sites is empty"),
        ({"series": {"NSW": "hobart"}, "aggregates": {}}, "series NSW: no site 'hobart'"),
        ({"series": {}, "aggregates": {}}, "series is empty, which works for a single site only"),
        ({"aggregates": {"total": ()}}, "total has no members"),
        ({"aggregates": {"total": ("QLD",)}}, r"total sums \['QLD'\], which is no series"),
        ({"aggregates": {"a": ("b",), "b": ("a",)}}, "aggregates contain themselves"),
        ({"aggregates": {"a": ("a",)}}, "aggregates contain themselves"),
        ({"step": "7min", "resolutions": ()}, "step 7min does not divide a day"),
        ({"step": "half an hour"}, r"ForecastSchema\.step"),
        ({"resolutions": ("1h", "1D")}, "the first of resolutions must be the step"),
        ({"resolutions": ("30min", "45min")}, "must be a multiple of the one before"),
        ({"resolutions": ("30min", "1h", "30min")}, "must be a multiple of the one before"),
        ({"horizon": "24h"}, "horizon 24h is not in whole days, as 1D is"),
        ({"resolutions": ("30min", "2D")}, "horizon 1D is not a multiple"),
        (
            {"horizon": "7D", "resolutions": ("30min", "1D", "7D")},
            r"resolutions end at 1D; sum its forecasts for \('7D',\)",
        ),
        ({"timezone": "Australia/Nowhere"}, "timezone 'Australia/Nowhere' is no IANA zone name"),
    ],
)
def test_a_forecast_schema_that_does_not_fit_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRecordError, match=message):
        forecast(**changes)


def test_a_single_site_takes_every_series() -> None:
    sites = {"sydney": SITES["sydney"]}
    assert forecast(sites=sites, series={}, aggregates={}).series == {}


@pytest.mark.parametrize("zone", ["Nowhere", "../etc/passwd", ""])
def test_a_site_needs_a_zone(zone: str) -> None:
    with pytest.raises(InvalidRecordError, match="timezone"):
        Site(timezone=zone)


@pytest.mark.parametrize("record", [Covariate, Feature])
def test_bounds_are_in_order(record: Any) -> None:
    assert record(kind="numeric", minimum=0.0, maximum=0.0).minimum == 0.0
    with pytest.raises(InvalidRecordError, match=r"minimum 3.* is above maximum 1"):
        record(kind="numeric", minimum=3.0, maximum=1.0)


def test_a_score_needs_features_without_its_target() -> None:
    with pytest.raises(InvalidRecordError, match="features is empty"):
        score(features={})
    with pytest.raises(InvalidRecordError, match="target 'bad' is also a feature"):
        score(features={"bad": Feature(kind="flag")})


@pytest.mark.parametrize("event", [1, True, "bad"])
def test_the_event_is_a_value_of_the_target(event: Any) -> None:
    assert score(event=event).event == event


@pytest.mark.parametrize(
    ("schema", "task"), [(forecast(), "forecast"), (score(), "score"), (RANK, "rank")]
)
def test_a_logical_model_tells_its_task_and_survives_a_round_trip(schema: Any, task: str) -> None:
    model = LogicalModel(
        name="demand", title="Demand", owner="grid", kpi=Kpi(metric="mape"), schema=schema
    )
    encoded = msgspec.json.encode(model)
    assert model.task == task
    assert msgspec.json.decode(encoded)["schema"]["task"] == task
    assert msgspec.json.decode(encoded, type=LogicalModel) == model


@pytest.mark.parametrize(("step", "minutes"), [("5min", 5), ("6h", 360), ("7D", 10080)])
def test_minutes_of_a_step(step: str, minutes: int) -> None:
    assert step_minutes(step) == minutes


def test_what_is_no_step_has_no_minutes() -> None:
    with pytest.raises(ValueError, match="'1 hour' is not a step such as 30min, 1h or 1D"):
        step_minutes("1 hour")
