"""What devices send is taken in once, and what they had to sum up is counted by day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from loopcast.api import ForecastSchema, Site
from loopcast.fleet import intake
from loopcast.fleet.link import Incoming
from loopcast.fleet.sums import Member, Summed, condensed_days
from loopcast.store.home import Home
from loopcast_edge.wire import Condensed, encode, topics

from ..store.builders import logical_model, version
from .conftest import OUTBOX, events


def test_what_a_device_had_no_space_for_is_said(
    place: Home, first: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Two hours of a device came as sums; the rest of the batch is stored."""
    full = events(1, 10)
    start = 1_767_268_800_000
    gone = tuple(
        Condensed(source=0, start=start + n * 3_600_000, end=start + (n + 1) * 3_600_000,
                  count=700, sums=(7.0,))
        for n in range(2)
    )  # fmt: skip
    topic = topics.device(first[0], "up/events")
    message = Incoming(topic=topic, payload=encode(replace(full, condensed=gone)))
    place.catalog.put_uplinks([intake.uplink_of(message, datetime.now(UTC))])
    assert intake.take_in(place) == 1
    assert place.events.read("demand").num_rows == 10
    [said] = [each.getMessage() for each in caplog.records]
    assert said == (
        f"{first[0]} ran out of space: of 1,400 of its predictions, 2026-01-01 12:00 to "
        "2026-01-01 14:00, only sums came"
    )
    counted = condensed_days(place.catalog, "demand")
    assert counted == {date(2026, 1, 1): {Member(first[0], "", version(1).id): Summed(count=1400)}}
    assert condensed_days(place.catalog, "credit") == {}


@pytest.mark.parametrize("sums", [(10, 9, 1), (0, 9, 2**53)], ids=["backwards", "many"])
def test_sums_that_cannot_be_are_refused(
    place: Home, first: tuple[str, ...], sums: tuple[int, int, int]
) -> None:
    start, end, count = sums
    wrong = (Condensed(source=0, start=start, end=end, count=count),)
    message = Incoming(
        topic=topics.device(first[0], "up/events"),
        payload=encode(events(1, 10, condensed=wrong)),
    )
    place.catalog.put_uplinks([intake.uplink_of(message, datetime.now(UTC))])
    assert intake.take_in(place) == 1
    assert [each.batch for each in place.catalog.kept_uplinks("refused")] == [f"{OUTBOX}/1"]
    assert condensed_days(place.catalog, "demand") == {}


def test_events_that_say_not_what_they_are_about_are_refused(
    place: Home, first: tuple[str, ...]
) -> None:
    """One of them would keep the monitor from reading the whole log of a forecast."""
    schema = ForecastSchema(
        unit="MW", step="1h", timezone="UTC", sites={"north": Site(timezone="UTC")},
        series={"a": "north"},
    )  # fmt: skip
    place.catalog.put_logical_model(replace(logical_model(), schema=schema))
    odd, whole = events(1, 3), events(2, 3)
    hours = (replace(e, key=f"a|1h|2026-01-01T0{n}:00Z") for n, e in enumerate(whole.events))
    whole = replace(whole, events=tuple(hours))
    topic, at = topics.device(first[0], "up/events"), datetime.now(UTC)
    messages = [Incoming(topic=topic, payload=encode(each)) for each in (odd, whole)]
    place.catalog.put_uplinks([intake.uplink_of(each, at) for each in messages])
    intake.take_in(place)
    assert [each.batch for each in place.catalog.kept_uplinks("refused")] == [f"{OUTBOX}/1"]
    assert place.events.read("demand").num_rows == 3


def test_sums_of_several_days_are_spread_over_them(place: Home, first: tuple[str, ...]) -> None:
    """Those of a clock that began in 1970 make no more days than a year or so has."""
    day = 86_400_000
    long = (
        Condensed(source=0, start=20_000 * day + day // 2, end=20_003 * day - 1, count=50),
        Condensed(source=0, start=0, end=20_500 * day - 1, count=10_000),
    )
    message = Incoming(
        topic=topics.device(first[0], "up/events"),
        payload=encode(events(1, 0, condensed=long)),
    )
    place.catalog.put_uplinks([intake.uplink_of(message, datetime.now(UTC))])
    intake.take_in(place)
    member = Member(first[0], "", version(1).id)
    days = sorted(condensed_days(place.catalog, "demand").items())
    found = [summed[member].count for _, summed in days]
    assert found[:3] == [10, 20, 20]
    assert len(found) == 3 + 400
    assert sum(found) == 10_050
    assert set(found[3:]) == {25}


def test_an_intake_that_is_cut_off_is_repeated_without_repeating_events(
    place: Home, first: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    at, topic = datetime.now(UTC), topics.device(first[0], "up/events")
    batches = [Incoming(topic=topic, payload=encode(events(n, 10))) for n in range(1, 4)]
    place.catalog.put_uplinks([intake.uplink_of(batch, at) for batch in batches])
    with monkeypatch.context() as patch:
        patch.setattr(place.catalog, "finish_intake", cut)
        with pytest.raises(KeyboardInterrupt):
            intake.take_in(place)
    late = Incoming(topic=topic, payload=encode(events(9, 10)))
    place.catalog.put_uplinks([intake.uplink_of(late, at)])
    assert place.events.read("demand").num_rows == 30
    assert intake.take_in(place) == 4
    assert place.events.read("demand").num_rows == 40
