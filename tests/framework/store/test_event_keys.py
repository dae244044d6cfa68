"""Keys of forecasts say what they are about, or are refused."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from loopcast.api import DataError
from loopcast.store.event_keys import forecast_keys


def test_a_series_may_have_any_name() -> None:
    found = forecast_keys(pa.chunked_array([["a|b|1h|2026-01-01T00:00:00Z"], ["c|1D|2026-01-02"]]))
    assert found["series"].tolist() == ["a|b", "c"]
    assert found["step"].tolist() == ["1h", "1D"]
    assert found["start"].tolist() == list(pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True))


def test_of_no_events() -> None:
    assert forecast_keys(pa.chunked_array([], pa.string())).empty


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("order 7", "key 'order 7': expected series.step.start"),
        ("a|1h", "expected series.step.start"),
        ("a|1h|2026-13-01T00:00:00Z", "no moment"),
        ("a|1h|yesterday", "no moment"),
    ],
)
def test_another_form_is_refused(key: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        forecast_keys(pa.chunked_array([["a|1h|2026-01-01T00:00:00Z", key]]))
