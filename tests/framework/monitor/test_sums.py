"""Predictions that a device had no space for are in the volume, and said to be known by sums."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from loopcast.api import Device, Package, Rollout
from loopcast.cli.monitor_tables import print_family, print_report
from loopcast.fleet import intake, rolling
from loopcast.fleet.link import Incoming
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.counting import count_days
from loopcast.monitor.daily import SUMS, daily_sketches
from loopcast.monitor.family import FamilyWatched, watch_family
from loopcast.monitor.served import Watched
from loopcast.monitor.watch import Report, watch
from loopcast.store.home import Home, open_home
from loopcast.web.monitor import family, page
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.wire import EdgeEvent, Receipt, Source, topics

from .versions import MODEL, START, people, scored, train

DAYS, A_DAY = 10, 96
LATER = START + timedelta(days=DAYS)
SPAN = (START.date(), (LATER - timedelta(days=1)).date())
SAID = "predictions are known by sums only, since devices had no space for them"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    place = open_home(tmp_path)
    yield place
    place.catalog.close()


@pytest.fixture
def versions(home: Home) -> dict[str, str]:
    return fleet_of_two(home)


def fleet_of_two(home: Home) -> dict[str, str]:
    """Train versions of two segments; two devices run that of the north."""
    found = train(home, ["north", "south"])
    names = ["meter-0", "meter-1"]
    home.catalog.enrol([Device(name=name, enrolled=START) for name in names], by="ann")

    def package(sequence: int) -> Package:
        return Package(
            logical_model="credit", segment="north", version=found["north"], sequence=sequence,
            manifest="a" * 64, envelope="b" * 64, model="c" * 64, size=1, created=START,
            expires=datetime.now(UTC) + timedelta(days=30),
        )  # fmt: skip

    home.catalog.add_package("credit", "north", package, by="ann")
    plan = Rollout(
        name="first", logical_model="credit", segment="north", sequence=1, cohorts=(1.0,), test=None
    )
    rolling.begin(home.catalog, plan, by="ann", reason="r")
    return found


def predict(version: str, box: Outbox, role: str = "champion") -> None:
    """Predict every quarter of an hour, for some days without a network."""
    source = Source(
        logical_model="credit", segment="north", version=version, role=role,  # type: ignore[arg-type]
        inputs=("income", "town"), outputs=("probability",),
    )  # fmt: skip
    begun = round(START.timestamp() * 1000)
    for number in range(DAYS * A_DAY):
        at = begun + number * 86_400_000 // A_DAY
        event = EdgeEvent(
            source=0, key=f"{box.id}-{number}", time=at, inputs=(0.1, "a"), outputs=(0.5,)
        )
        box.add_events(source, [event])


def send(home: Home, name: str, box: Outbox) -> None:
    """Send what an outbox holds home, each batch twice, and close it."""
    box.seal()
    while sent := box.batches():
        for each in sent * 2:
            message = Incoming(topic=topics.device(name, each.channel), payload=each.payload)
            home.catalog.put_uplinks([intake.uplink_of(message, datetime.now(UTC))])
        box.stored(Receipt(outbox=box.id, stored=tuple(each.sequence for each in sent)))
        box.seal()
    box.close()
    intake.take_in(home)


def look(home: Home, end: datetime = LATER) -> Report:
    watched = Watched(model=MODEL, segment="north", start=START, end=end, metrics=())
    return watch(watched, home, end)


def test_a_device_without_space_has_its_whole_volume(
    home: Home, versions: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for day in range(DAYS):
        inputs = people(np.random.default_rng(day), 50)
        home.events.append(scored("north", versions["north"], day, inputs))
    predict(versions["north"], box := Outbox(None, most_rows=300))
    send(home, "meter-0", box)
    logged = home.events.read("credit").num_rows - DAYS * 50
    assert 0 < logged < 300
    report = look(home)
    assert report.volume[versions["north"]].tolist() == [50 + A_DAY] * DAYS
    assert report.by_sums == DAYS * A_DAY - logged
    assert report.drift is not None
    assert SAID in page.render(report, [])
    book = AlertBook(str(home.folder / "alerts"))
    print_report(report, book, [])
    watched = FamilyWatched(model=MODEL, first=SPAN[0], last=SPAN[1], kpi=None)
    whole = watch_family(watched, home, daily_sketches(home), LATER)
    assert whole.by_sums == report.by_sums
    assert whole.volume.tolist() == [50 + A_DAY] * DAYS
    assert SAID in family.render(whole)
    print_family(whole, [], [])
    told = f"{report.by_sums:,} of the predictions are known by sums only"
    assert capsys.readouterr().out.count(told) == 2


def test_sums_that_come_late_are_counted_and_once(home: Home, versions: dict[str, str]) -> None:
    home.events.append(scored("south", versions["south"], 0, people(np.random.default_rng(0), 50)))
    sketches = daily_sketches(home)
    assert count_days(home, sketches, MODEL, LATER) == 1
    boxes = [Outbox(None, most_rows=100) for _ in range(2)]
    for number, box in enumerate(boxes):
        predict(versions["north"], box)
        send(home, f"meter-{number}", box)
        assert count_days(home, sketches, MODEL, LATER) >= DAYS - 1
        assert count_days(home, sketches, MODEL, LATER) == 0
    found = {
        (group.segment, group.bins == SUMS)
        for _, day in sketches.read("credit", *SPAN)
        for part in day.parts
        for group in part.groups
        if not group.subset
    }
    assert found == {("south", False), ("north", False), ("north", True)}
    assert look(home).volume[versions["north"]].tolist() == [2 * A_DAY] * DAYS


def test_days_of_which_only_sums_came(home: Home, versions: dict[str, str]) -> None:
    predict(versions["north"], box := Outbox(None, most_rows=100))
    send(home, "meter-0", box)
    report = look(home, START + timedelta(days=3))
    assert report.volume[versions["north"]].tolist() == [A_DAY] * 3
    assert report.by_sums == 3 * A_DAY
    assert report.drift is None
    assert SAID in page.render(report, [])
    print_report(report, AlertBook(str(home.folder / "alerts")), [])


def test_sums_of_today_count_and_those_of_shadows_do_not(
    home: Home, versions: dict[str, str]
) -> None:
    for number, role in enumerate(("champion", "shadow")):
        predict(versions["north"], box := Outbox(None, most_rows=100), role)
        send(home, f"meter-{number}", box)
    noon = START + timedelta(hours=12)
    home.events.append(scored("north", versions["north"], 0, people(np.random.default_rng(0), 50)))
    watched = Watched(
        model=MODEL, segment="north", start=START, end=noon + timedelta(hours=12), metrics=()
    )
    report = watch(watched, home, noon)
    assert report.volume[versions["north"]].tolist() == [50 + A_DAY]
    assert report.by_sums == A_DAY
