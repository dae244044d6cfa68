from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from loopcast.api import DataError, InvalidRecordError
from loopcast.store.readers.text import CsvOptions, CsvReader


def test_a_file_is_read_relative_to_the_base(tmp_path: Path) -> None:
    written = pd.DataFrame({"time": ["2014-01-01T00:00:00Z"], "demand": [1.5]})
    written.to_csv(tmp_path / "t.csv.gz", index=False, sep=";")
    options = CsvOptions(path="t.csv.gz", separator=";")
    pd.testing.assert_frame_equal(CsvReader().read(options, tmp_path), written)


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
