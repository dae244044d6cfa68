"""What is laid out of events whose outcome is known."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from loopcast.api import DecisionSettings, Feature, Kpi, LogicalModel, Profits, ScoreSchema
from loopcast.develop.score.decisions import loopcast_metrics
from loopcast.monitor.observed import outcome_of
from loopcast.store.events import event_table
from loopcast.store.home import open_home
from loopcast.store.truth import join, truth_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = ScoreSchema(
    key="id", target="bad", event=1, amount="loan",
    features={
        "loan": Feature(kind="numeric", minimum=0.0),
        "rent": Feature(kind="numeric", minimum=0.0),
    },
)  # fmt: skip
MODEL = LogicalModel(
    name="loans", title="Loans", owner="me", kpi=Kpi(metric="profit", direction="higher"),
    schema=SCHEMA,
    decision=DecisionSettings(profits=Profits(granted_event=-1.0, granted_other=0.1)),
)  # fmt: skip


@pytest.fixture
def joined(tmp_path: Path) -> pa.Table:
    home = open_home(tmp_path / "home")
    home.catalog.put_logical_model(MODEL)
    events = event_table(
        key=["a", "b", "c"], time=pd.Series([pd.Timestamp(NOW)] * 3).dt.as_unit("us"),
        logical_model="loans", segment="", version="a" * 16, role="champion", latency_ms=1.0,
        outputs={"probability": np.array([0.01, 0.02, 0.5])},
        inputs={"loan": np.array([100.0, 7.0, 9.0]), "rent": np.array([1.0, 2.0, 3.0])},
    )  # fmt: skip
    home.record(events, MODEL)
    truth = truth_table(key=np.array(["a", "b", "c"]), value=[0.0, 1.0, 0.0], observed=NOW)
    home.truth.add("loans", truth)
    return join(home.events.read("loans"), home.truth.latest("loans"))


def profit(model: LogicalModel) -> Any:
    [found] = [m for m in loopcast_metrics() if m.name == "profit" and m.bind]
    assert found.bind is not None
    return found.bind(model)


def test_profit_counts_by_the_amounts_in_the_log(joined: pa.Table) -> None:
    outcome = outcome_of(joined, MODEL)
    assert profit(MODEL).rows(outcome) == pytest.approx([10.0, -7.0, 0.0])


def test_without_amounts_in_the_log_profit_is_unknown(joined: pa.Table) -> None:
    hidden = {**SCHEMA.features, "limit": Feature(kind="numeric", minimum=0.0, pii="drop")}
    schema = msgspec.structs.replace(SCHEMA, amount="limit", features=hidden)
    model = msgspec.structs.replace(MODEL, schema=schema)
    outcome = outcome_of(joined, model)
    assert np.isnan(profit(model).rows(outcome)).all()
    plain = msgspec.structs.replace(MODEL, schema=msgspec.structs.replace(SCHEMA, amount=None))
    assert profit(plain).rows(outcome_of(joined, plain)) == pytest.approx([0.1, -1.0, 0.0])
