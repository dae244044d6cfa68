"""The pins in the root pyproject.toml are the versions that the tests ran with."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {
    "loopcast",
    "loopcast-credit",
    "loopcast-edge",
    "loopcast-forecasting",
    "loopcast-recommender",
    "loopcast-workspace",
}
# What virtual environments are born with, and examples of plugins that a test may have installed.
BARE = {"pip", "setuptools", "wheel", "uv"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    uv = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]
    return dict(pin.split("==") for pin in uv["constraint-dependencies"])


def test_the_environment_is_the_pinned_one() -> None:
    installed = {normal(found.metadata["Name"]): found.version for found in distributions()}
    foreign = {
        name: version
        for name, version in installed.items()
        if name not in OURS | BARE and pins().get(name) != version
    }
    assert not foreign, "run .ci/pins.py, whose first lines say how"


def test_pins_are_sorted_and_exact() -> None:
    names = list(pins())
    assert names == sorted(names)
    assert not OURS & set(names)
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins().values())


def test_the_oldest_pythons_version_is_pinned_for_all(tmp_path: Path) -> None:
    registry = 'source = { registry = "https://example.org/simple" }'
    lock = "\n".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n{source}\n'
        for name, version, source in [
            ("numpy", "2.10.1", registry),
            ("numpy", "2.9.3", registry),
            ("click", "8.1", registry),
            ("loopcast", "0.1.0", 'source = { editable = "framework" }'),
        ]
    )
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "pins.py").write_text((ROOT / ".ci" / "pins.py").read_text())
    (tmp_path / "uv.lock").write_text(lock)
    project = tmp_path / "pyproject.toml"
    project.write_text("[tool.uv]\nconstraint-dependencies = [\n]\n\n[tool.other]\n")
    script = [sys.executable, str(tmp_path / ".ci" / "pins.py")]
    subprocess.run([*script, "write"], check=True)
    listed = subprocess.run([*script, "list"], check=True, capture_output=True, text=True)
    assert listed.stdout.split() == ["click==8.1", "numpy==2.9.3"]
    assert "[tool.other]" in project.read_text()
    subprocess.run([*script, "clear"], check=True)
    assert project.read_text() == "[tool.uv]\nconstraint-dependencies = [\n]\n\n[tool.other]\n"


@pytest.mark.parametrize(
    "pattern", ["pyproject.toml", "*/pyproject.toml", "plugins/*/pyproject.toml"]
)
def test_no_package_index_is_named(pattern: str) -> None:
    for path in ROOT.glob(pattern):
        assert "index-url" not in path.read_text()
        assert "[[tool.uv.index]]" not in path.read_text()
