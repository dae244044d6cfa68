from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from loopcast.develop.carried import LARGE, Packed, packed, unpacked

COUNT = LARGE // 8
"""Numbers of 8 bytes that make an array a large one."""


def test_large_arrays_go_by_files_that_are_gone_when_they_arrive(tmp_path: Path) -> None:
    numbers = np.arange(4 * COUNT, dtype=np.float64)
    texts = pa.array([f"{number}" for number in range(4 * COUNT)]).dictionary_encode()
    table = pa.table({"number": numbers, "text": texts}).slice(7)
    frame = pd.DataFrame({"a": numbers, "b": numbers.astype(np.float32)})
    sent = packed((numbers, table, frame), tmp_path)
    assert sorted(sent.files) == sorted(tmp_path.iterdir())
    assert len(sent.rest) < LARGE
    array, columns, rows = unpacked(sent)
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(array, numbers)
    columns.validate(full=True)
    assert columns.equals(table)
    pd.testing.assert_frame_equal(rows, frame)


def test_what_arrives_may_be_changed(tmp_path: Path) -> None:
    numbers = np.arange(COUNT, dtype=np.float64)
    found = unpacked(packed(numbers, tmp_path))
    found[3] = -1.0
    assert found.sum() == numbers.sum() - 4.0
    assert numbers[3] == 3.0


def test_small_things_take_no_file(tmp_path: Path) -> None:
    sent = packed({"numbers": np.arange(COUNT - 1, dtype=np.float64)}, tmp_path)
    assert sent.files == ()
    assert unpacked(sent)["numbers"].sum() == (COUNT - 1) * (COUNT - 2) / 2


def test_arrays_of_a_function_travel_with_it(tmp_path: Path) -> None:
    numbers = np.ones(COUNT)
    sent = packed(lambda: numbers.sum() + 1, tmp_path)
    assert len(sent.files) == 1
    assert unpacked(sent)() == COUNT + 1


def test_where_there_is_no_room_nothing_is_left_and_all_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(self: Path, data: memoryview) -> int:
        write(self, data[:100])
        if len(list(tmp_path.iterdir())) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return 100

    monkeypatch.setattr(Path, "write_bytes", full)
    first, second = np.arange(COUNT), -np.arange(COUNT)
    for folder in (tmp_path, tmp_path / "removed"):
        sent = packed((first, second), folder)
        assert sent == Packed(rest=sent.rest)
        assert not list(tmp_path.iterdir())
        np.testing.assert_array_equal(unpacked(sent), (first, second))
