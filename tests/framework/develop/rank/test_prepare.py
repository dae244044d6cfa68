from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import DataError, Feature, RankData, RankSchema
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


def sold(*days: str, what: str = "x") -> pd.DataFrame:
    return pd.DataFrame({"at": days}).assign(who="a", what=what, stars=1, age=30.0)


def test_nothing_is_chosen_after_the_run_but_in_another_zone() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    table = sold("2025-12-31", "2026-01-02T11:59", "2099-01-01", "2026-01-02T12:01")
    message = (
        r"stars.csv: column 'at': times in the future \(2\), the first '2099-01-01' in row 3; "
        r"expected none after the moment of the run, 2026-01-01 \(job.at\)"
    )
    with pytest.raises(DataError, match=message):
        prepare_rank(table, RankTable(), SCHEMA, "stars.csv", now=now)
    prepared = prepare_rank(table[:2], RankTable(), SCHEMA, "stars.csv", now=now)
    assert len(prepared.data.item) == 2
    assert len(prepare_rank(table, RankTable(), SCHEMA, "stars.csv").data.item) == 4


@pytest.mark.parametrize("mark", ["\n", "\x1e"])
def test_names_that_could_not_be_told_apart_in_a_list_are_refused(mark: str) -> None:
    table = pd.concat([sold("2025-12-31"), sold("2025-12-31", what=f"tea{mark}pot")])
    with pytest.raises(DataError, match=r"item 'tea\\(n|x1e)pot' has a line break or a record sep"):
        prepare_rank(table, RankTable(), SCHEMA, "stars.csv")
