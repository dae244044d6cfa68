"""A process that is killed again and again counts, answers and learns once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from loopcast_edge.agent.drift import DAY_MS, Days
from loopcast_edge.agent.outbox import Outbox, Sealed
from loopcast_edge.agent.tally import Tallies
from loopcast_edge.wire import EventBatch, Receipt, SketchDay, TruthBatch, decode, encode

from ..centre import STEP_S, Centre, now_ms
from .device import REFERENCE

FIRST_MS = now_ms() // DAY_MS * DAY_MS - 2 * DAY_MS
EVERY_MS = STEP_S * 1000
A_DAY = DAY_MS // EVERY_MS
SETTINGS = """
device = "meter-7"
state = "state"
root = "root"
keys = "keys"
local = ["package"]
log_level = "error"
[source]
kind = "replay"
path = "lines.jsonl"
"""


def lay_out(folder: Path) -> None:
    """A device without a broker, a package brought by hand, and two days to replay."""
    centre = Centre()
    package = centre.package(reference=REFERENCE)
    (folder / "package").mkdir()
    (folder / "package" / "manifest").write_bytes(encode(package.envelope))
    (folder / "package" / "model.tflite").write_bytes(package.model)
    (folder / "root").write_bytes(encode(centre.root))
    (folder / "keys").write_bytes(centre.keys())
    (folder / "agent.toml").write_text(SETTINGS)
    lines = (
        {"time": FIRST_MS + number * EVERY_MS, "temperature": 20.0, "load": 41.0}
        for number in range(2 * A_DAY)
    )
    (folder / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))


def run(folder: Path, most: int | None = None) -> int:
    """Run the agent, and kill it after so many predictions; return how many it made."""
    command = [sys.executable, "-m", "loopcast_edge", "run", "--config", str(folder / "agent.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = 0
        for said, _ in enumerate(process.stdout, 1):
            if said == most:
                process.kill()
                break
    assert process.returncode == (0 if most is None else -9)
    return said


def home(outbox: Outbox) -> Iterator[Sealed]:
    """Give all that an outbox holds, as the centre would take it."""
    outbox.seal()
    while sent := outbox.batches():
        yield from sent
        outbox.stored(Receipt(outbox=outbox.id, stored=tuple(each.sequence for each in sent)))
        outbox.seal()


def test_two_days_through_three_lives(tmp_path: Path) -> None:
    lay_out(tmp_path)
    said = [run(tmp_path, 300), run(tmp_path, 300), run(tmp_path)]
    assert 0 < said[2] <= 2 * A_DAY - 600, "what was answered is not answered again"
    outbox = Outbox(tmp_path / "state" / "outbox.sqlite")
    sent = list(home(outbox))
    events = [decode(each.payload, EventBatch) for each in sent if each.channel == "up/events"]
    truths = [decode(each.payload, TruthBatch) for each in sent if each.channel == "up/truth"]
    keys = [event.key for batch in events for event in batch.events]
    assert len(set(keys)) == len(keys) == 2 * A_DAY
    outcomes = [each.key for batch in truths for each in batch.outcomes]
    assert sorted(outcomes) == sorted(keys)
    ended = Days(outbox.notes).ended(now_ms())
    days = [make(outbox.id, 99) for _, make in ended]
    days += [decode(each.payload, SketchDay) for each in sent if each.channel == "up/sketch"]
    counted: Counter[int] = Counter()
    erred: Counter[int] = Counter()
    for day in days:  # as the centre adds them up
        assert isinstance(day, SketchDay)
        counted[day.day] += day.rows
        erred[day.day] += day.errors.n
    first = FIRST_MS // DAY_MS
    assert counted == erred == {first: A_DAY, first + 1: A_DAY}
    [tally] = Tallies(outbox.notes, "demand@").of.values()
    assert (tally.predictions, tally.errors.n) == (2 * A_DAY, 2 * A_DAY)
    outbox.close()
