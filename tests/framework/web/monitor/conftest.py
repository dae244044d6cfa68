"""Two months of a logical model in which much happens, and a family: what pages are made from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from loopcast.api import BusinessKpi
from loopcast.develop.score.metrics import loopcast_metrics
from loopcast.monitor.counting import count_days
from loopcast.monitor.daily import daily_sketches
from loopcast.monitor.family import FamilyReport, FamilyWatched, watch_family
from loopcast.monitor.resources import Health, health
from loopcast.monitor.served import Watched
from loopcast.monitor.watch import Report, watch
from loopcast.store.home import Home, open_home
from loopcast.store.truth import truth_table

from ...monitor.versions import MODEL, START, chance, people, scored, train

DAYS, ROWS = 56, 80
NOW = START + timedelta(days=DAYS, hours=9)
SEGMENTS = tuple(f"branch-{i:02d}" for i in range(12))
WATCHED = msgspec.structs.replace(
    MODEL,
    purpose="The chance that a borrower does not pay back",
    watch={
        "approved": BusinessKpi(of="output.probability", statistic="share", above=0.5),
        "losses": BusinessKpi(of="outcome", statistic="mean", direction="lower"),
    },
)


def live(home: Home, versions: dict[str, str], days: range = range(DAYS)) -> None:
    events, truths = [], []
    for number, (segment, version) in enumerate(versions.items()):
        noise = np.random.default_rng([number, days.start])
        for day in days[: len(days) - (number == 3)]:
            shift = 1.2 if day >= 30 and number % 10 == 0 else 0.0
            inputs = people(noise, ROWS, shift)
            happened = noise.random(ROWS) < (chance(inputs) if number != 5 else 0.5)
            found = scored(segment, version, day, inputs, latency_ms=20.0 + 3.0 * noise.random())
            events.append(found)
            if day < 42:
                kept = slice(0, ROWS - 4 * (day == 41))
                keys = found["key"].to_pylist()[kept] + [f"unknown-{day}-{i}" for i in range(2)]
                truths.append(
                    truth_table(
                        key=keys, value=[*happened[kept].astype(float), 0.0, 1.0],
                        observed=START + timedelta(days=day + 14), segment=segment,
                    )
                )  # fmt: skip
    home.events.append(pa.concat_tables(events))
    home.truth.add("credit", pa.concat_tables(truths))


@pytest.fixture(scope="session")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Report, tuple[Health, ...]]]:
    home = open_home(tmp_path_factory.mktemp("one"))
    first = train(home, [""])
    second = train(home, [""], rows=2_500, at=START + timedelta(days=21))
    live(home, first, days=range(21))
    live(home, second, days=range(21, DAYS))
    watched = Watched(
        model=WATCHED, segment="", start=START, end=START + timedelta(days=DAYS),
        metrics=[m for m in loopcast_metrics() if m.name in ("brier", "auc")], separate=True,
    )  # fmt: skip
    yield watch(watched, home, NOW), health(home, "credit", NOW, free=0.0)
    home.catalog.close()


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FamilyReport]:
    home = open_home(tmp_path_factory.mktemp("family"))
    live(home, train(home, SEGMENTS, rows=1_000))
    home.catalog.set_switch("credit", [SEGMENTS[7]], "freeze", by="eva", reason="audit", at=START)
    count_days(home, daily_sketches(home), MODEL, NOW)
    watched = FamilyWatched(
        model=WATCHED, first=START.date(), last=(NOW - timedelta(days=1)).date(),
        kpi=next(m for m in loopcast_metrics() if m.name == "brier"),
    )  # fmt: skip
    yield watch_family(watched, home, daily_sketches(home), NOW)
    home.catalog.close()
