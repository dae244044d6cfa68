"""Families of forecasts end to end: each segment by its own version, from its own origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from loopcast.api import (
    SwitchError,
)
from loopcast.serve.published import published, served_folder
from loopcast.store.home import Home, open_home

from ..examples import (
    meters,
)


def lines() -> pd.DataFrame:
    """Four tenants with two lines each; one of them has a few days only, one ends earlier."""
    east = meters(4)
    west = east.assign(load=east["load"] * 2.0)
    table = pd.concat([east.assign(line="east"), west.assign(line="west")])
    short = (table["tenant"] == "t1") & (table["at"] >= "2024-01-06")
    earlier = (table["tenant"] == "t3") & (table["at"] >= "2024-02-07T23")
    return table[~short & ~earlier]


LINES = (
    "logical_model=meters",
    "+data.table.series=line",
    "+logical_model.schema.resolutions=[1h,1D]",
    "backtest.origins=4",
)


def test_a_family_of_forecasts_is_trained_and_answered(
    tmp_path: Path, run: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = lines()
    table.to_csv(tmp_path / "meters.csv", index=False)
    summary = run(*LINES)
    counts = summary["training"]["counts"]
    assert (counts["better"], counts["failed"]) == (3, 1)
    found = summary["predictions"]
    assert (found["answered"], found["not_answered"]) == (3, 1)
    segments = {item["segment"]: item for item in found["segments"]}
    assert "meters/t1 has no version" in segments["t1"]["reason"]
    assert segments["t0"]["origin"].startswith("2024-02-10T00:00")
    assert segments["t3"]["origin"].startswith("2024-02-08T00:00")
    assert segments["t0"]["coherence_error"] < 1e-12
    written = tmp_path / "run" / "forecast.parquet"
    family = pd.read_parquet(written)
    assert family.groupby("segment").size().to_dict() == dict.fromkeys(("t0", "t2", "t3"), 50)
    champions = {segment: v.id for segment, v in home.catalog.champions("meters").items()}
    answered = family.groupby("segment")["version"].unique().explode().to_dict()
    assert answered == champions
    assert pq.read_schema(written).metadata[b"unit"] == b"kW"
    served = published(served_folder(home.folder, "meters"))
    assert served.read("forecast.parquet") == written.read_bytes()
    events = home.events.read("meters").to_pandas()
    assert events.groupby("segment").size().to_dict() == dict.fromkeys(("t0", "t2", "t3"), 50)
    assert set(events["role"]) == {"champion"}

    monkeypatch.setenv("LOOPCAST_HOME", str(tmp_path / "other"))
    for segment in ("t0", "t3"):
        alone = table[table["tenant"] == segment].drop(columns="tenant")
        alone.to_csv(tmp_path / "meters.csv", index=False)
        run(*LINES, "data.table.segment=null")
        expected = pd.read_parquet(written)
        own = family[family["segment"] == segment].drop(columns=["segment", "version"])
        pd.testing.assert_frame_equal(own.reset_index(drop=True), expected, check_exact=True)
        keys = open_home(tmp_path / "other").events.read("meters")["key"].to_pylist()
        assert set(events.loc[events["segment"] == segment, "key"]) <= set(keys)


def test_a_family_is_forecast_by_what_is_released_and_on(
    tmp_path: Path, run: Any, home: Home
) -> None:
    table = lines()
    table.to_csv(tmp_path / "meters.csv", index=False)
    run(*LINES, "job=train")
    home.catalog.set_switch("meters", ["t0"], "freeze", by="ann", reason="audit")
    home.catalog.set_switch("meters", ["t2"], "off", by="ann", reason="a fault")
    without = table[(table["tenant"] != "t3") | (table["line"] != "west")]
    without.to_csv(tmp_path / "meters.csv", index=False)
    summary = run(*LINES, "job=serve", "job.origin=2024-02-05")
    assert "training" not in summary
    assert home.catalog.count() == 3
    reasons = {item["segment"]: item["reason"] for item in summary["predictions"]["segments"]}
    assert reasons["t0"] == ""
    assert "meters/t2 is switched off since" in reasons["t2"]
    assert "1 missing, the first west" in reasons["t3"]
    family = pd.read_parquet(tmp_path / "run" / "forecast.parquet")
    assert set(family["segment"]) == {"t0"}
    assert set(family["time"].dt.strftime("%Y-%m-%d")) == {"2024-02-05"}


def test_a_forecast_that_is_frozen_keeps_its_version(tmp_path: Path, run: Any, home: Home) -> None:
    one = ("logical_model=meters", "data.table.segment=null")
    meters(1).to_csv(tmp_path / "meters.csv", index=False)
    assert run(*one)["trained_now"]
    home.catalog.set_switch("meters", [""], "freeze", by="ann", reason="audit")
    meters(1).iloc[: 24 * 39].to_csv(tmp_path / "meters.csv", index=False)
    assert not run(*one)["trained_now"]
    assert home.catalog.count() == 1
    with pytest.raises(SwitchError, match="meters is frozen since"):
        run(*one, "job=train")


def test_imputed_hours_are_counted_and_not_judged(tmp_path: Path, run: Any) -> None:
    """A day of the last six, which are judged, and an hour before them."""
    one = ("logical_model=meters", "data.table.segment=null", "+data.table.gaps=impute")
    table = meters(1).set_index("at")
    lost = table.index.str.startswith("2024-02-06") | table.index.str.startswith("2024-01-10T05")
    table[~lost].to_csv(tmp_path / "meters.csv")
    note = "25 missing actuals were imputed, as configured, to learn from; "
    first, again = run(*one, "job=train"), run(*one)
    told = f"{note}the 24 of them in the judged days were left out of the backtest."
    assert told in first["notes"]
    assert note in (tmp_path / "run" / "report.html").read_text()
    assert f"{note}no forecast is judged by them." in again["notes"]
