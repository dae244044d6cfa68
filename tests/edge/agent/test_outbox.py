from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from loopcast_edge.agent.outbox import BATCH_ROWS, WINDOW, Outbox
from loopcast_edge.wire import (
    EdgeEvent,
    Errors,
    EventBatch,
    Outcome,
    Receipt,
    SketchDay,
    Source,
    Subject,
    TruthBatch,
    WireError,
    decode,
)

HOUR = 3_600_000
SOURCE = Source(
    logical_model="demand", segment="", version="ab" * 8, inputs=("load",), outputs=("mean",)
)
OTHER = Source(logical_model="demand", segment="", version="cd" * 8, role="shadow")
SUBJECT = Subject(logical_model="demand", segment="")


def event(number: int, time: int | None = None, value: float = 1.0) -> EdgeEvent:
    at = number * 60_000 if time is None else time
    return EdgeEvent(source=0, key=f"k{number}", time=at, inputs=(value,), outputs=(value,))


def drained(box: Outbox) -> list[EventBatch | TruthBatch]:
    """What a centre gets that stores all: batches in order."""
    kinds: dict[str, Any] = {"up/events": EventBatch, "up/truth": TruthBatch}
    batches: list[EventBatch | TruthBatch] = []
    while True:
        box.seal()
        sent = box.batches()
        if not sent:
            return batches
        batches += [decode(each.payload, kinds[each.channel]) for each in sent]
        box.stored(Receipt(outbox=box.id, stored=tuple(each.sequence for each in sent)))


def test_what_goes_in_comes_out_in_order_once(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.sqlite")
    for start in range(0, 20_000, 1000):
        box.add_events(SOURCE, [event(number) for number in range(start, start + 1000)])
    assert box.waiting == 20_000
    batches = drained(box)
    events = [each for batch in batches for each in batch.events]  # type: ignore[union-attr]
    assert [each.key for each in events] == [f"k{number}" for number in range(20_000)]
    assert [batch.sequence for batch in batches] == list(range(1, 20_000 // BATCH_ROWS + 1))
    assert (box.pending, box.waiting) == (0, 0)


def test_sources_are_named_once_and_rows_keep_theirs() -> None:
    box = Outbox(None)
    box.add_events(SOURCE, [event(1)])
    box.add_events(OTHER, [EdgeEvent(source=7, key="s", time=2)])
    box.add_events(SOURCE, [event(2)])
    box.add_outcomes(SUBJECT, [Outcome(subject=0, key="k1", observed=9, value=3.0)])
    events, truth = drained(box)
    assert isinstance(events, EventBatch)
    assert [events.sources[each.source] for each in events.events] == [SOURCE, OTHER, SOURCE]
    assert isinstance(truth, TruthBatch)
    assert truth.outcomes[0].value == 3.0


def test_a_batch_stays_as_it_is_until_a_receipt_names_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path)
    box.add_events(SOURCE, [event(1)])
    box.seal()
    first = box.batches()
    box.add_events(SOURCE, [event(2)])
    box.stored(Receipt(outbox="f" * 16, stored=(1,)))
    box.close()
    again = Outbox(path)
    assert again.batches() == first
    again.seal()
    assert again.batches()[0] == first[0]
    again.stored(Receipt(outbox=again.id, stored=(1,)))
    assert [each.sequence for each in again.batches()] == [2]
    again.stored(Receipt(outbox=again.id, stored=(2, 17)))
    again.add_events(SOURCE, [event(3)])
    again.seal()
    assert [each.sequence for each in again.batches()] == [3], "no number is used again"


def test_no_more_than_a_window_is_sealed() -> None:
    box = Outbox(None)
    for _ in range(WINDOW + 5):
        box.add_events(SOURCE, [event(number) for number in range(BATCH_ROWS)])
    box.seal()
    assert box.pending == len(box.batches()) == WINDOW
    assert box.waiting == 5 * BATCH_ROWS


def test_the_oldest_are_condensed_and_nothing_is_lost() -> None:
    box = Outbox(None, most_rows=200)
    total = 3000
    for number in range(total):
        box.add_events(SOURCE, [event(number, value=float(number))])
        assert box.waiting <= 200
    [batch] = drained(box)
    assert isinstance(batch, EventBatch)
    counted = sum(each.count for each in batch.condensed) + len(batch.events)
    summed = sum(each.sums[0] for each in batch.condensed) + sum(
        float(each.outputs[0] or 0) for each in batch.events
    )
    assert (counted, summed) == (total, total * (total - 1) / 2)
    assert [each.key for each in batch.events] == [
        f"k{number}" for number in range(total - len(batch.events), total)
    ]
    assert max(each.end for each in batch.condensed) < batch.events[0].time


def test_sparse_events_of_years_are_condensed_by_day_and_then_altogether() -> None:
    box = Outbox(None, most_rows=100)
    for number in range(5000):
        box.add_events(SOURCE, [event(number, time=number * 48 * HOUR)])
    assert box.waiting <= 100
    [batch] = drained(box)
    assert isinstance(batch, EventBatch)
    assert sum(each.count for each in batch.condensed) + len(batch.events) == 5000


def test_the_log_says_what_is_condensed(caplog: pytest.LogCaptureFixture) -> None:
    box = Outbox(None, most_rows=100)
    box.add_events(SOURCE, [event(number) for number in range(100)])
    assert not caplog.messages
    box.add_events(SOURCE, [event(100)])
    assert caplog.messages == [
        "101 rows wait for the centre: the oldest 10 became 1 counts and sums"
    ]
    assert box.waiting == 92


def test_outcomes_are_condensed_too() -> None:
    box = Outbox(None, most_rows=100)
    for number in range(300):
        value = "yes" if number % 2 else 2.0
        box.add_outcomes(SUBJECT, [Outcome(subject=0, key="k", observed=number, value=value)])
    [batch] = drained(box)
    assert isinstance(batch, TruthBatch)
    assert sum(each.count for each in batch.condensed) + len(batch.outcomes) == 300


def test_what_is_sealed_is_not_condensed() -> None:
    box = Outbox(None, most_rows=100)
    box.add_events(SOURCE, [event(number) for number in range(90)])
    box.seal()
    first = box.batches()
    for number in range(1000):
        box.add_events(SOURCE, [event(number)])
    assert box.batches() == first


def test_long_rows_are_sealed_in_batches_that_fit() -> None:
    wide = Source(
        logical_model="demand",
        segment="",
        version="ab" * 8,
        inputs=tuple(f"input {n}" for n in range(500)),
    )
    box = Outbox(None)
    for number in range(200):
        row = EdgeEvent(source=0, key=f"k{number}", time=number, inputs=(1 / 3,) * 500)
        box.add_events(wide, [row])
    batches = drained(box)
    assert len(batches) > 1
    keys = [each.key for batch in batches for each in batch.events]  # type: ignore[union-attr]
    assert keys == [f"k{number}" for number in range(200)]


def test_many_at_once_are_kept_and_a_bad_one_among_them_is_said() -> None:
    box = Outbox(None)
    box.add_events(SOURCE, [event(number) for number in range(20_000)])
    bad = EdgeEvent(source=0, key="k" * 300, time=1, inputs=(1.0,), outputs=(1.0,))
    with pytest.raises(WireError, match="length"):
        box.add_events(SOURCE, [*map(event, range(20_000)), bad])
    assert box.waiting == 20_000


def test_what_the_protocol_refuses_is_not_kept() -> None:
    box = Outbox(None)
    with pytest.raises(WireError):
        box.add_events(SOURCE, [event(1), EdgeEvent(source=0, key="", time=1)])
    with pytest.raises(WireError):
        box.add_batch("up/sketch", lambda box, number: sketch(box, number, rows=-1))
    assert (box.waiting, box.pending) == (0, 0)
    assert box.add_batch("up/sketch", sketch) == 1
    assert decode(box.batches()[0].payload, SketchDay).outbox == box.id


def sketch(box: str, number: int, rows: int = 3) -> SketchDay:
    return SketchDay(
        outbox=box,
        sequence=number,
        logical_model="demand",
        segment="",
        version="ab" * 8,
        role="champion",
        day=20_000,
        bins="cd" * 8,
        rows=rows,
        counts=b"",
        moments=b"",
        errors=Errors(),
    )


@pytest.mark.parametrize("damage", [b"no database at all", b""])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "outbox.sqlite"
    old = Outbox(path)
    old.add_events(SOURCE, [event(1)])
    old.close()
    content = path.read_bytes()
    path.write_bytes(damage + content[len(damage) : 100] + b"\xff" * 9000)
    new = Outbox(path)
    assert new.set_aside is not None
    assert new.set_aside.exists()
    assert new.id != old.id, "its numbers begin again, so that its name must be another"
    new.add_events(SOURCE, [event(2)])
    assert new.waiting == 1


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_outbox import SOURCE, event
from loopcast_edge.agent.outbox import Outbox
box = Outbox(Path(sys.argv[1]), most_rows=300)
number = box.waiting
while True:
    box.add_events(SOURCE, [event(number)])
    print(number, flush=True)
    number += 1
    if number % 50 == 0:
        box.seal()
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "outbox.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    time.sleep(0.2 + 0.13 * seed)
    os.kill(process.pid, signal.SIGKILL)
    acknowledged = 1 + len(process.stdout.read().splitlines())
    process.wait()
    process.stdout.close()
    box = Outbox(path)
    assert box.set_aside is None
    batches = drained(box)
    kept = sum(
        len(each.events) + sum(part.count for part in each.condensed)
        for each in batches
        if isinstance(each, EventBatch)
    )
    assert acknowledged <= kept <= acknowledged + 1
