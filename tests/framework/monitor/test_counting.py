"""Days are counted once, whatever happens to their events meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from loopcast.monitor.compare import read_references
from loopcast.monitor.counting import count_day, count_days
from loopcast.monitor.daily import DailySketches, Day, daily_sketches
from loopcast.monitor.sketch import Sketch, sketch
from loopcast.store.home import Home, open_home

from .versions import MODEL, START, people, scored, train

SEGMENTS = ("north", "south")
LATER = START + timedelta(days=30)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path)


@pytest.fixture
def versions(home: Home) -> dict[str, str]:
    return train(home, SEGMENTS)


@pytest.fixture
def sketches(home: Home) -> DailySketches:
    return daily_sketches(home)


def append(home: Home, versions: dict[str, str], day: int, rows: int = 50, **changes: Any) -> None:
    for number, (segment, version) in enumerate(versions.items()):
        inputs = people(np.random.default_rng([day, number, rows]), rows)
        home.events.append(scored(segment, version, day, inputs, **changes))


def day_of(sketches: DailySketches, number: int) -> Day:
    day = (START + timedelta(days=number)).date()
    [(_, found)] = sketches.read("credit", day, day)
    return found


def whole(day: Day) -> dict[tuple[str, str], float]:
    [part] = day.parts
    return {
        (group.segment, group.subset): float(part.sketch.counts[place, 0].sum())
        for place, group in enumerate(part.groups)
    }


def test_each_day_is_counted_once_and_again_only_if_its_events_change(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    for day in range(3):
        append(home, versions, day)
    assert count_days(home, sketches, MODEL, LATER) == 3
    assert count_days(home, sketches, MODEL, LATER) == 0
    before = day_of(sketches, 1)
    home.events.compact("credit", grace=timedelta(0))
    append(home, versions, 2)  # the same events again
    assert count_days(home, sketches, MODEL, LATER) == 0
    append(home, versions, 1, rows=7, key=[f"late-{i}" for i in range(7)])
    assert count_days(home, sketches, MODEL, LATER) == 1
    assert whole(before)["north", ""] == 50
    assert whole(day_of(sketches, 1))["north", ""] == 57


def test_a_group_counts_its_rows_in_the_bins_of_its_version(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    append(home, versions, 0)
    count_days(home, sketches, MODEL, LATER)
    [part] = day_of(sketches, 0).parts
    references = read_references(home, versions.values())
    assert len(references) == 2
    for number, segment in enumerate(SEGMENTS):
        inputs = people(np.random.default_rng([0, number, 50]), 50)
        own = references[versions[segment]]
        for subset, chosen in (("", slice(None)), ("town=a", inputs["town"] == "a")):
            place = [(g.segment, g.subset) for g in part.groups].index((segment, subset))
            columns = {name: values[chosen] for name, values in inputs.items()}
            nothing = np.full(len(columns["income"]), np.nan)
            alone = sketch(columns | {"output.probability": nothing}, own.bins)
            inputs_only = [own.bins.names.index(name) for name in ("income", "town")]
            found = part.sketch.take([place])
            assert (found.counts == alone.counts)[0, inputs_only].all()
            assert found.moments[0, 0] == pytest.approx(alone.moments[0, 0])
            assert part.rows[place] == len(columns["income"])


def test_a_day_that_is_not_over_waits_and_so_does_a_clock_that_runs_ahead(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    append(home, versions, 0)
    append(home, versions, 400)  # a device whose clock is a year ahead
    noon = START + timedelta(hours=12)
    assert count_days(home, sketches, MODEL, noon) == 0
    assert count_days(home, sketches, MODEL, noon + timedelta(days=1)) == 1
    assert sketches.days("credit") == (START.date(),)
    append(home, versions, 0, rows=2, key=["behind-1", "behind-2"])  # and one that is behind
    assert count_days(home, sketches, MODEL, noon + timedelta(days=1)) == 1


def test_a_latency_that_was_not_measured_is_none(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    append(home, versions, 0, latency_ms=0.0)
    append(home, versions, 1, latency_ms=[0.0] * 49 + [7.0])
    count_days(home, sketches, MODEL, LATER)
    assert all(np.isnan(part.latency).all() for part in day_of(sketches, 0).parts)
    [part] = day_of(sketches, 1).parts
    assert part.latency[[not group.subset for group in part.groups]].tolist() == [7.0, 7.0]


def test_what_is_logged_twice_counts_once(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    append(home, versions, 0)
    append(home, versions, 0, source="replayed", latency_ms=30.0)  # other files, the same events
    count_days(home, sketches, MODEL, LATER)
    day = day_of(sketches, 0)
    assert whole(day)["south", ""] == 50
    assert day.repeated == {"north": 50, "south": 50}


def test_absurd_values_are_missing_or_outside(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    inputs = people(np.random.default_rng(0), 6)
    inputs["income"][:4] = np.inf, np.nan, 1e308, -1e308
    outputs = {"probability": np.full(6, 0.5)}
    home.events.append(scored("north", versions["north"], 0, inputs, outputs=outputs))
    count_days(home, sketches, MODEL, LATER)
    [part] = day_of(sketches, 0).parts
    income = part.sketch.counts[0, 0]
    assert (income[62], income[0], income[-2]) == (2, 1, 1)


def test_sampled_events_count_by_their_weight(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    append(home, versions, 0, rows=40, inclusion=0.25)
    count_days(home, sketches, MODEL, LATER)
    day = day_of(sketches, 0)
    assert whole(day)["north", ""] == 160
    assert day.parts[0].rows[0] == 40
    found: Sketch = day.parts[0].sketch
    assert found.size[0, 0] == pytest.approx(40), "forty rows tell no more than forty rows"


def test_versions_without_a_reference_or_unknown_are_traffic(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    append(home, versions, 0)
    inputs = people(np.random.default_rng(0), 9)
    home.events.append(scored("west", "f" * 16, 0, inputs))
    home.events.append(scored("north", versions["north"], 0, inputs, role="shadow"))
    count_days(home, sketches, MODEL, LATER)
    parts = day_of(sketches, 0).parts
    assert sorted((p.sketch.counts.shape[1], int(p.rows[:2].sum())) for p in parts) == [
        (0, 9),
        (3, 100),
    ]


def test_no_events_at_all(home: Home, versions: dict[str, str], sketches: DailySketches) -> None:
    assert count_days(home, sketches, MODEL, LATER) == 0
    empty: pa.Table = home.events.read("credit")
    assert count_day(empty, MODEL, lambda ids: {}).parts == ()


KILLED = """
import sys
from datetime import datetime, UTC
from loopcast.monitor.counting import count_days
from loopcast.monitor.daily import daily_sketches
from loopcast.store.home import open_home
home = open_home(sys.argv[1])
print("ready", flush=True)
while True:
    count_days(home, daily_sketches(home), home.catalog.logical_model("credit"),
               datetime(2026, 3, 1, tzinfo=UTC))
"""


def test_a_count_that_is_killed_leaves_whole_days(
    home: Home, versions: dict[str, str], sketches: DailySketches
) -> None:
    for day in range(15):
        append(home, versions, day, rows=5)
    home.catalog.close()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(home.folder)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    list(sketches.read("credit", date(2026, 1, 1), date(2026, 3, 1)))
    again = open_home(home.folder)
    count_days(again, sketches, MODEL, START + timedelta(days=60))
    assert len(sketches.days("credit")) == 15
    assert count_days(again, sketches, MODEL, START + timedelta(days=60)) == 0
    assert whole(day_of(sketches, 14))["north", ""] == 5
    again.catalog.close()
