"""What is kept beside the events, in their transactions."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.remembered import FORGET_EVERY


def test_records_are_of_the_transaction_that_is_open() -> None:
    outbox = Outbox(None)
    outbox.notes.write("day/a", 1)
    with suppress(KeyError), outbox.together():
        outbox.notes.write("day/a", 2)
        outbox.notes.write("day/b", 3)
        outbox.said("place").put("key", "package", 4.0)
        raise KeyError
    assert outbox.notes.read("day/", int) == {"a": 1}
    assert outbox.said("place").of("key") == {}


def test_records_are_read_by_what_their_names_begin_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes = Outbox(None).notes
    for name, record in (("day/a", 1), ("day/b", "text"), ("day", 2), ("days/a", 3)):
        notes.write(name, record)
    assert notes.read("day/", int) == {"a": 1}
    assert "day/b is forgotten" in caplog.text
    assert notes.read("day/", str) == {}, "what could not be read is dropped"
    notes.drop("day/a", "no such name")
    assert notes.read("day", int) == {"": 2, "s/a": 3}


def test_what_was_said_is_of_one_place_and_the_last() -> None:
    outbox = Outbox(None)
    here, there = outbox.said("here"), outbox.said("there")
    here.put("key", "one", 1.0)
    here.put("key", "one", 2.0)
    here.put("key", "two", 3.0)
    there.put("key", "one", 4.0)
    assert here.of("key") == {"one": 2.0, "two": 3.0}
    here.known("key")
    assert here.of("key") is None, "an outcome is known once"
    assert there.of("key") == {"one": 4.0}


def test_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopcast_edge.agent.remembered.MOST", FORGET_EVERY)
    said = Outbox(None).said("place")
    for number in range(1, 2 * FORGET_EVERY + 1):
        said.put(str(number), "package", float(number))
    assert said.of(str(FORGET_EVERY)) == {}
    assert said.of(str(FORGET_EVERY + 1)) == {"package": FORGET_EVERY + 1.0}


def test_a_file_of_the_format_before_goes_on(tmp_path: Path) -> None:
    """It had neither records nor what was said."""
    path = tmp_path / "outbox.sqlite"
    old = Outbox(path)
    old.close()
    with closing(sqlite3.connect(path)) as database:
        database.executescript("DROP TABLE notes; DROP TABLE said; PRAGMA user_version = 1;")
    for _ in range(2):
        box = Outbox(path)
        assert (box.id, box.set_aside) == (old.id, None)
        box.said("place").put("key", "package", 1.0)
        assert box.notes.read("", int) == {}
        box.close()
