"""An event that says not which interval it is about stops nothing, and is told of as what it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from loopcast.api import (
    Dataset,
    ForecastOutcome,
    ForecastSchema,
    Judged,
    Kpi,
    LogicalModel,
    Manifest,
    PluginOrigin,
    Site,
)
from loopcast.cli.monitor import monitor
from loopcast.deploy.bundle import encode_bundle, version_of, write_bundles
from loopcast.develop.judged import JUDGED_FILE, judged_bytes
from loopcast.develop.metrics import loopcast_metrics
from loopcast.monitor.daily import daily_sketches
from loopcast.monitor.odd_keys import OddKeys, odd_keys, said, together
from loopcast.monitor.reference import REFERENCE_FILE, fit_reference, reference_bytes
from loopcast.monitor.served import Watched
from loopcast.monitor.watch import Report, watch
from loopcast.store.catalog import Registration
from loopcast.store.events import event_table
from loopcast.store.home import Home, open_home
from loopcast.store.truth import truth_table

from .versions import MODEL, START

DAYS = 20
NOW = START + timedelta(days=DAYS, hours=2)
GRID = LogicalModel(
    name="grid",
    title="Grid",
    owner="owner",
    kpi=Kpi(metric="mae"),
    schema=ForecastSchema(
        unit="MW", step="1h", timezone="UTC", sites={"x": Site(timezone="UTC")}, series={"x": "x"},
    ),
)  # fmt: skip
ODD = ("order 7", "x|1h|yesterday", "x|1h")


def released(home: Home, segment: str) -> str:
    """Register and release a version as a training leaves it."""
    noise = np.random.default_rng(0)
    rows = 24 * 90
    mean = 100.0 + noise.normal(size=rows)
    judged = Judged(
        keys=(pd.Categorical(["x"] * rows),),
        block=np.arange(rows) // 24,
        overall=np.ones(rows, dtype=bool),
        attributes={},
        outcomes={
            "own": ForecastOutcome(
                actual=mean + noise.normal(size=rows),
                mean=mean,
                levels=np.array([0.5]),
                quantiles=mean[:, None],
            )
        },
    )
    reference = fit_reference(
        {"temperature": noise.normal(size=rows)}, {"mean": mean}, series=("x",)
    )
    data = Dataset(name="load", fingerprint="a" * 64, origin="load.csv", rows=rows)
    manifest = Manifest(
        logical_model="grid", segment=segment, template="own.template",
        plugin=PluginOrigin(plugin="p", package="p", package_version="1"),
        hyperparameters={}, recipe="e" * 64, seed=0, datasets=(data,), environment={}, files={},
    )  # fmt: skip
    files = {JUDGED_FILE: judged_bytes(judged), REFERENCE_FILE: reference_bytes(reference)}
    bundle = encode_bundle(manifest, files)
    write_bundles(home.artifacts, [bundle])
    version = version_of(bundle.manifest, bundle.digest, START)
    home.catalog.put_logical_model(GRID)
    home.catalog.register([Registration(version=version, datasets=manifest.datasets)])
    home.catalog.release(
        "grid", segment, version.id, stage="champion", by="eva", reason="r", at=START
    )
    return version.id


def append(
    home: Home, segment: str, version: str, day: int, keys: list[str]
) -> NDArray[np.float64]:
    """Log forecasts of a midnight, and return what they say."""
    noise = np.random.default_rng(day)
    mean = 100.0 + noise.normal(size=len(keys))
    home.events.append(
        event_table(
            key=keys,
            time=START + timedelta(days=day),
            logical_model="grid",
            segment=segment,
            version=version,
            role="champion",
            inputs={"temperature": noise.normal(size=len(keys))},
            outputs={"mean": mean},
            latency_ms=1.0,
        )
    )
    return mean


def live(home: Home, segment: str) -> str:
    """Forecast each hour of some days, and let the outcomes come."""
    version = released(home, segment)
    for day in range(DAYS):
        starts = [START + timedelta(days=day, hours=hour) for hour in range(24)]
        keys = [f"x|1h|{start:%Y-%m-%dT%H:%M:%SZ}" for start in starts]
        forecast = append(home, segment, version, day, keys)
        actual = forecast + np.random.default_rng(100 + day).normal(size=24)
        late = starts[-1] + timedelta(hours=1)
        home.truth.add("grid", truth_table(key=keys, value=actual, observed=late, segment=segment))
    return version


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = open_home(tmp_path / "home")
    yield home
    home.catalog.close()


def look(home: Home) -> Report:
    watched = Watched(
        model=GRID, segment="", start=START, end=START + timedelta(days=DAYS + 1),
        metrics=[m for m in loopcast_metrics() if m.name == "mae"], separate=True,
    )  # fmt: skip
    return watch(watched, home, NOW)


def told(home: Home, *options: str) -> str:
    arguments = ["--home", str(home.folder), "-m", "grid", "--at", NOW.isoformat(), *options]
    found = CliRunner().invoke(monitor, arguments, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_they_are_in_the_volume_and_change_nothing_else(home: Home) -> None:
    version = live(home, "")
    clean = look(home)
    assert clean.drift is not None
    assert clean.performance[0].labelled == 24 * DAYS
    append(home, "", version, 3, list(ODD))
    append(home, "", version, DAYS, ["of today"])
    seen = look(home)
    assert seen.drift is not None
    assert sum(seen.volume[version]) == sum(clean.volume[version]) + 4 == sum(seen.actions.values())
    assert seen.odd == (OddKeys(segment="", version=version, events=4, example="of today"),)
    assert [d.value for d in seen.drift.records] == [d.value for d in clean.drift.records]
    assert seen.performance == clean.performance
    assert seen.coverage == clean.coverage
    assert not seen.missing.missing.any()
    assert seen.found == clean.found == ()


def test_a_log_of_nothing_else_is_looked_at_too(home: Home) -> None:
    append(home, "", released(home, ""), DAYS - 1, list(ODD))
    report = look(home)
    assert [each.events for each in report.odd] == [3]
    assert report.coverage.predictions == 0
    assert [alert.subject for alert in report.found] == ["keys"]


def test_the_command_tells_of_few_and_raises_an_alert_for_many(home: Home, tmp_path: Path) -> None:
    version, page = live(home, ""), tmp_path / "page.html"
    append(home, "", version, DAYS - 1, ["order 7"])
    few = told(home)
    sentence = f"1 event of version {version[:6]} with a key that no forecast has, such as"
    assert f"{sentence} 'order 7'" in few
    assert "of the events of 2026-01-24" not in few, "one in 25 is less than 5 %"
    append(home, "", version, DAYS - 1, ["order 8"])
    many = " ".join(told(home, "--page", str(page)).split())
    assert "7.7% of the events of 2026-01-24 have a key that no" in many
    html = page.read_text(encoding="utf-8")
    assert f"2 events of version {version[:6]} with a key that no forecast has" in html


def test_the_command_tells_of_them_in_a_family(home: Home, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    versions = {segment: live(home, segment) for segment in ("north", "south")}
    append(home, "south", versions["south"], 3, list(ODD))
    text = told(home, "--page", str(page))
    assert f"3 events of version {versions['south'][:6]} in south with a key" in text
    assert "2 segments" in text
    assert "in south with a key that no forecast has" in page.read_text(encoding="utf-8")
    assert "of the events of" not in text, "three of another day raise no alert"
    append(home, "north", versions["north"], DAYS - 1, ["order 7"])
    append(home, "south", versions["south"], DAYS - 1, ["order 7", "order 8"])
    found = " ".join(told(home).split())
    assert found.count("of the events of 2026-01-24 have a key that no") == 1, "one in 25 is few"
    assert "south unusual 7.7% of the events of 2026-01-24" in found


def test_days_keep_what_they_found(home: Home) -> None:
    version = live(home, "")
    append(home, "", version, 3, list(ODD))
    look(home)
    [found] = daily_sketches(home).odd_keys("grid", START.date(), NOW.date())
    assert found == OddKeys(segment="", version=version, events=3, example="order 7")


def test_of_scores_every_key_will_do() -> None:
    assert odd_keys(pa.table({"key": ["order 7"]}), MODEL) == ()


def test_of_many_versions_the_first_are_named() -> None:
    days = [
        OddKeys(segment="", version=f"{number:06}", events=number, example="?")
        for number in (1, 1, 2, 3, 4, 5, 6, 7)
    ]
    found = together(days)
    assert [each.events for each in found] == [7, 6, 5, 4, 3, 2, 2]
    lines = list(said(found))
    assert len(lines) == 6
    assert lines[-1] == "and 4 events of 2 other versions"
