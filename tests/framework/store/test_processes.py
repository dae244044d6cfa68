"""Several processes at once, killed processes, full disks: the old state or the new, no other."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from loopcast.api import IntegrityError
from loopcast.deploy.bundle import read_bundle, read_manifest
from loopcast.store.artifacts import Artifacts
from loopcast.store.catalog import Catalog, VersionFilter
from loopcast.store.events import EventLog
from loopcast.store.truth import TruthStore, truth_table

from .builders import NOON, registration, version
from .workers import BATCH

TESTS = Path(__file__).resolve().parents[2]


def run_worker(*arguments: str, module: str = "workers") -> str:
    """Run a worker and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"framework.store.{module}", *arguments],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def visible(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and file.name[0] != "."]


def one_unbroken_reign(catalog: Catalog) -> None:
    catalog.verify_audit()
    reign = [entry for entry in catalog.history("demand", "") if entry.stage == "champion"]
    assert all(former.until == latter.since for former, latter in pairwise(reign))
    assert [entry.until for entry in reign][-1] is None
    assert reign[-1].version == getattr(catalog.champion("demand"), "id", None)


def test_processes_create_register_and_release_at_once(catalog_url: str) -> None:
    racers = 4
    run_worker("race", catalog_url, str(racers))
    with Catalog(catalog_url, create=False) as catalog:
        assert catalog.count() == (racers + 1) * BATCH
        for number in range(0, (racers + 1) * BATCH, 7):
            known = registration(version(number))
            assert catalog.evaluations(known.version.id) == known.evaluations
        one_unbroken_reign(catalog)


def test_processes_roll_back_at_once(catalog_url: str) -> None:
    told = run_worker("roll_back_at_once", catalog_url, "4").split()
    assert sorted(told) == ["ConflictError"] * 3 + ["done"]
    with Catalog(catalog_url, create=False) as catalog:
        one_unbroken_reign(catalog)
        assert catalog.champion("demand") == version(0)


def test_processes_begin_experiments_on_one_population_at_once(catalog_url: str) -> None:
    told = run_worker("begin_at_once", catalog_url, "4").split()
    assert sorted(told) == ["ConflictError"] * 3 + ["done"]
    with Catalog(catalog_url, create=False) as catalog:
        catalog.verify_audit()
        states = sorted(trial.state for trial in catalog.experiments("demand"))
        assert states == ["declared"] * 3 + ["running"]


@pytest.mark.slow
class TestKilled:
    @pytest.mark.parametrize(("task", "last"), [("release", 1), ("rollback", 0)])
    def test_at_each_step_of_a_move(self, catalog_url: str, task: str, last: int) -> None:
        steps = int(run_worker("kill_at_each_step", task, catalog_url))
        assert steps > 8
        with Catalog(catalog_url, create=False) as catalog:
            one_unbroken_reign(catalog)
            assert catalog.champion("demand") == version(last)
            moves = [entry for entry in catalog.audit_log() if entry.act == task]
            # The last attempt made it; at the commit itself either is right.
            assert len(moves) - (task == "release") in {1, 2}

    @pytest.mark.parametrize("seed", ["1", "2"])
    def test_while_registering(self, catalog_url: str, seed: str) -> None:
        run_worker("kill", "register", catalog_url, seed)
        with Catalog(catalog_url, create=False) as catalog:
            found = catalog.versions(limit=1_000_000)
            segments = {item.version.segment for item in found} - {""}
            assert segments
            for segment in segments:
                which = VersionFilter(logical_model="demand", segment=segment)
                assert catalog.count(which) == BATCH
            assert all(len(item.metrics) == 5 for item in found)

    def test_while_registering_leaves_a_sound_file(self, sqlite_url: str) -> None:
        run_worker("kill", "register", sqlite_url, "3")
        connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()

    def test_while_releasing(self, catalog_url: str) -> None:
        run_worker("kill", "release", catalog_url, "4")
        with Catalog(catalog_url, create=False) as catalog:
            one_unbroken_reign(catalog)

    def test_while_storing_artifacts(self, tmp_path: Path) -> None:
        run_worker("kill", "put", str(tmp_path / "artifacts"), "5")
        files = visible(tmp_path / "artifacts")
        assert files
        for file in files:
            assert sha256(file.read_bytes()).hexdigest() == file.name

    def test_while_storing_bundles(self, tmp_path: Path) -> None:
        run_worker("kill", "bundle", str(tmp_path / "artifacts"), "6")
        artifacts = Artifacts(str(tmp_path / "artifacts"))
        manifests = [file.name for file in visible(tmp_path) if _is_manifest(artifacts, file.name)]
        assert manifests
        for digest in manifests:
            assert len(read_bundle(artifacts, digest).files) == 2

    def test_while_ingesting_ground_truth(self, tmp_path: Path) -> None:
        run_worker("kill", "ingest", str(tmp_path / "truth"), "8")
        store, files = TruthStore(str(tmp_path / "truth")), visible(tmp_path / "truth")
        assert files
        assert {pq.read_metadata(file).num_rows for file in files} == {1000}
        keys = [f"0-0-{i}" for i in range(1000)] + ["0-9999-0"]
        again = store.add("demand", truth_table(key=keys, value=[1.0] * 1001, observed=NOON))
        assert (again.repeated, again.new) == (1000, 1)

    def test_while_appending_events(self, tmp_path: Path) -> None:
        run_worker("kill", "append", str(tmp_path / "events"), "7")
        files = visible(tmp_path / "events")
        assert files
        assert {pq.read_metadata(file).num_rows for file in files} == {1000}
        assert EventLog(str(tmp_path / "events")).read("demand").num_rows == 1000 * len(files)


def _is_manifest(artifacts: Artifacts, digest: str) -> bool:
    try:
        return bool(read_manifest(artifacts, digest).files)
    except IntegrityError:
        return False


class TestFullDisk:
    """The operating system refuses to let a file grow, which is how a full disk looks."""

    def test_catalog(self, sqlite_url: str) -> None:
        error = run_worker("fill_disk", "register", sqlite_url)
        assert error.startswith("StoreError: catalog sqlite:///")
        assert "nothing was changed" in error
        with Catalog(sqlite_url, create=False) as catalog:
            assert catalog.count() == 2
            catalog.register([registration(version(9))])
            assert catalog.count() == 3

    def test_switches_and_their_log(self, sqlite_url: str) -> None:
        error = run_worker("fill_disk", "release", sqlite_url)
        assert error.startswith("StoreError: catalog sqlite:///")
        assert "nothing was changed" in error
        with Catalog(sqlite_url, create=False) as catalog:
            one_unbroken_reign(catalog)
            assert len({item.switch for item in catalog.switches("demand").values()}) <= 1

    @pytest.mark.parametrize("task", ["put", "append"])
    def test_files(self, tmp_path: Path, task: str) -> None:
        folder = tmp_path / "store"
        error = run_worker("fill_disk", task, str(folder))
        assert error.startswith(f"StoreError: could not write to {folder}: File too large")
        assert [file for file in folder.rglob("*") if file.is_file()] == []


class TestCompaction:
    def test_killed_before_any_change_of_the_disk_it_loses_nothing(self, tmp_path: Path) -> None:
        steps = int(run_worker("kill", str(tmp_path), module="compaction_workers"))
        assert steps > 8
        left = [file for step in range(1, steps + 1) for file in (tmp_path / str(step)).rglob("*")]
        assert len([file for file in left if file.is_file()]) == steps, (
            "one file is left of each day"
        )

    def test_readers_see_each_event_once_meanwhile(self, tmp_path: Path) -> None:
        assert int(run_worker("race", str(tmp_path), module="compaction_workers")) >= 4
