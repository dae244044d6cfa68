"""Makes records for the tests of the stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from loopcast.api import (
    Dataset,
    Digest,
    Evaluation,
    Event,
    GateResult,
    Kpi,
    LogicalModel,
    Metric,
    ScoreSchema,
    Version,
)
from loopcast.api.schema import Feature
from loopcast.store.catalog import Registration
from loopcast.store.events import event_table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VERSION = "0123456789abcdef"
METRICS = ("mape", "rmse", "mae", "pinball", "coverage")


def digest(text: object) -> Digest:
    """A digest that stands for a text."""
    return sha256(str(text).encode()).hexdigest()


def logical_model(name: str = "demand") -> LogicalModel:
    """A logical model of the task score, which has the shortest schema."""
    schema = ScoreSchema(
        key="id", target="bad", event="1", features={"age": Feature(kind="numeric")}
    )
    return LogicalModel(name=name, title=name, owner="owner", kpi=Kpi(metric="mape"), schema=schema)


def dataset(name: str = "data") -> Dataset:
    """A dataset whose fingerprint follows from its name."""
    return Dataset(name=name, fingerprint=digest(name), origin=f"{name}.csv", rows=17_520)


def version(
    number: int,
    *,
    model: str = "demand",
    segment: str = "",
    template: str = "forecasting.gam_arima",
    data: str = "data",
    recipe: object = None,
) -> Version:
    """A version that was made ``number`` seconds after noon."""
    manifest = digest(f"manifest {model} {segment} {number}")
    return Version(
        id=manifest[:16],
        logical_model=model,
        segment=segment,
        template=template,
        recipe=digest(f"recipe {number}" if recipe is None else recipe),
        manifest=manifest,
        dataset=digest(data),
        created=NOON + timedelta(seconds=number),
    )


def evaluation(value: float, contender: str = "gam_arima", data: str = "data") -> Evaluation:
    """Five metrics around a value, and one of a subset."""
    overall = [Metric(name=name, value=value + i, count=1344) for i, name in enumerate(METRICS)]
    holiday = Metric(name="mape", value=None, subset="day_type=holiday")
    return Evaluation(
        contender=contender,
        dataset=digest(data),
        protocol="rolling origin, 28 origins",
        metrics=(*overall, holiday),
    )


def registration(version: Version, value: float = 1.0, data: str = "data") -> Registration:
    """A version with one evaluation, one baseline and two gates."""
    return Registration(
        version=version,
        datasets=(dataset(data),),
        evaluations=(evaluation(value, data=data),),
        baselines=(evaluation(value + 10, "naive_week", data),),
        gates=(
            GateResult(gate="coherence", passed=True, expectation="below 1e-9", measured="3e-16"),
            GateResult(gate="baseline", passed=False, expectation="better", measured="worse"),
        ),
    )


def registrations(count: int, start: int = 0, **options: Any) -> list[Registration]:
    """Several versions, each a bit worse than the one before."""
    return [
        registration(version(number, **options), value=1.0 + number)
        for number in range(start, start + count)
    ]


def event(key: str = "k", **changes: Any) -> Event:
    """A prediction of a demand at noon."""
    plain: dict[str, Any] = {
        "key": key,
        "time": NOON,
        "logical_model": "demand",
        "segment": "",
        "version": VERSION,
        "role": "champion",
        "outputs": {"mean": 1.5},
    }
    return Event(**(plain | changes))


def event_rows(keys: list[str], **changes: Any) -> pa.Table:
    """Predictions of a demand at noon, as the log has them."""
    plain: dict[str, Any] = {
        "key": keys,
        "time": NOON,
        "logical_model": "demand",
        "segment": "",
        "version": VERSION,
        "role": "champion",
        "outputs": {"mean": np.arange(len(keys), dtype=float)},
    }
    return event_table(**(plain | changes))
