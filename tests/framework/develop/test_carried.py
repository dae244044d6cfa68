from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from cloudpickle import dumps

from loopcast.develop.carried import LARGE, SMALL, Carried, packed, unpacked

COUNT = LARGE // 8
"""Numbers of 8 bytes that make a column a large one."""


def column(count: int = COUNT) -> pa.Array:
    return pa.array(np.arange(count, dtype=np.float64))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_large_columns_go_by_a_file_that_is_gone_when_they_arrive(tmp_path: Path) -> None:
    numbers = column(4 * COUNT)
    texts = numbers.cast(pa.large_string()).dictionary_encode()
    table = pa.table({"number": numbers, "text": texts}).slice(7)
    series = pd.Series(texts.dictionary.to_pylist(), dtype="str")
    sent = packed((table, series), tmp_path)
    assert [sent.file] == list(tmp_path.iterdir())
    assert sent.sizes[0] < LARGE
    columns, values = unpacked(sent)
    assert not list(tmp_path.iterdir())
    columns.validate(full=True)
    assert columns.equals(table)
    pd.testing.assert_series_equal(values, series)


@pytest.mark.skipif(sys.platform != "linux", reason="it lists what a process has open")
def test_columns_that_are_kept_keep_no_file_open(tmp_path: Path) -> None:
    sent = packed([column() for _ in range(20)], tmp_path)
    assert len(sent.sizes) == 1 + 20
    before = open_files()
    kept = unpacked(sent)
    assert open_files() == before
    assert all(each.equals(column()) for each in kept)


def test_arrays_that_may_be_changed_arrive_as_ones_own(tmp_path: Path) -> None:
    numbers = np.arange(COUNT, dtype=np.float64)
    sent = packed((numbers, pd.DataFrame({"a": numbers})), tmp_path)
    assert len(sent.sizes) == 1
    found, frame = unpacked(sent)
    found[3] = -1.0
    frame.iloc[3, 0] = -1.0
    assert found.sum() == frame["a"].sum() == numbers.sum() - 4.0


def test_small_things_take_no_file(tmp_path: Path) -> None:
    sent = packed({"numbers": [1.0]}, tmp_path)
    assert sent == Carried(content=sent.content)
    assert len(sent.content) <= SMALL
    assert unpacked(sent) == {"numbers": [1.0]}


def test_what_travels_in_a_message_is_small(tmp_path: Path) -> None:
    for thing in (bytes(SMALL), bytes(10 * LARGE), column(), [column(4)] * 9):
        assert len(dumps(packed(thing, tmp_path))) <= 2 * SMALL


def test_small_columns_are_kept_with_all_else(tmp_path: Path) -> None:
    sent = packed({"numbers": column(COUNT - 1)}, tmp_path)
    assert len(sent.sizes) == 1
    assert unpacked(sent)["numbers"].equals(column(COUNT - 1))


def test_columns_of_a_function_travel_with_it(tmp_path: Path) -> None:
    numbers = column()
    sent = packed(lambda: numbers[3].as_py() + 1, tmp_path)
    assert sent.file is not None
    assert unpacked(sent)() == 4.0


def test_each_column_begins_where_arrow_wants_it_to(tmp_path: Path) -> None:
    columns = [pa.array(np.arange(LARGE + odd, dtype=np.int8)) for odd in (1, 0, 63)]
    found = unpacked(packed(columns, tmp_path))
    assert all(own.equals(column) for own, column in zip(found, columns, strict=True))
    assert [own.buffers()[1].address % 64 for own in found] == [0, 0, 0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="it writes to a device without room")
def test_where_there_is_no_room_nothing_is_left_and_all_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def full(self: Path, mode: str) -> IO[Any]:
        opened(self, mode).close()
        return opened(Path("/dev/full"), "wb")

    monkeypatch.setattr(Path, "open", full)
    for folder in (tmp_path, tmp_path / "removed"):
        sent = packed([column(), column()], folder)
        assert sent == Carried(content=sent.content)
        assert not list(tmp_path.iterdir())
        assert all(each.equals(column()) for each in unpacked(sent))
