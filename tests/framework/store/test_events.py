"""The event log: round trips, partitions, reading what is asked for."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import DataError, Event, StoreError
from loopcast.store import events
from loopcast.store.days import Day, look
from loopcast.store.events import EVENT_SCHEMA, EventLog, events_of, table_of
from loopcast.store.files import Folder

from .builders import NOON, VERSION, event, event_rows


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(str(tmp_path))


def keys(found: pa.Table) -> list[str]:
    return sorted(found["key"].to_pylist())


_TEXT = st.text(max_size=8)
_NUMBERS = st.floats(allow_nan=False)
_VALUES = st.dictionaries(_TEXT, _NUMBERS | _TEXT | st.none(), max_size=4)
_EVENTS = st.builds(
    Event,
    key=_TEXT,
    time=st.datetimes(
        datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone(timedelta(hours=10)))
    ),
    logical_model=st.sampled_from(["demand", "credit"]),
    segment=st.sampled_from(["", "a", "b"]),
    version=st.just(VERSION),
    role=st.sampled_from(["champion", "shadow"]),
    outputs=_VALUES,
    inputs=_VALUES,
    action=_TEXT,
    explanation=st.dictionaries(_TEXT, _NUMBERS, max_size=3),
    latency_ms=_NUMBERS,
    source=_TEXT,
    inclusion=st.floats(0.001, 1.0),
    labelling=st.floats(0.0, 1.0),
    propensity=st.floats(0.001, 1.0),
)
_FOLDERS = count()
_ONE: dict[str, Any] = {
    "inputs": {"age": 40.0, "town": "Perth"},
    "outputs": {"mean": 1.0, "grade": "A"},
    "explanation": {"age": 0.5},
}
_OTHERWISE: dict[str, Any] = {
    "key": "another",
    "time": NOON + timedelta(microseconds=1),
    "logical_model": "credit",
    "segment": "north",
    "version": "f" * 16,
    "role": "shadow",
    "outputs": {"mean": 1.0, "grade": "B"},
    "inputs": {"age": 40.5, "town": "Perth"},
    "action": "withheld",
    "explanation": {"age": 0.25},
    "source": "rest",
    "inclusion": 0.5,
    "labelling": 0.5,
    "propensity": 0.5,
}
"""What may differ of an event, one after the other."""


@given(st.lists(_EVENTS, max_size=6))
def test_any_events_come_back(events: list[Event]) -> None:
    assert events_of(table_of(events)) == events
    log = EventLog(f"memory://events-{next(_FOLDERS)}")
    log.append(events)
    for model in ("demand", "credit"):
        found = events_of(log.read(model))
        expected = [item for item in events if item.logical_model == model]
        assert sorted(map(repr, found)) == sorted(map(repr, map(_utc, expected)))


def _utc(item: Event) -> Event:
    return events_of(table_of([item]))[0]


class TestAppend:
    def test_one_file_for_each_model_and_day(self, log: EventLog, tmp_path: Path) -> None:
        days = [NOON, NOON + timedelta(days=1), NOON]
        log.append(
            event_rows(["a", "b", "c"], time=days, logical_model=["demand", "demand", "credit"])
        )
        assert sorted(str(path.parent.relative_to(tmp_path)) for path in files(tmp_path)) == [
            "logical_model=credit/date=2026-01-01",
            "logical_model=demand/date=2026-01-01",
            "logical_model=demand/date=2026-01-02",
        ]

    def test_a_day_is_a_day_in_utc(self, log: EventLog, tmp_path: Path) -> None:
        melbourne = datetime(2026, 1, 2, 9, tzinfo=timezone(timedelta(hours=11)))
        log.append([event(time=melbourne)])
        [file] = files(tmp_path)
        assert file.parent.name == "date=2026-01-01"
        assert events_of(log.read("demand"))[0].time == melbourne

    def test_repeated_after_a_crash_it_adds_nothing_twice(self, log: EventLog) -> None:
        for _ in range(2):
            log.append(event_rows(["a", "b"]))
        log.append(event_rows(["c"]))
        assert keys(log.read("demand")) == ["a", "b", "c"]

    def test_the_same_answers_that_took_another_time_are_the_same_events(
        self, log: EventLog, tmp_path: Path
    ) -> None:
        for latency in (7.0, [3.0, 123.456]):
            log.append(event_rows(["a", "b"], latency_ms=latency))
        assert log.read("demand")["latency_ms"].to_pylist() == [7.0, 7.0], "the first stays"
        log.append(event_rows(["c"]))
        log.compact("demand", grace=timedelta())
        log.append(event_rows(["a", "b"], latency_ms=5.0))
        assert keys(log.read("demand")) == ["a", "b", "c"]

    @pytest.mark.parametrize("name", sorted(_OTHERWISE))
    def test_answers_that_differ_in_anything_else_are_others(
        self, log: EventLog, name: str
    ) -> None:
        one, other = event(**_ONE), event(**_ONE | {name: _OTHERWISE[name]})
        for each in (one, other, event(**_ONE | {name: _OTHERWISE[name], "latency_ms": 9.0})):
            log.append([each])
        found = [item for model in ("demand", "credit") for item in events_of(log.read(model))]
        assert sorted(map(repr, found)) == sorted(map(repr, map(_utc, (one, other))))

    def test_every_column_but_the_latency_tells_answers_apart(self) -> None:
        assert {*_OTHERWISE, "latency_ms"} == {*Event.__struct_fields__}

    def test_nothing(self, log: EventLog, tmp_path: Path) -> None:
        log.append([])
        log.append(event_rows([]))
        assert files(tmp_path) == []

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            (event_rows(["a"]).drop_columns("role"), "events lack the columns role"),
            (event_rows(["a"]).rename_columns({"role": "rule"}), "events have no column 'rule'"),
            (event_rows(["a"], logical_model="../up"), "logical_model '../up' of an event"),
            (
                event_rows(["a"], role="king"),
                "role 'king' of an event is none of champion",
            ),
        ],
    )
    def test_refuses_what_does_not_fit(self, log: EventLog, broken: pa.Table, message: str) -> None:
        with pytest.raises(DataError, match=message):
            log.append(broken)

    def test_columns_of_other_types(self, log: EventLog) -> None:
        position = EVENT_SCHEMA.names.index("latency_ms")
        odd = event_rows(["a"]).set_column(position, "latency_ms", pa.array(["slow"]))
        with pytest.raises(DataError, match=r"do not have the event log's types.*slow"):
            log.append(odd)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestRead:
    @pytest.fixture
    def filled(self, log: EventLog) -> EventLog:
        hours = [NOON + timedelta(hours=8 * i) for i in range(6)]
        segments, versions = list("ababab"), [VERSION, VERSION, "f" * 16] * 2
        log.append(event_rows(list("012345"), time=hours, segment=segments, version=versions))
        return log

    def test_a_span_with_its_start_and_without_its_end(self, filled: EventLog) -> None:
        start, end = NOON + timedelta(hours=8), NOON + timedelta(hours=24)
        assert keys(filled.read("demand", start, end)) == ["1", "2"]
        assert keys(filled.read("demand", start)) == ["1", "2", "3", "4", "5"]
        assert keys(filled.read("demand", end=end)) == ["0", "1", "2"]
        east = start.astimezone(timezone(timedelta(hours=11)))
        assert keys(filled.read("demand", east, end)) == ["1", "2"]

    def test_by_segment_and_version(self, filled: EventLog) -> None:
        assert keys(filled.read("demand", segment="b")) == ["1", "3", "5"]
        assert keys(filled.read("demand", segment="a", version="f" * 16)) == ["2"]

    def test_some_columns(self, filled: EventLog) -> None:
        found = filled.read("demand", columns=["outputs", "key", "logical_model"], segment="a")
        assert found.column_names == ["outputs", "key", "logical_model"]
        assert set(found["logical_model"].to_pylist()) == {"demand"}

    def test_all_columns_have_the_schema(self, filled: EventLog) -> None:
        assert filled.read("demand").schema == EVENT_SCHEMA

    def test_nothing_there(self, filled: EventLog) -> None:
        empty = filled.read("credit")
        assert (empty.num_rows, empty.schema.names) == (0, EVENT_SCHEMA.names)
        assert filled.read("demand", NOON + timedelta(days=99), columns=["key"]).num_rows == 0

    def test_what_cannot_be_asked(self, filled: EventLog) -> None:
        with pytest.raises(DataError, match="events have no column 'output'; they have key, time"):
            filled.read("demand", columns=["output"])
        with pytest.raises(DataError, match="has no time zone"):
            filled.read("demand", datetime(2026, 1, 1))

    def test_writes_under_way_are_not_seen(self, filled: EventLog, tmp_path: Path) -> None:
        day = tmp_path / "logical_model=demand" / "date=2026-01-01"
        (day / ".half.parquet.tmp").write_bytes(b"PAR1 half")
        assert filled.read("demand").num_rows == 6

    def test_a_damaged_file_is_named(self, filled: EventLog, tmp_path: Path) -> None:
        file = files(tmp_path)[0]
        file.write_bytes(b"PAR1 damaged PAR1")
        with pytest.raises(StoreError, match=file.name):
            filled.read("demand")


class TestCompaction:
    def test_a_day_becomes_one_file_with_the_same_events(
        self, log: EventLog, tmp_path: Path
    ) -> None:
        for batch in range(5):
            log.append(event_rows([f"{batch}-{i}" for i in range(3)], segment=f"s{batch}"))
        before = log.read("demand").sort_by("key")
        done = log.compact("demand", grace=timedelta())
        assert (done.days, done.merged) == (1, 5)
        log.compact("demand", grace=timedelta())
        assert [file.name for file in files(tmp_path)] == ["generation-000001.parquet"]
        assert log.read("demand").sort_by("key").equals(before)
        assert keys(log.read("demand", segment="s3")) == ["3-0", "3-1", "3-2"]

    def test_a_compacted_day_is_smaller_than_what_was_appended(
        self, log: EventLog, tmp_path: Path
    ) -> None:
        for batch in "ab":
            lists = [f"{batch}{i % 7}\nb{i * i}\nc{i % 11}" for i in range(2_000)]
            log.append(event_rows([f"{batch}{i}" for i in range(2_000)], outputs={"items": lists}))
        appended = sum(file.stat().st_size for file in files(tmp_path))
        log.compact("demand", grace=timedelta())
        log.compact("demand", grace=timedelta())
        assert sum(file.stat().st_size for file in files(tmp_path)) < appended / 2

    def test_later_appends_join_the_next_generation(self, log: EventLog, tmp_path: Path) -> None:
        for batch in "abcd":
            log.append(event_rows([batch]))
            log.compact("demand", grace=timedelta())
        assert keys(log.read("demand")) == list("abcd")
        log.compact("demand", grace=timedelta())
        assert [file.name for file in files(tmp_path)] == ["generation-000003.parquet"]

    def test_an_append_repeated_after_compaction_adds_nothing_twice(self, log: EventLog) -> None:
        for batch in ("a", "b"):
            log.append(event_rows([batch]))
        log.compact("demand", grace=timedelta())
        log.append(event_rows(["a"]))
        assert keys(log.read("demand")) == ["a", "b"]

    def test_merged_files_are_left_to_readers_for_a_while(
        self, log: EventLog, tmp_path: Path
    ) -> None:
        for batch in ("a", "b"):
            log.append(event_rows([batch]))
        assert log.compact("demand").removed == 0
        assert len(files(tmp_path)) == 3
        assert keys(log.read("demand")) == ["a", "b"]
        assert log.compact("demand") == log.compact("demand")

    def test_a_clock_that_steps_back_removes_nothing(self, log: EventLog, tmp_path: Path) -> None:
        for batch in ("a", "b"):
            log.append(event_rows([batch]))
        log.compact("demand")
        for file in files(tmp_path):
            os.utime(file, (2**32, 2**32))  # written in the future, as it seems
        assert log.compact("demand").removed == log.sweep("demand") == 0
        assert keys(log.read("demand")) == ["a", "b"]

    def test_another_compaction_may_have_removed_what_it_listed(
        self, log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for batch in ("a", "b"):
            log.append(event_rows([batch]))

        def overtaken(folder: Folder, day: str) -> Day:
            seen = look(folder, day)
            with monkeypatch.context() as patch:
                patch.setattr(events, "look", look)
                for _ in range(2):
                    EventLog(str(tmp_path)).compact("demand", grace=timedelta())
            return seen

        monkeypatch.setattr(events, "look", overtaken)
        assert log.compact("demand", grace=timedelta()).days == 0
        monkeypatch.undo()
        assert keys(log.read("demand")) == ["a", "b"]

    def test_some_days(self, log: EventLog) -> None:
        for hour in (0, 1, 24, 25):
            log.append(event_rows([str(hour)], time=NOON + timedelta(hours=hour)))
        assert log.compact("demand", end=NOON).days == 1
        assert len(log.days("demand")) == 2
        assert log.compact("demand").days == 1

    def test_a_damaged_file_stops_it(self, log: EventLog, tmp_path: Path) -> None:
        for batch in ("a", "b"):
            log.append(event_rows([batch]))
        files(tmp_path)[0].write_bytes(b"PAR1 damaged PAR1")
        with pytest.raises(StoreError, match="the day was not compacted"):
            log.compact("demand")
        assert len(files(tmp_path)) == 2

    def test_in_an_object_store(self) -> None:
        log = EventLog(f"memory://events-{next(_FOLDERS)}")
        for batch in ("a", "b"):
            log.append(event_rows([batch]))
        assert log.compact("demand", grace=timedelta()).merged == 2
        assert keys(log.read("demand")) == ["a", "b"]

    def test_temporary_files_of_killed_writes_are_swept(
        self, log: EventLog, tmp_path: Path
    ) -> None:
        log.append(event_rows(["a"]))
        left = files(tmp_path)[0].parent / ".half.parquet.1.tmp"
        left.write_bytes(b"half")
        assert log.sweep("demand") == 0
        os.utime(left, (0, 0))
        assert log.sweep("demand") == 1
        assert keys(log.read("demand")) == ["a"]


class TestQuery:
    def test_sees_the_events_of_some_days(self, log: EventLog) -> None:
        log.append(event_rows(list("abc"), time=[NOON, NOON, NOON + timedelta(days=3)]))
        found = log.query(
            "SELECT count(*) AS n, max(map_extract(outputs, 'mean')[1]) AS most FROM events",
            "demand",
            end=NOON + timedelta(days=1),
        )
        assert found.to_pylist() == [{"n": 2, "most": 1.0}]
        assert log.query("SELECT key FROM events", "credit").num_rows == 0

    @pytest.mark.parametrize(
        ("sql", "message"),
        [
            ("SELECT FROM", "query of the events of demand: Parser Error"),
            ("SELECT * FROM '/etc/passwd'", "query of the events of demand"),
            ("SELECT * FROM read_text('/etc/passwd')", "disabled"),
            ("INSTALL httpfs", "disabled"),
        ],
    )
    def test_sees_nothing_else(self, log: EventLog, sql: str, message: str) -> None:
        log.append(event_rows(["a"]))
        with pytest.raises(DataError, match=message):
            log.query(sql, "demand")


def test_files_from_before_there_were_propensities(log: EventLog, tmp_path: Path) -> None:
    log.append(event_rows(["new"], propensity=0.25))
    old = log.read("demand").drop_columns(["propensity", "logical_model"])
    (folder,) = tmp_path.glob("logical_model=demand/*")
    pq.write_table(
        old.set_column(0, old.schema.field("key"), pa.array(["old"])), folder / "0.parquet"
    )
    for _ in range(2):
        found = log.read("demand", columns=["key", "propensity"]).sort_by("key").to_pylist()
        assert [event["propensity"] for event in found] == [0.25, 1.0]
        log.compact("demand", grace=timedelta(0))
