"""``loopcast truth`` and ``loopcast events`` on a home with logged predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine

from loopcast.api import (
    DataError,
    Feature,
    ForecastSchema,
    Kpi,
    LogicalModel,
    LoopcastError,
    NotFoundError,
    ScoreSchema,
    Site,
)
from loopcast.cli.events import events
from loopcast.cli.truth import truth
from loopcast.store.events import event_table
from loopcast.store.home import Home, open_home

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Program = Callable[..., Result]


def model(name: str, schema: ScoreSchema | ForecastSchema) -> LogicalModel:
    return LogicalModel(name=name, title="t", owner="o", kpi=Kpi(metric="auc"), schema=schema)


@pytest.fixture
def home(loopcast_home: Path) -> Home:
    home = open_home(loopcast_home)
    features = {"age": Feature(kind="numeric")}
    score = ScoreSchema(key="id", target="bad", event=1, features=features, private_key=True)
    forecast = ForecastSchema(
        unit="MW", step="1h", timezone="UTC", sites={"x": Site(timezone="UTC")}, series={"x": "x"}
    )
    for logical_model in (model("credit", score), model("demand", forecast)):
        home.catalog.put_logical_model(logical_model)
    for batch in range(2):
        home.record(
            event_table(
                key=[f"k{batch}{i}" for i in range(5)], time=NOON, logical_model="credit",
                segment="", version="0" * 16, role="champion",
                outputs={"probability": np.full(5, 0.1)},
            ),
            home.catalog.logical_model("credit"),
        )  # fmt: skip
    return home


@pytest.fixture
def call(home: Home) -> Program:
    def invoke(command: object, *arguments: str | Path) -> Result:
        found = CliRunner().invoke(command, [str(a) for a in arguments])  # type: ignore[arg-type]
        if found.exception and not isinstance(found.exception, SystemExit | LoopcastError):
            raise found.exception
        return found

    return invoke


def test_outcomes_come_from_a_table_too(call: Program, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    engine = create_engine(url)
    rows = pd.DataFrame({"id": ["k00", "k01"], "bad": [1, 0], "known": "2026-03-01T00:00:00Z"})
    rows.to_sql("outcomes", engine, index=False)
    engine.dispose()
    command = ["ingest", "outcomes", "--database", url, "-m", "credit", "--key", "id"]
    command += ["--value", "bad", "--observed", "known"]
    assert "2 rows: 2 new" in call(truth, *command).output
    assert "2 known already" in call(truth, *command).output


def test_ingest_and_status(call: Program, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "outcomes.csv"
    pd.DataFrame({"id": ["k00", "k01", "k77"], "bad": [1, 0, 1]}).to_csv(file, index=False)
    command = ["ingest", file, "-m", "credit", "--key", "id", "--value", "bad"]
    command += ["--observed-at", "2026-03-01"]
    found = call(truth, *command)
    assert found.exit_code == 0, found.output
    assert "3 rows: 3 new, 0 corrected" in found.output
    assert "2 of 10 predictions have an outcome" in found.output
    again = json.loads(call(truth, *command, "--json").output)
    assert again["ingestion"]["repeated"] == 3
    assert "belong to no prediction yet" in call(truth, "status", "-m", "credit").output
    keys = home.truth.latest("credit")["key"].to_pylist()
    assert all(len(key) == 32 for key in keys), "a private key is hashed"


def test_a_prediction_that_was_logged_again_counts_once(
    call: Program, home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "outcomes.csv"
    pd.DataFrame({"id": ["k00", "k14"], "bad": [1, 0]}).to_csv(file, index=False)
    call(
        truth, "ingest", file, "-m", "credit", "--key", "id", "--value", "bad",
        "--observed-at", "2026-03-01",
    )  # fmt: skip
    home.events.append(home.events.read("credit"))  # of two files, in one
    assert home.events.read("credit").num_rows == 20
    found = json.loads(call(truth, "status", "-m", "credit", "--json").output)
    assert (found["events"], found["labelled"]) == (10, 2)


def test_outcomes_of_forecasts_by_series_and_time(
    call: Program, home: Home, tmp_path: Path
) -> None:
    times = pd.date_range("2026-01-01", periods=3, freq="1h", tz="Australia/Melbourne")
    pd.DataFrame({"when": times, "mw": [1.0, 2.0, np.nan]}).to_parquet(tmp_path / "mw.parquet")
    arguments = ["-m", "demand", "--time", "when", "--value", "mw", "--observed", "when"]
    found = call(truth, "ingest", tmp_path / "mw.parquet", *arguments)
    assert "2 new" in found.output
    assert "1 without an outcome" in found.output
    assert sorted(home.truth.latest("demand")["key"].to_pylist()) == [
        "x|1h|2025-12-31T13:00:00Z",
        "x|1h|2025-12-31T14:00:00Z",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--observed-at", "2026-01-01", "--key", "no"], "no column 'no'; it has key, value, when"),
        ([], "say when the outcomes were observed"),
        (["--observed", "when"], "column 'when' of the delivery has no time zone"),
        (["--observed-at", "2026-01-01", "--time", "when"], "credit makes no forecasts"),
    ],
)
def test_a_wrong_delivery_leaves_nothing(
    call: Program, home: Home, tmp_path: Path, options: list[str], message: str
) -> None:
    file = tmp_path / "outcomes.csv"
    pd.DataFrame({"key": ["k00"], "value": [1], "when": ["2026-01-01"]}).to_csv(file, index=False)
    found = call(truth, "ingest", file, "-m", "credit", *options)
    assert isinstance(found.exception, DataError)
    assert message in str(found.exception)
    assert home.truth.history("credit").num_rows == 0


def test_what_is_not_there_is_named(call: Program, tmp_path: Path) -> None:
    for command in (("query", "SELECT 1"), ("compact",)):
        error = call(events, *command, "-m", "nope").exception
        assert isinstance(error, NotFoundError)
        assert "no logical model 'nope' in the catalog; the nearest is" in str(error)
    gone = tmp_path / "gone.csv"
    error = call(truth, "ingest", str(gone), "-m", "credit").exception
    assert isinstance(error, DataError)
    assert str(error) == f"{gone} does not exist; name a file of rows to bring in"


def test_what_killed_writes_left_of_any_log_is_removed(call: Program, home: Home) -> None:
    months = ("events/{}/date=2026-01-01", "events-truth/{}/month=2026-01", "events-feedback/{}")
    left = [home.folder / each.format("logical_model=credit") / ".a.tmp" for each in months]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
        os.utime(file, (0, 0))
    assert "3 unfinished ones removed" in call(events, "compact", "-m", "credit").output
    assert not any(file.exists() for file in left)


def test_events_are_asked_and_compacted(call: Program) -> None:
    found = call(events, "query", "SELECT count(*) AS n FROM events", "-m", "credit")
    assert "10" in found.output
    assert "2 files merged into 1" in call(events, "compact", "-m", "credit").output
    found = call(
        events, "query", "SELECT count(*) AS n FROM events", "-m", "credit", "--since", "2026-01-02"
    )
    assert " 0" in f" {found.output.split()[-1]}"
