"""Experiments in batch runs: who is served by which arm, and what shadows say beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loopcast.api import Experiment, ExperimentStep, VersionId
from loopcast.deploy.assignment import arms
from loopcast.store.home import Home

from ..examples import applications, meters, sales
from ..store.builders import NOON


def challenged(run: Any, home: Home, model: str, *other: str) -> tuple[VersionId, VersionId]:
    """Train a champion, and a challenger with other hyperparameters."""
    run("job=train")
    champion = home.catalog.champion(model)
    assert champion is not None
    summary = run("job=train", *other)
    segments = summary.get("training", {}).get("segments", [summary])
    challenger = segments[0]["version"]
    assert challenger != champion.id
    if home.catalog.stage(challenger) != "challenger":
        for stage in ("staging", "challenger"):
            home.catalog.release(model, "", challenger, stage=stage, by="a", reason="r")
    return champion.id, challenger


def begin(home: Home, model: str, arms: tuple[VersionId, ...], kind: Any) -> None:
    experiment = Experiment(
        name="spring", logical_model=model, segment="", kind=kind, arms=arms, metric="outcome",
        declared=NOON, by="ann", minimum_effect=0.1, sample_size=100,
    )  # fmt: skip
    home.catalog.declare([experiment])
    home.catalog.take_step([experiment], ExperimentStep(step="begun", at=NOON, by="ann"))


def events_of(home: Home, model: str) -> pd.DataFrame:
    found: pd.DataFrame = home.events.read(model).to_pandas()
    return found


def test_applicants_are_scored_by_their_arm(tmp_path: Path, run: Any, home: Home) -> None:
    table = applications(400, seed=1)
    table.to_csv(tmp_path / "applications.csv", index=False)
    champion, challenger = challenged(run, home, "credit", "template.hyperparameters.ridge=50.0")
    begin(home, "credit", (champion, challenger), "ab")
    run("job=serve")
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    wanted = arms(scores["application"], "credit//spring", (0.5, 0.5))
    assert [(champion, challenger)[arm] for arm in wanted] == scores["version"].tolist()
    events = events_of(home, "credit")
    assert len(events) == 400
    assert (events["propensity"] == 0.5).all()
    said = events.set_index("key")["version"]
    assert (said[scores["application"]].to_numpy() == scores["version"]).all()
    roles = events.groupby("version")["role"].unique().explode().to_dict()
    assert roles == {champion: "champion", challenger: "challenger"}


def test_a_shadow_scores_and_ranks_beside_the_champion(
    tmp_path: Path, run: Any, home: Home
) -> None:
    table = applications(400, seed=1)
    table.to_csv(tmp_path / "applications.csv", index=False)
    champion, shadow = challenged(run, home, "credit", "template.hyperparameters.ridge=50.0")
    run("job=serve")
    served = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    begin(home, "credit", (champion, shadow), "shadow")
    summary = run("job=serve")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "run" / "scores.parquet"), served)
    assert summary["predictions"]["segments"][0]["shadows"] == {shadow: 400}
    events = events_of(home, "credit")
    said = {role: part.set_index("key") for role, part in events.groupby("role")}
    assert set(said["shadow"]["version"]) == {shadow}
    assert set(said["shadow"]["action"]) == {"withheld"}
    assert set(said["shadow"].index) == set(table["id"])
    first = {r: dict(said[r].iloc[0]["outputs"])["probability"] for r in ("champion", "shadow")}
    assert first["champion"] != first["shadow"]


@pytest.fixture
def shop(run: Any) -> Any:
    return lambda *overrides: run("logical_model=shop", *overrides)


def test_customers_are_ranked_for_by_their_arm(tmp_path: Path, shop: Any, home: Home) -> None:
    sales(900, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    one, two = challenged(shop, home, "shop", "template.hyperparameters.smoothing=500.0")
    begin(home, "shop", (one, two), "ab")
    shop("job=serve")
    lists = pd.read_parquet(tmp_path / "run" / "rankings.parquet")
    found = lists.groupby("customer")["version"].unique().explode()
    wanted = arms(found.index, "shop//spring", (0.5, 0.5))
    assert found.tolist() == [(one, two)[arm] for arm in wanted]
    assert set(wanted) == {0, 1}


def test_a_shadow_that_fails_keeps_no_one_from_being_served(
    tmp_path: Path, shop: Any, home: Home
) -> None:
    sales(900, seed=1).to_csv(tmp_path / "sales.csv", index=False)
    one, two = challenged(shop, home, "shop", "template.hyperparameters.smoothing=500.0")
    begin(home, "shop", (one, two), "shadow")
    manifest = home.catalog.version(two).manifest
    blob = Path(home.artifacts_url) / manifest[:2] / manifest
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    [answered] = shop("job=serve")["predictions"]["segments"]
    assert answered["rows"] == 40
    assert "IntegrityError" in answered["shadows"][two]
    assert set(events_of(home, "shop")["role"]) == {"champion"}


def test_a_shadow_forecasts_beside_the_champion(tmp_path: Path, run: Any, home: Home) -> None:
    def forecast(*overrides: str) -> Any:
        return run("logical_model=meters", "data.table.segment=null", *overrides)

    meters(1).to_csv(tmp_path / "meters.csv", index=False)
    champion, shadow = challenged(forecast, home, "meters", "template.hyperparameters.days=7")
    begin(home, "meters", (champion, shadow), "shadow")
    summary = forecast("job=serve")
    assert summary["shadows"] == {shadow: ""}
    events = events_of(home, "meters")
    events = events[events["time"] == events["time"].max()]
    assert events.groupby("role").size().to_dict() == {"champion": 24, "shadow": 24}
    keys = [set(part["key"]) for _, part in events.groupby("role")]
    assert keys[0] == keys[1]
