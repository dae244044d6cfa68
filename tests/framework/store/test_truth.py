"""Ground truth: late, partial, out of order, repeated, corrected, from several systems."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import DataError, StoreError
from loopcast.store.events import event_table
from loopcast.store.truth import Ingestion, TruthStore, join, truth_table

from .builders import NOON

_FOLDERS = count()


@pytest.fixture
def store(tmp_path: Path) -> TruthStore:
    return TruthStore(str(tmp_path))


def outcomes(days: int = 0, **values: Any) -> pa.Table:
    moment = NOON + timedelta(days=days)
    return truth_table(key=list(values), value=list(values.values()), observed=moment)


def latest(store: TruthStore) -> dict[str, Any]:
    return {
        row["key"]: row["text"] if row["value"] is None else row["value"]
        for row in store.latest("demand").to_pylist()
    }


class TestAdd:
    def test_new_repeated_and_unknown(self, store: TruthStore) -> None:
        first = store.add("demand", outcomes(a=1.0, b=2.0, c=None))
        assert first == Ingestion(
            rows=3, new=2, corrected=0, outdated=0, confirmed=0, repeated=0, unknown=1
        )
        again = store.add("demand", outcomes(a=1.0, b=2.0, c=3.0))
        assert again == Ingestion(rows=3, new=1, corrected=0, outdated=0, confirmed=0, repeated=2)
        assert latest(store) == {"a": 1.0, "b": 2.0, "c": 3.0}

    def test_what_was_observed_last_holds_whatever_came_last(self, store: TruthStore) -> None:
        assert store.add("demand", outcomes(40, a=3.0)).new == 1
        assert store.add("demand", outcomes(0, a=1.0)).outdated == 1
        assert latest(store) == {"a": 3.0}
        assert store.add("demand", outcomes(41, a=4.0)).corrected == 1
        assert store.add("demand", outcomes(0, a=1.0)).repeated == 1
        assert latest(store) == {"a": 4.0}
        assert sorted(store.history("demand")["value"].to_pylist()) == [1.0, 3.0, 4.0]

    def test_an_earlier_outcome_is_kept_though_it_says_what_is_known(
        self, store: TruthStore
    ) -> None:
        assert store.add("demand", outcomes(40, a=1.0)).new == 1
        assert store.add("demand", outcomes(0, a=1.0)).outdated == 1
        assert store.add("demand", outcomes(0, a=1.0)).repeated == 1
        assert latest(store) == {"a": 1.0}
        assert store.history("demand").num_rows == 2

    def test_days_are_counted_and_read_by_their_moments(self, store: TruthStore) -> None:
        for days, found in ((0, {"a": 1.0, "b": 2.0}), (40, {"a": 3.0}), (41, {"c": 3.0})):
            store.add("demand", outcomes(days, **found))
        day = NOON.date()
        counts = {day: 2, day + timedelta(40): 1, day + timedelta(41): 1}
        assert store.counts("demand") == counts
        store.compact("demand", grace=timedelta(0))
        assert store.counts("demand") == counts
        assert store.counts("elsewhere") == {}
        start, end = NOON + timedelta(days=40), NOON + timedelta(days=41)
        assert store.history("demand", start, end)["key"].to_pylist() == ["a"]
        assert store.history("demand", end)["key"].to_pylist() == ["c"]
        assert sorted(store.history("demand", None, start)["key"].to_pylist()) == ["a", "b"]

    def test_a_confirmation_holds_against_an_earlier_correction(self, store: TruthStore) -> None:
        store.add("demand", outcomes(0, a=1.0))
        assert store.add("demand", outcomes(9, a=1.0)).confirmed == 1
        store.add("demand", outcomes(5, a=2.0))
        assert latest(store) == {"a": 1.0}

    def test_a_row_twice_in_one_delivery(self, store: TruthStore) -> None:
        twice = pa.concat_tables([outcomes(a=1.0), outcomes(a=1.0)])
        assert store.add("demand", twice) == Ingestion(
            rows=2, new=1, corrected=0, outdated=0, confirmed=0, repeated=1
        )

    def test_texts_and_truth_values(self, store: TruthStore) -> None:
        store.add("demand", outcomes(a="paid"))
        store.add("demand", outcomes(1, a="late", b="paid"))
        store.add("demand", outcomes(c=True))
        assert latest(store) == {"a": "late", "b": "paid", "c": 1.0}

    def test_segments_keep_equal_keys_apart(self, store: TruthStore) -> None:
        table = truth_table(key=["a", "a"], value=[1, 2], segment=["x", "y"], observed=NOON)
        assert store.add("demand", table).new == 2
        assert store.add("demand", table).repeated == 2

    def test_systems_that_disagree_at_one_moment(self, store: TruthStore) -> None:
        systems = [
            truth_table(key=["a"], value=[value], observed=NOON, source=source)
            for value, source in ((1.0, "meter"), (2.0, "billing"))
        ]
        for table in systems:
            store.add("demand", table)
        other = TruthStore("memory://truth-disagree")
        for table in systems[::-1]:
            other.add("demand", table)
        assert latest(store) == latest(other) == {"a": 1.0}

    @given(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 80)), max_size=8
        ).flatmap(st.permutations)
    )
    def test_the_order_of_deliveries_does_not_matter(
        self, rows: list[tuple[str, int, int]]
    ) -> None:
        in_time = sorted(rows, key=lambda row: (row[2], row[1]))
        expected = {key: float(value) for key, value, _ in in_time}
        store = TruthStore(f"memory://truth-{next(_FOLDERS)}")
        for key, value, day in rows:
            store.add("demand", outcomes(day, **{key: value}))
        assert latest(store) == expected
        store.compact("demand", grace=timedelta())
        assert latest(store) == expected

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"key": ["a", None]}, "key of the ground truth is missing in 1 rows, the first .* 1"),
            ({"observed": datetime(2026, 1, 1)}, "observed of the ground truth has no time zone"),
            ({"value": [1.0, np.inf]}, "infinite"),
            ({"value": [1.0]}, "value of the ground truth has 1 values, not 2"),
            ({"observed": ["x", "y"]}, "no time zone"),
        ],
    )
    def test_refuses_what_cannot_be_right(self, changes: dict[str, Any], message: str) -> None:
        plain: dict[str, Any] = {"key": ["a", "b"], "value": [1.0, 2.0], "observed": NOON}
        with pytest.raises(DataError, match=message):
            truth_table(**(plain | changes))

    def test_a_damaged_file_is_named(self, store: TruthStore, tmp_path: Path) -> None:
        store.add("demand", outcomes(a=1.0))
        [file] = tmp_path.rglob("*.parquet")
        file.write_bytes(b"PAR1 damaged PAR1")
        with pytest.raises(StoreError, match=file.name):
            store.latest("demand")


class TestJoin:
    def events(self, keys: list[str], segment: Any = "") -> pa.Table:
        return event_table(
            key=keys,
            time=datetime(2026, 1, 1, tzinfo=UTC),
            logical_model="demand",
            segment=segment,
            version="0" * 16,
            role="champion",
            outputs={"mean": np.arange(len(keys), dtype=float)},
        )

    def test_keeps_rows_and_order(self, store: TruthStore) -> None:
        store.add("demand", outcomes(a=1.0, b=2.0, elsewhere=9.0))
        store.add("demand", outcomes(1, b=3.0))
        joined = join(self.events(["b", "x", "a", "b"]), store.latest("demand"))
        assert joined["value"].to_pylist() == [3.0, None, 1.0, 3.0]
        assert joined["key"].to_pylist() == ["b", "x", "a", "b"]

    def test_by_segment(self, store: TruthStore) -> None:
        store.add("demand", truth_table(key=["a"], value=[7], segment="north", observed=NOON))
        events = self.events(["a", "a"], segment=["north", "south"])
        assert join(events, store.latest("demand"))["value"].to_pylist() == [7.0, None]

    def test_what_came_before_an_event_that_comes_again_is_not_its_outcome(
        self, store: TruthStore
    ) -> None:
        made = datetime(2026, 1, 1, tzinfo=UTC)
        for key, hours in (("a", -1), ("b", 0), ("c", 1)):
            observed = made + timedelta(hours=hours)
            store.add("demand", truth_table(key=[key], value=[7], observed=observed, source="shop"))
        events, latest = self.events(["c", "x", "b", "a"]), store.latest("demand")
        joined = join(events, latest, task="rank")
        assert joined["value"].to_pylist() == [7.0, None, None, None]
        assert joined["told_by"].to_pylist() == ["shop", None, None, None]
        assert join(events, latest)["value"].to_pylist() == [7.0, None, 7.0, 7.0]

    def test_nothing_known(self, store: TruthStore) -> None:
        assert join(self.events(["a"]), store.latest("demand"))["value"].to_pylist() == [None]
        assert join(self.events([]), store.latest("demand")).num_rows == 0
