"""The installed commands in several processes at once, on one PostgreSQL."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from loopcast.store.catalog import Catalog

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))
MODEL = "credit_application"
LOW_RISK = tuple(
    f"logical_model.risk.{name}"
    for name in (
        "audience=internal", "impact=minor", "lifetime=months", "reversibility=reversible",
        "personal_data=none",
    )
)  # fmt: skip
"""Answers by which a version that has earned it is released by the run that trained it."""

pytestmark = pytest.mark.slow


class Told:
    """What a command said, once it has ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.out, self.error = process.communicate(timeout=300)
        self.code = process.returncode

    @property
    def done(self) -> bool:
        """Whether it did what it was told; otherwise it has to say why not, in one line."""
        assert "Traceback" not in self.error, self.error
        assert self.code == 0 or self.error.startswith("loopcast: error: "), self.error
        return self.code == 0


def at_once(folder: Path, url: str, *commands: Sequence[str]) -> list[Told]:
    """Run commands beside each other and wait for all."""
    environment = {**os.environ, "LOOPCAST_CATALOG_URL": url, "LOOPCAST_HOME": str(folder / "home")}
    processes = [
        subprocess.Popen(
            [LOOPCAST, *command], cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for command in commands
    ]  # fmt: skip
    return [Told(process) for process in processes]


def train(seed: int) -> list[str]:
    own = (f"logical_model={MODEL}", "job=train", f"seed={seed}", "store=server")
    return ["run", *own, *LOW_RISK, "logical_model.reasons.most=0"]


def test_trainings_and_releases_at_once_leave_one_champion(
    tmp_path: Path, postgresql_url: str
) -> None:
    trained = at_once(tmp_path, postgresql_url, train(1), train(2))
    assert all(each.done for each in trained)
    with Catalog(postgresql_url) as catalog:
        first = catalog.champion(MODEL)
        assert first is not None
        assert catalog.count() == 2
        [listed] = at_once(tmp_path, postgresql_url, ["models", "list", "--json"])
        [other] = [v["id"] for v in json.loads(listed.out) if v["id"] != first.id]

        for stage in ("a stage along", "another stage along"):
            release = ["release", other, "--reason", stage, "--by"]
            told = at_once(
                tmp_path, postgresql_url, [*release, "ann"], [*release, "bob"],
                train(len(stage)),
            )  # fmt: skip
            assert any(each.done for each in told[:2])
            assert told[2].done
            _has_one_champion(catalog)

        rollback = ["rollback", MODEL, "--reason", "wrong", "--by"]
        told = at_once(tmp_path, postgresql_url, [*rollback, "ann"], [*rollback, "bob"])
        assert any(each.done for each in told)
        _has_one_champion(catalog)
        assert catalog.count() == 4
    [verified] = at_once(tmp_path, postgresql_url, ["audit", "verify"])
    assert verified.done


def _has_one_champion(catalog: Catalog) -> None:
    """One at this moment, and one at each moment since the first."""
    reigns = sorted(
        (release.since, release.until)
        for release in catalog.history(MODEL, "")
        if release.stage == "champion"
    )
    assert reigns[-1][1] is None
    for (_, until), (since, _) in itertools.pairwise(reigns):
        assert until == since
