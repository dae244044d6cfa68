"""Keys of forecasts say what they are about; others say nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import DataError
from loopcast.store.event_keys import forecast_keys, require_forecast_keys, unreadable

GOOD = "a|1h|2026-01-01T00:00:00Z"
ODD = (
    "order 7",
    "a|1h",
    "",
    "a|1h|2026-13-01T00:00:00Z",
    "a|1h|yesterday",
    "a|1h|today",
    "a|1h|now",
    "a|1h|",
    "a|1h|0001-01-01T00:00:00Z",
)


def table(keys: Sequence[str | None]) -> pa.ChunkedArray:
    return pa.chunked_array([keys], pa.string())


def test_a_series_may_have_any_name() -> None:
    found = forecast_keys(table(["c|1D|2026-01-02", "a|b|1h|2026-01-01T00:00:00Z"]))
    assert found["series"].tolist() == ["c", "a|b"]
    assert found["series"].cat.categories.tolist() == ["a|b", "c"]
    assert found["step"].tolist() == ["1D", "1h"]
    assert found["start"].tolist() == list(pd.to_datetime(["2026-01-02", "2026-01-01"], utc=True))


def test_of_no_events() -> None:
    found = forecast_keys(pa.chunked_array([], pa.string()))
    assert found.empty
    assert isinstance(found["start"].dtype, pd.DatetimeTZDtype)


@pytest.mark.parametrize("key", ODD)
def test_another_form_is_refused(key: str) -> None:
    with pytest.raises(DataError) as caught:
        require_forecast_keys(table([GOOD, key]))
    assert str(caught.value).startswith(f"key {key!r}: expected series|step|start of the interval")


@given(st.lists(st.sampled_from([GOOD, "b|1D|2026-01-02", *ODD, None]), max_size=12))
def test_what_cannot_be_read_changes_nothing_else(keys: list[str | None]) -> None:
    found, odd = forecast_keys(table(keys)), unreadable(table(keys))
    assert odd.tolist() == [key is None or key in ODD for key in keys]
    assert found[odd].isna().all(axis=None)
    rest = forecast_keys(table([key for key, wrong in zip(keys, odd, strict=True) if not wrong]))
    pd.testing.assert_frame_equal(
        found[~odd].reset_index(drop=True), rest, check_dtype=False, check_categorical=True
    )


@given(st.lists(st.text(max_size=12), max_size=5))
def test_no_text_stops_it(keys: list[str]) -> None:
    assert len(forecast_keys(table(keys))) == len(keys)
