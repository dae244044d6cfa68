"""One common cause is one alert of the family; what befalls a few is told of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from loopcast.api import Alert
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.common import gathered
from loopcast.monitor.counting import count_days
from loopcast.monitor.daily import daily_sketches
from loopcast.monitor.diary import Diary, bring_in
from loopcast.monitor.family import FamilyReport, FamilyWatched, watch_family
from loopcast.monitor.plan import usual_plan
from loopcast.store.home import Home, open_home
from loopcast.web.monitor.family import render

from .versions import MODEL, START, people, scored, train

SEGMENTS = tuple(f"s{number:02d}" for number in range(24))
DAYS, ROWS = 20, 40
NOW = START + timedelta(days=DAYS, hours=8)


def drift(segment: str, value: float, subject: str = "income") -> Alert:
    return Alert(
        logical_model="credit", segment=segment, version="0" * 16, kind="input_drift",
        subject=subject, severity="warning", cause=f"it moved by {value}", remedy="retrain",
        raised=NOW, seen=NOW, evidence={"ks": value, "threshold": 0.1},
    )  # fmt: skip


def test_the_family_is_told_the_share_and_the_worst() -> None:
    own = [drift(f"s{number:03d}", 0.2 + number / 1_000) for number in range(400)]
    [whole], parts = gathered([*own, drift("s000", 0.3, "town")], 1_000)
    assert whole.segment == ""
    assert whole.version is None
    assert whole.cause == ("400 of 1,000 segments (40%), the worst is s399: it moved by 0.599")
    assert whole.evidence == {"segments": 400.0, "share": 0.4, "worst": "s399"}
    assert [part.part_of for part in parts] == [whole.id] * 400 + [""]


@pytest.mark.parametrize(("befallen", "segments"), [(9, 10), (199, 1_000)])
def test_a_few_are_told_of_each(befallen: int, segments: int) -> None:
    own = tuple(drift(f"s{number:03d}", 0.2) for number in range(befallen))
    assert gathered(own, segments) == ((), own)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Half of the segments have other incomes than in training; the others fall silent."""
    home = open_home(tmp_path_factory.mktemp("home"))
    events = []
    for number, (segment, version) in enumerate(train(home, SEGMENTS, rows=500).items()):
        noise = np.random.default_rng(number)
        moved = number % 2 == 0
        for day in range(DAYS if moved else DAYS - 1):
            shift = 1.0 + number / 20 if moved else 0.0
            events.append(scored(segment, version, day, people(noise, ROWS, shift)))
    home.events.append(pa.concat_tables(events))
    count_days(home, daily_sketches(home), MODEL, NOW)
    yield home
    home.catalog.close()


def look(home: Home) -> FamilyReport:
    last = START + timedelta(days=DAYS - 1)
    watched = FamilyWatched(model=MODEL, first=START.date(), last=last.date())
    return watch_family(watched, home, daily_sketches(home), NOW)


def test_one_alert_is_delivered_and_each_segment_keeps_its_own(home: Home, tmp_path: Path) -> None:
    report = look(home)
    told = {(alert.kind, alert.subject): alert for alert in report.common}
    assert told.keys() == {
        ("input_drift", "income"), ("output_drift", "probability"), ("volume", "")
    }  # fmt: skip
    assert told["input_drift", "income"].evidence["worst"] == "s22", "whose incomes moved furthest"
    assert told["volume", ""].cause.startswith("12 of 24 segments (50%), the worst is s")
    assert report.counts == {"silent": 12, "drifting": 12}
    book = AlertBook(f"{tmp_path}")
    due = bring_in(
        report.alerts, book=book, diary=Diary(f"{tmp_path}"), plan=usual_plan(),
        logical_model="credit", day=NOW.date(),
    )  # fmt: skip
    of_few = [alert for alert in due if alert.segment]
    assert {alert.id for alert in due} - {a.id for a in of_few} == {a.id for a in report.common}
    assert {alert.kind for alert in of_few} == {"bad_day"}, "the incomes that moved furthest"
    assert len({alert.segment for alert in book.open("credit")} - {""}) == len(SEGMENTS)
    page = render(report)
    assert "12 of 24 segments (50%), the worst is s22: input income" in page
