"""Each distribution's wheel holds what it needs to work outside the repository."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = sorted(
    path.parent for pattern in ("*/src", "plugins/*/src") for path in ROOT.glob(pattern)
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=DISTRIBUTIONS, ids=lambda path: path.name)
def distribution(request: pytest.FixtureRequest) -> Path:
    """A folder with a pyproject.toml of its own."""
    folder: Path = request.param
    return folder


@pytest.fixture(scope="module")
def wheel(distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Its wheel, built from its source distribution."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the path; install it with: pip install uv")
    folder = tmp_path_factory.mktemp("wheels")
    command = [uv, "build", "--quiet", "--out-dir", str(folder), str(distribution)]
    subprocess.run(command, check=True)
    [path] = folder.glob("*.whl")
    return ZipFile(path)


def contents(wheel: ZipFile, name: str) -> str:
    [path] = [path for path in wheel.namelist() if path.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def metadata(wheel: ZipFile) -> Message:
    return Parser().parsestr(contents(wheel, "METADATA"))


def test_it_holds_every_file_of_its_package(wheel: ZipFile, distribution: Path) -> None:
    source = distribution / "src"
    expected = {
        str(path.relative_to(source))
        for package in source.iterdir()
        for path in _files(package)
        if "__pycache__" not in path.parts
    }
    packed = {path for path in wheel.namelist() if ".dist-info/" not in path}
    assert packed == expected


def _files(folder: Path) -> list[Path]:
    """All files below a folder, also through symbolic links."""
    found = []
    for path in folder.iterdir():
        found += _files(path) if path.is_dir() else [path]
    return found


def test_its_types_are_for_others_too(wheel: ZipFile) -> None:
    assert any(path.endswith("/py.typed") for path in wheel.namelist())


def test_its_metadata(wheel: ZipFile, distribution: Path) -> None:
    declared = tomllib.loads((distribution / "pyproject.toml").read_text())["project"]
    found = metadata(wheel)
    assert found["Name"] == declared["name"]
    assert found["License-Expression"] == "Apache-2.0"
    assert found["License-File"] == "LICENSE"
    assert found["Summary"]
    assert "Apache License" in contents(wheel, "licenses/LICENSE")


def test_plugins_and_only_they_have_an_entry_point(wheel: ZipFile, distribution: Path) -> None:
    package = next((distribution / "src").iterdir()).name
    entry_points = "\n".join(
        wheel.read(path).decode() for path in wheel.namelist() if path.endswith("entry_points.txt")
    )
    if distribution.parent.name == "plugins":
        assert f"[loopcast]\n{distribution.name} = {package}" in entry_points
    else:
        assert "[loopcast]" not in entry_points


def test_the_core_brings_its_configuration_and_its_command(
    wheel: ZipFile, distribution: Path
) -> None:
    if distribution.name != "framework":
        return
    assert "loopcast/conf/config.yaml" in wheel.namelist()
    assert "loopcast = loopcast.cli:main" in contents(wheel, "entry_points.txt")
