"""``loopcast models`` and ``loopcast database`` on a small catalog."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from loopcast.api import (
    Dataset,
    Evaluation,
    GateResult,
    InvalidRecordError,
    Judged,
    Kpi,
    LogicalModel,
    LoopcastError,
    Manifest,
    Metric,
    NotFoundError,
    PluginOrigin,
    ScoreOutcome,
    ScoreSchema,
)
from loopcast.api.schema import Feature
from loopcast.cli.database import database
from loopcast.cli.models import models
from loopcast.deploy.bundle import encode_bundle, version_of, write_bundles
from loopcast.develop.judged import judged_bytes
from loopcast.store.catalog import Registration
from loopcast.store.home import Home, open_home
from loopcast.store.schema import REVISIONS

TRAIN, OTHER = (
    Dataset(name=name, fingerprint=letter * 64, origin=f"{name}.csv", rows=1000)
    for name, letter in (("applications", "a"), ("other", "b"))
)
LOGICAL_MODEL = LogicalModel(
    name="credit",
    title="Credit",
    owner="owner",
    kpi=Kpi(metric="gini", direction="higher"),
    schema=ScoreSchema(
        key="id", target="bad", event="1", features={"age": Feature(kind="numeric")}
    ),
)


def evaluation(contender: str, gini: float, data: Dataset = TRAIN) -> Evaluation:
    metrics = (Metric(name="gini", value=gini), Metric(name="gini", value=None, subset="age=old"))
    return Evaluation(
        contender=contender, dataset=data.fingerprint, protocol="held out", metrics=metrics
    )


def judged(noise: float) -> bytes:
    """A hundred applications, scored the better the less noise there is."""
    rng = np.random.default_rng(1)
    actual = (rng.uniform(size=100) < 0.4).astype(float)
    score = actual + noise * rng.normal(size=100)
    outcome = ScoreOutcome(
        actual=actual, probability=1.0 / (1.0 + np.exp(-score)), weight=np.ones(100)
    )
    return judged_bytes(
        Judged(
            keys=(pd.Categorical(np.arange(100)),),
            block=np.arange(100),
            overall=np.ones(100, bool),
            attributes={"age": pd.Categorical(np.where(np.arange(100) < 2, "old", "young"))},
            outcomes={"scorecard": outcome},
        )
    )


def register(home: Home, number: int, gini: float, data: Dataset = TRAIN) -> str:
    manifest = Manifest(
        logical_model="credit",
        segment="",
        template="credit.scorecard",
        plugin=PluginOrigin(plugin="credit", package="loopcast-credit", package_version="0.1"),
        hyperparameters={"bins": number},
        recipe="c" * 64,
        seed=7,
        datasets=(data,),
        environment={"numpy": "2.4.6"},
        files={},
    )
    files = {"model.json": b"{}", "judged.npz": judged(1.0 / (number + 0.3))}
    bundle = encode_bundle(manifest, files)
    write_bundles(home.artifacts, [bundle])
    created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    version = version_of(bundle.manifest, bundle.digest, created)
    home.catalog.register(
        [
            Registration(
                version=version,
                datasets=(data,),
                evaluations=(evaluation("scorecard", gini, data),),
                baselines=(evaluation("mean", 0.0, data),),
                gates=(GateResult(gate="gini", passed=True, expectation="0.3", measured="0.5"),),
            )
        ]
    )
    return version.id


@pytest.fixture
def versions(loopcast_home: Path) -> Iterator[list[str]]:
    """Three versions, of which the second is champion and the third saw other data."""
    home = open_home(loopcast_home)
    home.catalog.put_logical_model(LOGICAL_MODEL)
    known = [register(home, 0, 0.5), register(home, 1, 0.55), register(home, 2, 0.6, OTHER)]
    moment = datetime(2026, 1, 9, tzinfo=UTC)
    home.catalog.release(
        "credit", "", known[1], stage="champion", by="ann", reason="better", at=moment
    )
    yield known
    home.catalog.close()


def invoke(*arguments: str) -> Result:
    group = {"models": models, "database": database}[arguments[0]]
    return CliRunner().invoke(group, arguments[1:])


def output(*arguments: str) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def parsed(*arguments: str) -> Any:
    return json.loads(output(*arguments, "--json"))


def error(*arguments: str) -> LoopcastError:
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, LoopcastError), result.output
    return result.exception


NAMED = ("--metric", "gini", "--metric", "ks")
HEADER = "version created logical model template dataset stage KPI".split()  # noqa: SIM905


class TestList:
    def test_table(self, versions: list[str]) -> None:
        lines = output("models", "list").splitlines()
        assert lines[0].split() == [
            "version",
            "created",
            "logical",
            "model",
            "template",
            "dataset",
            "stage",
            "KPI",
        ]
        assert [line.split()[0] for line in lines[1:4]] == versions[::-1]
        assert lines[2].split()[1:] == [
            "2026-01-02", "00:00Z", "credit", "credit.scorecard", "applications", "champion",
            "gini", "0.55"
        ]  # fmt: skip
        assert lines[4] == "1 to 3 of 3, the newest first"

    def test_json(self, versions: list[str]) -> None:
        found = parsed("models", "list")
        assert [item["id"] for item in found] == versions[::-1]
        assert found[1]["stage"] == "champion"
        assert found[1]["metrics"] == {"gini": 0.55}

    def test_filters_and_pages(self, versions: list[str]) -> None:
        assert [item["id"] for item in parsed("models", "list", "--stage", "champion")] == [
            versions[1]
        ]
        assert parsed("models", "list", "-m", "credit", "-s", "north") == []
        assert parsed("models", "list", "--template", "x.y") == []
        page = parsed("models", "list", "--limit", "1", "--offset", "1")
        assert [item["id"] for item in page] == [versions[1]]
        assert "2 to 2 of 3" in output("models", "list", "--limit", "1", "--offset", "1")

    @pytest.mark.usefixtures("versions")
    def test_named_metrics(self) -> None:
        header, row = output("models", "list", "--metric", "gini", "--metric", "ks").splitlines()[
            :2
        ]
        assert header.split()[-2:] == ["gini", "ks"]
        assert row.split()[-2:] == ["0.6", "–"]

    @pytest.mark.usefixtures("versions")
    def test_nothing_found(self) -> None:
        assert output("models", "list", "-t", "x.y") == "no version\n"

    @pytest.mark.usefixtures("versions")
    def test_refusals(self) -> None:
        assert "nearest is 'credit'" in str(error("models", "list", "-m", "credits"))
        assert isinstance(error("models", "list", "-s", "north"), InvalidRecordError)
        assert invoke("models", "list", "--stage", "king").exit_code == 2

    def test_no_home(self) -> None:
        assert isinstance(error("models", "list"), NotFoundError)


class TestShow:
    def test_everything_by_a_beginning(self, versions: list[str]) -> None:
        shown = output("models", "show", versions[1][:10])
        for part in (
            f"version {versions[1]}", "credit.scorecard (loopcast-credit 0.1)", "champion",
            "applications", "gini", "mean", "passed", "ann", "better", "model.json", "bins",
        ):  # fmt: skip
            assert part in shown

    def test_json(self, versions: list[str]) -> None:
        shown = parsed("models", "show", versions[1])
        assert shown["version"]["id"] == versions[1]
        assert shown["stage"] == "champion"
        assert shown["manifest"]["hyperparameters"] == {"bins": 1}
        assert shown["evaluations"][0]["metrics"][0]["value"] == 0.55
        assert shown["baselines"][0]["contender"] == "mean"
        assert shown["history"][0]["reason"] == "better"

    def test_unknown(self, versions: list[str]) -> None:
        assert "the nearest is" in str(error("models", "show", versions[0][:6] + "x"))


class TestCompare:
    def test_table(self, versions: list[str]) -> None:
        pair = versions[0][:12], versions[1][:12]
        assert "age=old" not in output("models", "compare", *pair)
        lines = output("models", "compare", "--by", "age", *pair).splitlines()
        assert lines[1] == "on aaaaaaaaaaaa, held out"
        assert lines[2].split()[2:] == [
            versions[0], versions[1], "difference", "95%", "interval", "p", versions[1], "is"
        ]  # fmt: skip
        gini = next(line for line in lines if line.startswith("Gini")).split()
        assert gini[-1] == "better"
        assert float(gini[3]) == pytest.approx(float(gini[2]) - float(gini[1]), abs=2e-4)
        assert float(gini[4]) < float(gini[3]) < float(gini[6])
        # Both old applications had the same outcome, for which there is no Gini.
        old = next(line for line in lines if line.startswith("Gini") and "age=old" in line)
        assert old.split()[1:] == ["age=old", "–", "–", "–", "–", "to", "–", "–", "undecided"]

    def test_json(self, versions: list[str]) -> None:
        found = parsed("models", "compare", versions[0], versions[1])
        assert (found["first"], found["second"]) == (versions[0], versions[1])
        subsets = {d["subset"] for d in found["differences"] if d["metric"] == "brier"}
        assert subsets == {"", "age=old", "age=young"}
        assert {d["rows"] for d in found["differences"] if not d["subset"]} == {100}

    def test_a_version_without_judged_rows_is_refused(
        self, versions: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("loopcast.deploy.comparison.JUDGED_FILE", "absent.npz")
        refused = error("models", "compare", versions[0], versions[1])
        assert f"the bundle of version {versions[0]} has no absent.npz" in str(refused)

    def test_a_version_with_itself_is_refused(self, versions: list[str]) -> None:
        refused = error("models", "compare", versions[0], versions[0][:8])
        assert f"are the same version, {versions[0]}" in str(refused)

    def test_other_data_is_refused(self, versions: list[str]) -> None:
        refused = str(error("models", "compare", versions[0], versions[2]))
        assert "never judged on the same dataset in the same way" in refused
        assert "aaaaaaaaaaaa (held out); the second on bbbbbbbbbbbb (held out)" in refused


class TestDatabase:
    @pytest.mark.usefixtures("versions")
    def test_current(self, loopcast_home: Path) -> None:
        name = loopcast_home / "catalog.db"
        assert output("database", "check") == f"{name} has the current schema\n"
        assert output("database", "upgrade") == f"{name} has the current schema already\n"

    def test_absent(self, loopcast_home: Path) -> None:
        for verb in ("check", "upgrade"):
            assert "there is no catalog at" in str(error("database", verb))
        assert not loopcast_home.exists()

    @pytest.mark.usefixtures("versions")
    def test_older(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("loopcast.store.database.REVISIONS", (*REVISIONS, "r9999"))
        assert "run `loopcast database upgrade`" in str(error("database", "check"))
        assert output("database", "upgrade").endswith("was upgraded\n")


def test_sweep_counts_what_it_removes(versions: list[str], loopcast_home: Path) -> None:
    left = loopcast_home / "artifacts" / "00" / ".half.1.tmp"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    assert output("models", "sweep") == "1 unfinished file removed\n"
    assert output("models", "sweep") == "0 unfinished files removed\n"
    assert output("models", "show", versions[0], "--file", "model.json") == "{}"


def test_the_stores_can_be_elsewhere(versions: list[str], loopcast_home: Path) -> None:
    url = f"sqlite:///{loopcast_home / 'catalog.db'}"
    artifacts = str(loopcast_home / "artifacts")
    elsewhere = ["--home", "/nowhere", "--catalog", url, "--artifacts", artifacts]
    assert parsed("models", "show", versions[0], *elsewhere)["version"]["id"] == versions[0]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; import loopcast.cli.models, loopcast.cli.database;"
        "heavy = ('sqlalchemy', 'alembic', 'rich', 'pyarrow', 'fsspec', 'numpy', 'pandas');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
