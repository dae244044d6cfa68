"""Families of segments end to end: those that fail, wait or are frozen stop no other."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from loopcast.api import (
    DataError,
    NotFoundError,
)
from loopcast.store.home import Home, open_home

from ..examples import (
    applications,
)

REGIONS = ("north", "south", "young", "tiny")


def family() -> pd.DataFrame:
    """Four regions; one has no default yet, one has three rows, one name cannot be kept."""
    parts = {name: applications(200, seed=place) for place, name in enumerate(REGIONS)}
    parts["young"]["outcome"] = "good"
    parts["tiny"] = parts["tiny"].head(3)
    parts["?"] = applications(30, seed=9)
    return pd.concat([part.assign(region=name) for name, part in parts.items()])


FAMILY = ("data.table.segment=region", "job=train")


def test_a_broken_segment_stops_no_other(tmp_path: Path, run: Any, home: Home) -> None:
    family().sample(frac=1.0, random_state=1).to_csv(tmp_path / "applications.csv", index=False)
    found = run(*FAMILY)["training"]
    assert found["counts"] == {
        "better": 2,
        "waiting": 0,
        "not better": 0,
        "kept": 0,
        "frozen": 0,
        "failed": 3,
    }
    reasons = {item["segment"]: item["reason"] for item in found["segments"]}
    assert "segment young: column 'outcome': no row has the event 'bad'" in reasons["young"]
    assert "rows is 3 (checks.rows: 20)" in reasons["tiny"]
    assert "cannot name a segment" in reasons["?"]
    assert set(home.catalog.champions("credit")) == {"north", "south"}
    scored = run("data.table.segment=region")["predictions"]
    assert (scored["answered"], scored["not_answered"]) == (2, 3)
    table = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    assert table.groupby("segment").size().to_dict() == {"north": 200, "south": 200}


def two_regions(tmp_path: Path) -> None:
    table = family()
    table[table["region"].isin(["north", "south"])].to_csv(tmp_path / "applications.csv")


def failures(found: dict[str, Any]) -> dict[str, str]:
    return {s["segment"]: s["reason"] for s in found["segments"] if s["status"] == "failed"}


def test_what_a_model_raises_stops_its_segment_alone(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = sys.modules["fake_loopcast_example"].LogisticModel
    predict = model.predict

    def failing(self: Any, rows: pd.DataFrame) -> Any:
        if rows.index[0].startswith("a1_"):
            raise KeyError("age")
        return predict(self, rows)

    two_regions(tmp_path)
    monkeypatch.setattr(model, "predict", failing)
    reasons = failures(run(*FAMILY)["training"])
    told = r"template example\.logistic: predict raised KeyError: 'age' \(tests\..*, line \d+\)"
    assert list(reasons) == ["south"]
    assert re.fullmatch(told, reasons["south"])


def test_what_cannot_be_saved_stops_its_segment_alone(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = sys.modules["fake_loopcast_example"].LogisticModel
    save, saved = model.save, []

    def failing(self: Any) -> Any:
        saved.append(self)
        return save(self) if len(saved) == 1 else None

    two_regions(tmp_path)
    monkeypatch.setattr(model, "save", failing)
    reasons = failures(run(*FAMILY)["training"])
    assert list(reasons) == ["south"]
    assert "save raised AttributeError: 'NoneType' object has no attribute" in reasons["south"]


def test_what_a_fit_raises_stops_the_segments_that_it_has_not_come_to(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = sys.modules["fake_loopcast_example"].LogisticScoring
    fit = template.fit

    def failing(self: Any, family: Any, hyperparameters: Any, context: Any) -> Any:
        first, *others = fit(self, family, hyperparameters, context)
        yield first
        for _ in others:
            raise RuntimeError("out of luck")

    two_regions(tmp_path)
    monkeypatch.setattr(template, "fit", failing)
    reasons = failures(run(*FAMILY)["training"])
    assert list(reasons) == ["south"]
    assert "template example.logistic: fit raised RuntimeError: out of luck" in reasons["south"]


def test_names_and_reasons_are_printed_as_they_are(
    tmp_path: Path, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    table = family().replace({"region": {"?": "[/b] :train:"}})
    table.to_csv(tmp_path / "applications.csv", index=False)
    run(*FAMILY)
    assert "│ [/b] :train: │" in capsys.readouterr().out


def test_a_run_repeats_only_what_is_not_registered(tmp_path: Path, run: Any, home: Home) -> None:
    table = family()
    table.to_csv(tmp_path / "applications.csv", index=False)
    run(*FAMILY)
    mended = table[table["region"] != "tiny"]
    mended = pd.concat([mended, applications(200, seed=7).assign(region="tiny")])
    mended.to_csv(tmp_path / "applications.csv", index=False)
    found = run(*FAMILY)["training"]["counts"]
    assert (found["kept"], found["better"], found["failed"]) == (2, 1, 2)
    assert home.catalog.count() == 3


def test_a_segment_that_is_frozen_is_not_trained(tmp_path: Path, run: Any, home: Home) -> None:
    family().to_csv(tmp_path / "applications.csv", index=False)
    run(*FAMILY)
    home.catalog.set_switch("credit", ["south"], "freeze", by="ann", reason="audit")
    found = run(*FAMILY, "seed=5")["training"]
    status = {item["segment"]: item["status"] for item in found["segments"]}
    assert (status["south"], status["north"]) == ("frozen", "not better")


def test_batches_give_the_same_in_several_processes(
    tmp_path: Path, run: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    family().to_csv(tmp_path / "applications.csv", index=False)
    run(*FAMILY)
    one = {s: v.id for s, v in home.catalog.newest("credit").items()}
    parts = family()
    parts.to_parquet(tmp_path / "applications.parquet")
    monkeypatch.setattr("loopcast.develop.source.BATCH", 1)
    monkeypatch.setenv("LOOPCAST_HOME", str(tmp_path / "other"))
    found = run(
        *FAMILY, "engine.workers=2", "data.reader=parquet", "data.options.path=applications.parquet"
    )
    assert found["training"]["counts"]["better"] == 2
    other = open_home(tmp_path / "other").catalog.newest("credit")
    models = {
        segment: msgspec.json.decode(open_home(tmp_path / "other").artifacts.get(v.manifest))
        for segment, v in other.items()
    }
    assert set(models) == set(one)
    for segment, manifest in models.items():
        first = home.catalog.version(one[segment])
        before = msgspec.json.decode(home.artifacts.get(first.manifest))
        for name in ("model/model.npz", "judged.npz", "scenarios/rows.npz"):
            assert manifest["files"][name] == before["files"][name]


def test_nothing_that_can_be_trained_is_an_error(tmp_path: Path, run: Any, home: Home) -> None:
    applications(200, seed=1).assign(outcome="good").to_csv(
        tmp_path / "applications.csv", index=False
    )
    with pytest.raises(DataError, match="no row has the event 'bad'"):
        run()
    assert home.catalog.count() == 0
    assert not (tmp_path / "run" / "summary.json").exists()


def test_what_may_only_serve_trains_nothing(tmp_path: Path, run: Any, home: Home) -> None:
    applications(200, seed=1).to_csv(tmp_path / "applications.csv", index=False)
    with pytest.raises(NotFoundError, match="no logical model 'credit' in the catalog"):
        run("job=serve")
    assert home.catalog.count() == 0
