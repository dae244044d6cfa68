from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from loopcast.api import DataError
from loopcast.store.readers.file import FileOptions
from loopcast.store.readers.parquet import ParquetReader

TABLE = pd.DataFrame({"time": ["2014-01-01T00:00:00Z"], "demand": [1.5]})


def test_a_file_is_read_relative_to_the_base(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(
        ParquetReader().read(FileOptions(path="t.parquet"), tmp_path), TABLE
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"bad\.parquet does not exist; set data\.options\.path"),
        (b"", r"bad\.parquet is empty \(0 bytes\); expected a table"),
        (b"time,demand\n", r"bad\.parquet is not a Parquet file: "),
    ],
)
def test_unreadable_parquet_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "bad.parquet").write_bytes(content)
    with pytest.raises(DataError, match=message):
        ParquetReader().read(FileOptions(path="bad.parquet"), tmp_path)


def family(column: object, groups: int, folder: Path) -> tuple[pd.DataFrame, FileOptions]:
    """Write a table of segments in some row groups, and return it as it was read whole."""
    rows = len(column)  # type: ignore[arg-type]
    table = pd.DataFrame(
        {
            "segment": column,
            "who": [f"c{row % 3}" for row in range(rows)],
            "key": [f"row {row:040d}" for row in range(rows)],
            "day": pd.date_range("2026-01-01", periods=rows, tz="UTC").as_unit("us"),
        }
    )
    table.loc[rows // 2, "who"] = None
    table.to_parquet(folder / "t.parquet", row_group_size=-(-rows // groups))
    options = FileOptions(path="t.parquet")
    return ParquetReader().read(options, folder), options


SEGMENTS = {
    "texts in order": [f"s{row // 40}" for row in range(200)],
    "texts anyhow": [f"s{7 * row % 5}" for row in range(200)],
    "texts of one letter more": [f"s{row % 12}" for row in range(200)],
    "numbers": [row // 40 - 2 for row in range(200)],
    "fractions": [row // 40 / 2 for row in range(200)],
    "days": [date(2026, 1, 1 + row // 40) for row in range(200)],
    "categories": pd.Categorical([f"s{row // 40}" for row in range(200)]),
}


@pytest.mark.parametrize("groups", [1, 7])
@pytest.mark.parametrize("held", SEGMENTS)
def test_the_rows_of_segments_are_those_of_the_whole_file(
    tmp_path: Path, held: str, groups: int
) -> None:
    whole, options = family(SEGMENTS[held], groups, tmp_path)
    reader = ParquetReader()
    names = reader.segments(options, tmp_path, "segment")
    assert sorted(names) == sorted(set(whole["segment"]))
    for some in (names[:1], names[3:0:-2], names, [names[0], names[0], names[-1]]):
        found = reader.read_segments(options, tmp_path, "segment", some)
        expected = whole[whole["segment"].isin(some)].reset_index(drop=True)
        assert isinstance(found["who"].dtype, pd.CategoricalDtype)
        assert found["who"].cat.categories.is_monotonic_increasing
        assert found["key"].dtype == "str"  # each once: there is nothing to share
        own = found.astype({"segment": whole["segment"].dtype, "who": "str"})
        pd.testing.assert_frame_equal(own, expected)


def test_only_row_groups_of_the_segments_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, options = family(SEGMENTS["texts in order"], 5, tmp_path)
    asked = []
    iter_batches = pq.ParquetFile.iter_batches

    def noted(file: object, **arguments: object) -> object:
        asked.append(arguments["row_groups"])
        return iter_batches(file, **arguments)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", noted)
    found = ParquetReader().read_segments(options, tmp_path, "segment", ["s4", "s1"])
    assert (asked, len(found)) == ([[1, 4]], 80)
    assert ParquetReader().read_segments(options, tmp_path, "segment", ["s11"]).empty


def test_what_a_file_says_of_itself_is_read_once_and_anew_where_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, options = family(SEGMENTS["texts in order"], 5, tmp_path)
    read_metadata, times = pq.read_metadata, []

    def noted(path: Path) -> object:
        times.append(path)
        return read_metadata(path)

    monkeypatch.setattr(pq, "read_metadata", noted)
    reader = ParquetReader()
    for name in ("s4", "s1", "s3"):
        assert len(reader.read_segments(options, tmp_path, "segment", [name])) == 40
    assert len(times) == 1
    family([f"s{row // 20}" for row in range(200)], 5, tmp_path)
    assert len(reader.read_segments(options, tmp_path, "segment", ["s4"])) == 20
    assert len(reader.segments(options, tmp_path, "segment")) == 10
    assert len(times) == 2


def test_a_file_without_the_segments_column_is_refused(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "t.parquet")
    options = FileOptions(path="t.parquet")
    message = r"t\.parquet: no column 'shop' \(columns: time, demand\)"
    with pytest.raises(DataError, match=message):
        ParquetReader().segments(options, tmp_path, "shop")
    with pytest.raises(DataError, match=message):
        ParquetReader().read_segments(options, tmp_path, "shop", ["x"])
    TABLE.assign(shop=pd.Series([None], dtype="str")).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 'shop': 1 missing values"):
        ParquetReader().segments(options, tmp_path, "shop")


def damage(file: Path, *, last: bool) -> None:
    """Write another byte where the page of the column ``who`` begins, or where it ends."""
    chunk = pq.read_metadata(file).row_group(0).column(1)
    end = chunk.dictionary_page_offset + chunk.total_compressed_size
    content = bytearray(file.read_bytes())
    content[end - 1 if last else chunk.data_page_offset] = 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("last", "problem"), [(False, "page header"), (True, "indices invalid: .*out of bounds: 3")]
)
def test_a_damaged_page_is_refused(tmp_path: Path, last: bool, problem: str) -> None:
    table = pd.DataFrame({"segment": ["s1"] * 2000, "who": ["a", "b", "c", "c"] * 500})
    table.to_parquet(tmp_path / "t.parquet", compression=None)
    damage(tmp_path / "t.parquet", last=last)
    with pytest.raises(DataError, match=rf"(?s)t\.parquet is not a Parquet file: .*{problem}"):
        ParquetReader().read_segments(FileOptions(path="t.parquet"), tmp_path, "segment", ["s1"])
