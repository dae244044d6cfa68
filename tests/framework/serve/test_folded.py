from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from loopcast.serve.answer_files import AnswerFile
from loopcast.serve.folded import Folded
from loopcast.serve.treatment import work_list

Run = tuple[str, str | None, list[float]]


def folded(runs: list[Run]) -> Folded:
    who, why, numbers = zip(*runs, strict=True)
    reasons = pa.array(why, pa.large_string()).dictionary_encode()
    return Folded(
        shared={"who": pa.array(who), "reason": reasons},
        own={"number": pa.array([number for own in numbers for number in own])},
        counts=np.array([len(own) for own in numbers]),
        known=("who", "number"),
    )


@given(
    runs=st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob"]),
            st.sampled_from(["far", None]),
            st.lists(st.floats(0.0, 1.0), min_size=1, max_size=4),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_rows_are_those_of_the_runs_one_by_one(runs: list[Run]) -> None:
    rows = [(who, number, why) for who, why, numbers in runs for number in numbers]
    table = folded(runs)
    assert len(table) == len(rows)
    assert [tuple(row.values()) for row in table.whole().to_pylist()] == rows
    chosen = table.some(pa.array([who == "bob" for who, *_ in runs])).whole()
    assert [tuple(row.values()) for row in chosen.to_pylist()] == [r for r in rows if r[0] == "bob"]


def test_a_file_has_all_rows_and_says_where_none_is_missing(tmp_path: Path) -> None:
    with AnswerFile(tmp_path / "numbers.parquet") as file:
        file.write(folded([("ann", "far", [1.0, 2.0]), ("bob", None, [3.0])]))
        file.write(folded([("cid", None, [4.0])]))
    found = pq.read_table(tmp_path / "numbers.parquet")
    assert found.to_pydict() == {
        "who": ["ann", "ann", "bob", "cid"],
        "number": [1.0, 2.0, 3.0, 4.0],
        "reason": ["far", "far", None, None],
    }
    assert [field.nullable for field in found.schema] == [False, False, True]


def test_the_work_list_is_of_whole_runs() -> None:
    table = Folded(
        shared={"who": pa.array(["ann", "bob"]), "action": pa.array(["served", "person"])},
        own={"place": pa.array([1, 2, 1, 2])},
        counts=np.array([2, 2]),
    )
    assert work_list(table).to_pydict() == {
        "who": ["bob", "bob"],
        "place": [1, 2],
        "action": ["person", "person"],
    }
