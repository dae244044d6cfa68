"""What all tests share: one BLAS thread, a home of their own, and no skip where none is allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Before NumPy is imported: the tests run two at a time.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

hypothesis.settings.register_profile("loopcast", deadline=None, derandomize=True)
hypothesis.settings.load_profile("loopcast")


class SkipsAreFailures:
    """Turns every skip into a failure, for a machine on which nothing may be missing."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Any:
        """Fail a test that was skipped, by a mark, a fixture or its own decision."""
        return self._without_skip((yield))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Any:
        """Fail a module that was skipped as a whole."""
        return self._without_skip((yield))

    @staticmethod
    def _without_skip(report: Any) -> Any:
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            report.outcome = "failed"
            report.longrepr = f"LOOPCAST_REQUIRE_SERVERS=1 allows no skip: {reason}"
        return report


def pytest_configure(config: pytest.Config) -> None:
    """Allow no skip where LOOPCAST_REQUIRE_SERVERS=1."""
    if os.environ.get("LOOPCAST_REQUIRE_SERVERS") == "1":
        config.pluginmanager.register(SkipsAreFailures(), "skips-are-failures")


@pytest.fixture(autouse=True)
def loopcast_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home folder of its own; nothing is written into the working folder."""
    home = tmp_path / "loopcast-home"
    monkeypatch.setenv("LOOPCAST_HOME", str(home))
    return home
