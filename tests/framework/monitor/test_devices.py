"""What a device had no space for is counted as if it had come: the device has counted it itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loopcast.cli.monitor_tables import print_report
from loopcast.fleet.sums import condensed_days
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.compare import read_references
from loopcast.monitor.counting import count_days
from loopcast.monitor.daily import daily_sketches
from loopcast.monitor.edge import drift_reference
from loopcast.monitor.sketch import HIGHEST, LOWEST
from loopcast.store.home import Home, open_home
from loopcast.web.monitor import page
from loopcast_edge.agent.drift import Days, Row
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.wire import EdgeEvent, Source

from ...edge.centre import Centre
from .test_sums import LATER, SPAN, fleet_of_two, look, send
from .versions import MODEL, START, people, scored

DAYS, A_DAY = 10, 48
ERROR = 0.25


def live(
    home: Home, version: str, box: Outbox, *, seed: int = 0, lost: int = 0, refused: int = 0
) -> None:
    """Predict, count and see outcomes for some days, as an agent does.

    The first ``lost`` predictions are not counted, the first ``refused`` have no answer.
    """
    reference = drift_reference(read_references(home, [version])[version])
    manifest = Centre().package(
        logical_model="credit", segment="north", version=version, reference=reference
    ).manifest  # fmt: skip
    source = Source(
        logical_model="credit", segment="north", version=version,
        inputs=("income", "town"), outputs=("probability",),
    )  # fmt: skip
    days, noise = Days(box.notes), np.random.default_rng(seed)
    begun = round(START.timestamp() * 1000)
    for number in range(DAYS * A_DAY):
        at = begun + number * 86_400_000 // A_DAY
        if days.turns(at):
            for channel, make in days.ended(at):
                box.add_batch(channel, make)
        income, town = float(noise.normal(1.0, 1.0)), str(noise.choice(["a", "b", "c"]))
        said = None if number < refused else float(noise.random())
        box.add_events(
            source,
            [EdgeEvent(source=0, key=f"{box.id}-{number}", time=at, inputs=(income, town),
                       outputs=(said,), latency_us=900)],
        )  # fmt: skip
        if number >= lost:
            values = {"income": income, "town": town, "output.probability": said}
            days.count(Row("a" * 64, manifest, "champion", values, 900), at)
            days.erred("a" * 64, ERROR)
    for channel, make in days.ended(begun + DAYS * 86_400_000):
        box.add_batch(channel, make)


def counted(folder: Path, most_rows: int, **life: Any) -> tuple[Home, dict[Any, list[Any]]]:
    """Return a home, and what its days count of two segments, all rows of each."""
    home = open_home(folder)
    versions = fleet_of_two(home)
    for day in range(DAYS):
        for segment in versions:
            inputs = people(np.random.default_rng(day), 20)
            home.events.append(scored(segment, versions[segment], day, inputs))
    live(home, versions["north"], box := Outbox(None, most_rows), **life)
    send(home, "meter-0", box)
    sketches = daily_sketches(home)
    count_days(home, sketches, MODEL, LATER)
    return home, {
        (day, group): [
            part.sketch.counts[at], part.sketch.squares[at], part.places[at], part.rows[at],
            part.sketch.moments[at, :, :LOWEST], part.sketch.moments[at, :, [LOWEST, HIGHEST]],
        ]
        for day, of_day in sketches.read("credit", *SPAN)
        for part in of_day.parts
        for at, group in enumerate(part.groups)
        if not group.subset
    }  # fmt: skip


def test_days_are_those_of_a_device_with_space(tmp_path: Path) -> None:
    whole, expected = counted(tmp_path / "whole", 50_000, refused=10)
    tight, found = counted(tmp_path / "tight", 100, refused=10)
    assert whole.events.read("credit").num_rows > tight.events.read("credit").num_rows + 300
    assert found.keys() == expected.keys()
    for key, arrays in expected.items():
        for ours, theirs in zip(found[key], arrays, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4, err_msg=str(key))
    for home in (whole, tight):
        home.catalog.close()


def test_the_report_knows_drift_volume_and_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, _ = counted(tmp_path, 100)
    report = look(home)
    assert report.by_sums == 0
    [volume] = report.volume.values()
    assert volume.tolist() == [20 + A_DAY] * DAYS
    assert report.drift is not None
    drifting = {each.subject for each in report.drift.records if each.exceeded}
    assert "income" in drifting
    tight = len(condensed_days(home.catalog, "credit")) * A_DAY
    assert report.seen.n == tight > 0
    assert report.seen.absolute == pytest.approx(tight * ERROR)
    assert f"devices saw {tight} outcomes themselves" in page.render(report, [])
    print_report(report, AlertBook(str(home.folder / "alerts")), [])
    assert "mean absolute error 0.25, mean error 0.25" in capsys.readouterr().out
    home.catalog.close()


def test_counts_that_are_not_of_all_predictions_stand_for_none(tmp_path: Path) -> None:
    home, found = counted(tmp_path, 100, lost=1)
    rows = {(day, group.bins): int(arrays[3]) for (day, group), arrays in found.items()
            if group.segment == "north"}  # fmt: skip
    first = START.date()
    assert rows[first, "sums"] > 0
    assert sum(count for (day, _), count in rows.items() if day == first) == 20 + A_DAY
    assert (first + timedelta(days=1), "sums") not in rows
    home.catalog.close()
