"""Reasons with scores: in the table of answers, and in the event log, where they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import LoopcastError
from loopcast.deploy.loaded import load_version
from loopcast.plugins import PluginManager
from loopcast.store.home import Home

from ..examples import applications

ASKED = "+logical_model.reasons={most: 2}"


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    found = applications(400, seed=1)
    found.to_csv(tmp_path / "applications.csv", index=False)
    return found


def test_answers_and_events_say_why(
    table: pd.DataFrame, run: Any, home: Home, plugins: PluginManager, tmp_path: Path
) -> None:
    run(ASKED, "calibration=none")  # contributions add up to the log-odds before one
    answers = pd.read_parquet(tmp_path / "run" / "scores.parquet").set_index("application")
    champion = home.catalog.champion("credit")
    assert champion is not None
    model = load_version(home, plugins, champion).model
    rows = table.set_index("id")[["income", "debt"]]
    found = model.explain(rows)
    log_odds = np.log(answers["probability"] / (1.0 - answers["probability"]))
    np.testing.assert_allclose(found.base + found.added.sum(axis=1), log_odds, atol=1e-9)
    first = rows.index[int(np.argmax(found.added[:, 0]))]
    assert answers.loc[first, "reason_1"] == f"income: {rows.loc[first, 'income']:,.6g}"
    favoured = rows.index[(found.added < 0.0).all(axis=1)]
    assert len(favoured)
    assert answers.loc[favoured, ["reason_1", "reason_2"]].isna().all(axis=None)
    events = home.events.read("credit", columns=["key", "explanation"]).to_pylist()
    logged = pd.DataFrame([dict(e["explanation"]) for e in events], [e["key"] for e in events])
    expected = pd.DataFrame(found.added, rows.index, list(found.parts))
    pd.testing.assert_frame_equal(logged.loc[rows.index], expected, check_names=False)


def test_nothing_is_explained_unless_it_is_asked_for(
    table: pd.DataFrame, run: Any, home: Home, tmp_path: Path
) -> None:
    run()
    answers = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    assert list(answers.columns) == [
        "application", "version", "probability", "action", "reason", "segment",
    ]  # fmt: skip
    events = home.events.read("credit", columns=["explanation"])
    assert not any(events["explanation"].to_pylist())


def test_only_scores_have_reasons(run: Any) -> None:
    with pytest.raises(LoopcastError, match="reasons are given with scores"):
        run("logical_model=shop", ASKED)
