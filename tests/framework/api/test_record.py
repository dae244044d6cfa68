"""A record refuses what it cannot hold, in words that name the field."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import (
    Evaluation,
    ForecastSchema,
    InvalidRecordError,
    Kpi,
    LogicalModel,
    LoopcastError,
    Metric,
    Record,
    Site,
)

DIGEST = "0" * 64
texts = st.text(max_size=8)
values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.lists(texts))


def test_a_record_cannot_be_changed() -> None:
    metric = Metric(name="mape", value=1.0)
    with pytest.raises(AttributeError):
        metric.value = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "MAPE"}, r"Metric\.name: Expected `str` matching regex .*, got 'MAPE'"),
        ({"value": "1.0"}, r"Metric\.value: Expected `float \| null`, got `str`"),
        ({"value": np.float64(1.0)}, r"Metric\.value: Expected `float \| null`"),
        ({"count": -1}, r"Metric\.count: Expected `int` >= 0, got -1"),
        ({"count": 1.5}, r"Metric\.count: Expected `int`"),
    ],
)
def test_a_wrong_value_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRecordError, match=message):
        Metric(**{"name": "mape", "value": 1.0, **fields})


def test_a_wrong_value_inside_is_named() -> None:
    with pytest.raises(InvalidRecordError, match=r"Evaluation\.metrics.*Expected `object`|Metric"):
        Evaluation(contender="a", dataset=DIGEST, protocol="p", metrics=("mape",))  # type: ignore[arg-type]


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="extra"):
        Metric(name="mape", value=1.0, extra=1)  # type: ignore[call-arg]
    with pytest.raises(msgspec.ValidationError, match="unknown field `extra`"):
        msgspec.json.decode(b'{"name": "mape", "value": 1.0, "extra": 1}', type=Metric)


def test_decoding_checks_as_making_does() -> None:
    with pytest.raises((msgspec.ValidationError, InvalidRecordError), match="name"):
        msgspec.json.decode(b'{"name": "MAPE", "value": 1.0}', type=Metric)


def test_an_invalid_record_is_both_ours_and_a_value_error() -> None:
    assert issubclass(InvalidRecordError, LoopcastError)
    assert issubclass(InvalidRecordError, ValueError)


@given(name=values, value=values, subset=values, count=values)
def test_whatever_is_made_survives_a_round_trip(
    name: object, value: object, subset: object, count: object
) -> None:
    try:
        metric = Metric(name=name, value=value, subset=subset, count=count)  # type: ignore[arg-type]
    except InvalidRecordError:
        return
    again = msgspec.json.decode(msgspec.json.encode(metric), type=Metric)
    undefined = isinstance(value, float) and not np.isfinite(value)  # JSON has no NaN
    assert again == (msgspec.structs.replace(metric, value=None) if undefined else metric)


def test_a_check_of_its_own_is_run() -> None:
    class Interval(Record, frozen=True):
        low: float
        high: float

        def check(self) -> None:
            self.require(self.low <= self.high, f"low {self.low} is above high {self.high}")

    assert Interval(low=1.0, high=2.0).high == 2.0
    with pytest.raises(InvalidRecordError, match=r"Interval: low 3\.0 is above high 2\.0"):
        Interval(low=3.0, high=2.0)


@pytest.mark.parametrize(
    ("direction", "value", "than", "effect", "better"),
    [
        ("lower", 1.0, 2.0, 0.0, True),
        ("lower", 2.0, 1.0, 0.0, False),
        ("lower", 1.0, 1.0, 0.0, False),
        ("lower", 1.5, 2.0, 0.5, False),
        ("higher", 2.0, 1.0, 0.5, True),
        ("higher", 1.0, 2.0, 0.0, False),
    ],
)
def test_better_means_by_more_than_the_minimum_effect(
    direction: Any, value: float, than: float, effect: float, better: bool
) -> None:
    kpi = Kpi(metric="mape", direction=direction, minimum_effect=effect)
    assert kpi.better(value, than) is better


def test_what_is_close_enough_becomes_what_is_declared() -> None:
    model = LogicalModel(
        name="demand",
        title="Demand",
        owner="desk",
        kpi={"metric": "mape", "minimum_effect": 1},  # type: ignore[arg-type]
        schema=ForecastSchema(
            unit="MW",
            step="1h",
            timezone="UTC",
            sites={"a": Site(timezone="UTC")},
            resolutions=["1h", "1D"],  # type: ignore[arg-type]
        ),
    )
    assert model.kpi == Kpi(metric="mape", minimum_effect=1.0)
    assert isinstance(model.kpi.minimum_effect, float)
    assert isinstance(model.schema, ForecastSchema)
    assert model.schema.resolutions == ("1h", "1D")


def test_a_bad_key_names_its_field() -> None:
    with pytest.raises(InvalidRecordError, match=r"^ForecastSchema\.sites: Expected `str` match"):
        ForecastSchema(unit="MW", step="1h", timezone="UTC", sites={"A!": Site(timezone="UTC")})
