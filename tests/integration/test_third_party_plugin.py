"""The example of a third-party plugin: installed as a stranger's package, listed, used by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "01_third_party_plugin"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package alone is installed, built from a copy of its source."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the path; install it with: pip install uv")
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(EXAMPLE, source)
    folder = tmp_path_factory.mktemp("site")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps"]
    subprocess.run([*command, "--target", str(folder), str(source)], check=True)
    return folder


def start(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from loopcast.cli import main; main()", *arguments],
        env={**os.environ, "PYTHONPATH": str(site), "LOOPCAST_HOME": str(folder / "home")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_installed_from_a_wheel(site: Path) -> None:
    assert (site / "loopcast_acme" / "conf" / "template" / "acme_recent_days.yaml").is_file()
    assert (site / "loopcast_acme" / "py.typed").is_file()


def test_it_is_listed(site: Path, tmp_path: Path) -> None:
    done = start(site, tmp_path, "plugins", "--json")
    [acme] = [entry for entry in json.loads(done.stdout) if entry["name"] == "acme"]
    assert acme == {
        "name": "acme",
        "package": "loopcast-acme",
        "version": "0.1.0",
        "status": "loaded",
        "reason": "",
        "offers": {"template": ["acme.similar_day"], "conf": ["pkg://loopcast_acme.conf"]},
    }


def test_its_hyperparameters_are_checked(site: Path, tmp_path: Path) -> None:
    wrong = "template.hyperparameters.neigbours=3"
    done = start(site, tmp_path, "run", "template=acme.similar_day", wrong)
    assert done.returncode == 1
    assert done.stderr == (
        "loopcast: error: the command line: template.hyperparameters.neigbours: unknown key; "
        "did you mean 'neighbours'? Valid: day_types, neighbours, recency, window\n"
    )


@pytest.mark.parametrize("template", ["acme.similar_day", "acme_recent_days"])
def test_it_is_used_by_name(site: Path, tmp_path: Path, template: str) -> None:
    few = ["backtest.origins=14", "backtest.calibration=7", "engine.workers=1"]
    done = start(site, tmp_path, "run", f"template={template}", *few)
    assert done.returncode == 0, done.stderr
    [summary] = (tmp_path / "home" / "runs").glob("*/*/summary.json")
    assert json.loads(summary.read_text())["template"] == "acme.similar_day"


def test_its_own_tests_pass(site: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=tmp_path,
        check=True,
    )
