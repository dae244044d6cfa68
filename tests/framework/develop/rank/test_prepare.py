from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import Feature, RankData, RankSchema
from loopcast.develop.rank.inputs import inputs_of
from loopcast.develop.rank.prepare import prepare_rank
from loopcast.settings import RankTable

SCHEMA = RankSchema(
    entity="who",
    item="what",
    time="at",
    value="stars",
    length=2,
    entity_features={"age": Feature(kind="numeric", unit="years")},
)
ROW = st.tuples(
    st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(0, 4), st.integers(1, 5)
)


def rows_of(data: RankData) -> list[tuple[str, str, int, int]]:
    """Return interactions as they were written, in the order of the data."""
    names = zip(data.entities[data.entity], data.items[data.item], strict=True)
    day = (data.time - np.datetime64("2026-01-01")).astype("timedelta64[D]").astype(int)
    return [
        (who, what, d, int(v))
        for (who, what), d, v in zip(names, day.tolist(), data.value, strict=True)
    ]


@pytest.mark.parametrize("coded", [False, True])
@given(rows=st.lists(ROW, min_size=1, max_size=30))
def test_rows_in_any_order_become_the_oldest_first(
    rows: list[tuple[str, str, int, int]], coded: bool
) -> None:
    who, what, day, stars = zip(*rows, strict=True)
    table = pd.DataFrame(
        {
            "who": who,
            "what": what,
            "at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(day, unit="D"),
            "stars": stars,
            "age": np.arange(len(rows), dtype=float),
        }
    )
    if coded:
        table["who"] = pd.Categorical(table["who"], list("0abcd"))
        table["what"] = pd.Categorical(table["what"], list("zyx"))
    data = prepare_rank(table, RankTable(), SCHEMA, "stars.csv").data
    expected = sorted(rows, key=lambda row: row[2])  # Python's sort is stable
    assert rows_of(data) == expected
    assert data.entities.tolist() == sorted(set(who))
    assert data.items.tolist() == sorted(set(what))
    last = {row[0]: number for number, row in sorted(enumerate(rows), key=lambda r: r[1][2])}
    assert data.entity_features is not None
    assert data.entity_features["age"].to_dict() == last
    repeats = len(rows) - len({row[:3] for row in rows})
    assert inputs_of(data).repeated == repeats
