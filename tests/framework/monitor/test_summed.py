"""Outcomes of aggregates are the sums of their series, whatever was told of the whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from loopcast.api import ForecastSchema, Kpi, LogicalModel, Site
from loopcast.monitor.delivery import standing_of
from loopcast.monitor.summed import with_sums
from loopcast.store.event_table import event_table
from loopcast.store.home import open_home
from loopcast.store.truth import truth_table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEMA = ForecastSchema(
    unit="MW", step="1h", timezone="UTC", sites={"x": Site(timezone="UTC")},
    series={"a": "x", "b": "x", "c": "x"}, aggregates={"all": ("ab", "c"), "ab": ("a", "b")},
)  # fmt: skip


def told(values: dict[str, float | None], segment: str = "", late: int = 0) -> pa.Table:
    """Outcomes of the hour after noon; a key that names no hour is a series."""
    keys = [key if "|" in key else f"{key}|1h|2026-01-01T12:00:00Z" for key in values]
    observed = NOON + timedelta(hours=1 + late)
    return truth_table(key=keys, value=list(values.values()), observed=observed, segment=segment)


def sums(*tables: pa.Table) -> dict[str, float]:
    found = with_sums(pa.concat_tables(tables), SCHEMA)
    keys, values = found["key"].to_pylist(), found["value"].to_pylist()
    assert len(set(zip(found["segment"].to_pylist(), keys, strict=True))) == len(keys)
    return {
        key.split("|")[0]: value
        for key, value in zip(keys, values, strict=True)
        if key.startswith("a") and not key.startswith("a|")
    }


def test_a_sum_is_known_where_each_of_its_series_is() -> None:
    assert sums(told({"a": 1.0, "b": 2.0, "c": 4.0})) == {"ab": 3.0, "all": 7.0}
    assert sums(told({"a": 1.0, "b": 2.0})) == {"ab": 3.0}
    assert sums(told({"a": 1.0, "b": 2.0, "c|1h|2026-01-01T13:00:00Z": 4.0})) == {"ab": 3.0}
    assert sums(told({"a": 1.0, "b": 2.0, "c": None})) == {"ab": 3.0}
    assert sums(told({"a": 1.0, "b": 2.0, "c|1D|2026-01-01T12:00:00Z": 4.0})) == {"ab": 3.0}


def test_a_meter_of_the_whole_counts_only_where_a_series_is_unknown() -> None:
    whole = {"all": 9.0, "ab": 5.0}
    assert sums(told({"a": 1.0, "b": 2.0, **whole})) == {"ab": 3.0, "all": 9.0}


def test_segments_and_late_series_are_summed_apart_and_together() -> None:
    found = with_sums(
        pa.concat_tables([told({"a": 1.0}), told({"b": 2.0}, late=5), told({"b": 8.0}, "s")]),
        SCHEMA,
    )
    rows = [row for row in found.to_pylist() if row["key"].startswith("ab|")]
    assert [(row["segment"], row["value"]) for row in rows] == [("", 3.0)]
    assert rows[0]["observed"] == NOON + timedelta(hours=6)


def test_two_texts_of_one_moment_count_once_and_the_later_one() -> None:
    again = told({"a|1h|2026-01-01T13:00:00+01:00": 5.0}, late=1)
    assert sums(told({"a": 1.0, "b": 2.0}), again) == {"ab": 7.0}


@pytest.mark.parametrize("keys", [{}, {"order 7": 3.0}])
def test_what_sums_nothing_stays_as_it_is(keys: dict[str, float]) -> None:
    latest = truth_table(key=list(keys), value=[float(v) for v in keys.values()], observed=NOON)
    assert with_sums(latest, SCHEMA).equals(latest)


def test_predictions_of_sums_are_told_as_known(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    model = LogicalModel(
        name="grid", title="Grid", owner="grid", kpi=Kpi(metric="mae"), schema=SCHEMA
    )
    home.events.append(
        event_table(
            key=[f"{name}|1h|2026-01-01T12:00:00Z" for name in ("a", "b", "c", "ab", "all")],
            time=NOON, logical_model="grid", segment="", version="0" * 16, role="champion",
            outputs={"mean": [1.0] * 5},
        )
    )  # fmt: skip
    home.truth.add("grid", told({"a": 1.0, "b": 2.0, "c": 4.0}))
    standing = standing_of(model, home)
    assert (standing.events, standing.labelled, standing.outcomes) == (5, 5, 3)
    assert standing.unmatched == 0
