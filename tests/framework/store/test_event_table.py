"""Events as a table: from columns at once, and one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import DataError
from loopcast.store.event_table import event_table, events_of, table_of

from .builders import VERSION, event, event_rows


def test_columns_equal_events_one_by_one() -> None:
    times = pd.date_range("2026-03-29T01:00", periods=3, freq="30min", tz="Europe/Berlin")
    columns = event_table(
        key=["a", "b", "c"],
        time=times,
        logical_model="demand",
        segment=["x", "y", "z"],
        version=VERSION,
        role="shadow",
        outputs={"mean": np.array([1.0, 2.0, np.nan]), "class": ["p", "q", None]},
        inputs={"temperature": [20, 21, 22], "holiday": [True, False, True]},
        explanation={"temperature": np.ones(3, dtype=np.float32)},
        action="fallback",
        latency_ms=[0.1, 0.2, 0.3],
        source="server",
    )
    single = [
        event(
            key,
            time=times[i].to_pydatetime(),
            segment="xyz"[i],
            role="shadow",
            outputs={"mean": [1.0, 2.0, None][i]},
            inputs={"temperature": 20.0 + i, "holiday": float(i != 1)},
            explanation={"temperature": 1.0},
            action="fallback",
            latency_ms=[0.1, 0.2, 0.3][i],
            source="server",
        )
        for i, key in enumerate("abc")
    ]
    without_texts = columns.drop_columns("output_texts")
    assert without_texts.equals(table_of(single).drop_columns("output_texts"))
    assert [item.outputs["class"] for item in events_of(columns)] == ["p", "q", None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": {"mean": [1.0]}}, "'outputs.mean' has 1 values for 2 events"),
        ({"segment": ["a"]}, "'segment' has 1 values for 2 events"),
        ({"latency_ms": ["slow", "fast"]}, "'latency_ms' is not double"),
        ({"time": np.array(["2026-01-01"] * 2, "datetime64[us]")}, "'time' has no time zone"),
        ({"time": datetime(2026, 1, 1)}, "2026-01-01 00:00:00 has no time zone"),
        ({"explanation": {"age": ["a", "b"]}}, "'explanation.age' is not double"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        event_rows(["a", "b"], **changes)


def test_moments_are_kept_to_the_microsecond() -> None:
    moment = datetime(2026, 1, 1, 0, 0, 0, 123_457, tzinfo=UTC)
    assert events_of(table_of([event(time=moment)]))[0].time == moment
