"""What is read once before a training: of each segment the newest, who serves, what was tried."""

from __future__ import annotations

from pathlib import Path

from loopcast.iterate.past import past_of
from loopcast.store.home import open_home

from ..store.builders import logical_model, registration, version


def test_the_newest_need_not_be_who_serves(tmp_path: Path) -> None:
    catalog = open_home(tmp_path).catalog
    catalog.put_logical_model(logical_model())
    north, newer = (version(number, segment="north") for number in range(2))
    south = version(0, segment="south")
    catalog.register([registration(each) for each in (north, newer, south)])
    catalog.release("demand", "north", north.id, stage="champion", by="ann", reason="better")
    past = past_of(catalog, "demand")
    assert past.newest == {"north": newer, "south": south}
    assert past.champions == {"north": north}
    assert past.attempts == {}
