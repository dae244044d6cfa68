"""Each contract in the root pyproject.toml notices a deliberate violation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*ROOT.glob("*/src/*"), *ROOT.glob("plugins/*/src/*")]


@dataclass(frozen=True)
class Violation:
    """An import that must not be, written into a module that may be new."""

    contract: str
    module: str
    statement: str
    complaint: str


VIOLATIONS = [
    Violation(
        "rooms",
        "loopcast/api/errors.py",
        "import loopcast.store",
        "loopcast.api.errors -> loopcast.store",
    ),
    Violation(
        "rooms",
        "loopcast/store/extra.py",
        "import loopcast.cli",
        "loopcast.store.extra -> loopcast.cli",
    ),
    Violation("rooms", "loopcast/helpers.py", "", "loopcast.helpers"),
    Violation(
        "core-without-plugins",
        "loopcast/develop/extra.py",
        "import loopcast_forecasting",
        "loopcast.develop.extra -> loopcast_forecasting",
    ),
    Violation(
        "plugins-see-the-api",
        "loopcast_forecasting/extra.py",
        "from loopcast import store",
        "loopcast_forecasting.extra -> loopcast.store",
    ),
    Violation(
        "edge-alone",
        "loopcast_edge/extra.py",
        "from loopcast.api import Event",
        "loopcast_edge.extra -> loopcast.api",
    ),
    Violation(
        "wire-only",
        "loopcast/store/extra.py",
        "import loopcast_edge",
        "loopcast.store.extra -> loopcast_edge",
    ),
    Violation(
        "wire-below-agent",
        "loopcast_edge/wire/extra.py",
        "from loopcast_edge.agent import outbox",
        "loopcast_edge.wire.extra -> loopcast_edge.agent",
    ),
    Violation(
        "hydra-in-config",
        "loopcast/cli/extra.py",
        "import omegaconf",
        "loopcast.cli.extra",
    ),
    Violation(
        "sql-in-store",
        "loopcast/develop/extra.py",
        "from sqlalchemy import select",
        "loopcast.develop.extra",
    ),
    Violation(
        "alembic-in-upgrade",
        "loopcast/store/extra.py",
        "from alembic import command",
        "loopcast.store.extra",
    ),
    Violation(
        "terminal-in-cli",
        "loopcast/iterate/extra.py",
        "import rich.console",
        "loopcast.iterate.extra",
    ),
]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of all packages, with a plain file for everything that is not Python."""
    for package in SOURCES:
        shutil.copytree(
            package,
            tmp_path / "src" / package.name,
            ignore=shutil.ignore_patterns("__pycache__", "conf", "static", "templates"),
        )
    return tmp_path / "src"


def lint(sources: Path, contract: str | None = None) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the root pyproject.toml on a copy of the sources."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    command += ["--config", str(ROOT / "pyproject.toml")]
    command += ["--contract", contract] if contract else []
    return subprocess.run(
        command,
        cwd=sources,
        env={**os.environ, "PYTHONPATH": str(sources), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def settings() -> dict[str, Any]:
    """The tools' settings in the root pyproject.toml."""
    tools: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    return tools


def test_the_contracts_are_kept(sources: Path) -> None:
    result = lint(sources)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda v: f"{v.contract}:{v.module}")
def test_a_violation_is_noticed(violation: Violation, sources: Path) -> None:
    module = sources / violation.module
    text = module.read_text() if module.exists() else ""
    module.write_text(f"{text}\n{violation.statement}\n")
    result = lint(sources, violation.contract)
    contracts = {c["id"]: c["name"] for c in settings()["importlinter"]["contracts"]}
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{contracts[violation.contract]} BROKEN" in result.stdout
    assert violation.complaint in result.stdout


def test_every_contract_has_a_violation() -> None:
    contracts = {contract["id"] for contract in settings()["importlinter"]["contracts"]}
    assert contracts == {violation.contract for violation in VIOLATIONS}


def test_every_distribution_is_in_the_contracts() -> None:
    packages = {package.name for package in SOURCES}
    rules = {c["id"]: c for c in settings()["importlinter"]["contracts"]}
    plugins = packages - {"loopcast", "loopcast_edge"}
    assert set(settings()["importlinter"]["root_packages"]) == packages
    assert set(rules["plugins-see-the-api"]["source_modules"]) == plugins
    assert set(rules["core-without-plugins"]["forbidden_modules"]) == plugins
    assert set(rules["edge-alone"]["forbidden_modules"]) == {"loopcast", *plugins}
