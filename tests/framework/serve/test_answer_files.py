from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loopcast.serve.answer_files import AnswerFile, answer_table
from loopcast.serve.answers import Answers, SegmentAnswers
from loopcast.serve.places import coded

NAMES = pa.array(["tea", "pot", None, "tea"], pa.large_string())


def segment(name: str, codes: list[int | None]) -> SegmentAnswers[Answers]:
    items = coded(NAMES, pa.array(codes, pa.int64()))
    table = pa.table({"item": items, "place": pa.array(range(len(codes)), pa.int16())})
    answers = Answers(
        table=table, key=codes, version=np.full(len(codes), "v"), action="served", outputs={}
    )
    return SegmentAnswers(segment=name, serving=None, answers=answers)


BATCH = [segment("a", [0, 3, 1]), segment("b", []), segment("c", [2, 1, None, 3])]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_codes_are_written_and_texts_are_read_in_batches_of_any_size(
    tmp_path: Path, size: int
) -> None:
    with AnswerFile(tmp_path / "items.parquet", {"unit": "MW"}) as file:
        for start in range(0, 3, size):
            file.write(answer_table(BATCH[start : start + size]))
    found = pq.read_table(tmp_path / "items.parquet")
    assert found.schema.metadata == {b"unit": b"MW"}
    expected = {"item": pa.large_string(), "place": pa.int16(), "segment": pa.large_string()}
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == expected
    assert found["item"].to_pylist() == ["tea", "tea", "pot", None, "pot", None, "tea"]
    assert found["segment"].to_pylist() == ["a"] * 3 + ["c"] * 4


def test_a_batch_is_one_piece_with_one_dictionary_of_different_texts() -> None:
    table = answer_table(BATCH)
    assert table is not None
    assert table["item"].num_chunks == 1
    assert table["item"].chunk(0).dictionary.to_pylist() == ["tea", "pot"]
    assert answer_table([SegmentAnswers(segment="d", serving=None, reason="off")]) is None


def test_a_run_without_rows_leaves_none_of_an_earlier_run(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    with AnswerFile(path) as file:
        file.write(answer_table(BATCH))
    with pytest.raises(KeyError), AnswerFile(path):
        raise KeyError
    assert path.exists()
    with AnswerFile(path) as file:
        file.write(None)
    assert not path.exists()
