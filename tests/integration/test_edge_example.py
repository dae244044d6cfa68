"""The example of twenty control rooms: every command of its README, typed as it stands there."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from loopcast.store.home import open_home

from ..edge.servers import mosquitto
from .readme import Readme, beside_examples

README = Readme(example="06_edge", home="edge")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where every command was typed."""
    mosquitto()
    folder = beside_examples(tmp_path_factory.mktemp("edge"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOPCAST_BROKER_URL", "mqtts://localhost:18886")
        patch.setenv("LOOPCAST_DEVICES_URL", "mqtts://localhost:18883")
        try:
            for line in README.commands:
                README.told(line, folder)
        except BaseException:  # the last command, which ends what runs, was not reached
            for file in folder.glob("loopcast-home/**/*.pid"):
                with suppress(ProcessLookupError):
                    os.kill(int(file.read_text()), signal.SIGTERM)
            raise
        yield folder


def test_the_bad_version_stops_itself_and_the_others_arrive(folder: Path) -> None:
    told = README.told("loopcast fleet status --json", folder)
    rollouts = {each["plan"]["name"]: each for each in json.loads(told)["rollouts"]}
    assert {name: each["phase"] for name, each in rollouts.items()} == {
        "first": "complete", "better": "complete", "winter": "stopped"}  # fmt: skip
    assert rollouts["better"]["ratio"] < 1.0
    assert rollouts["winter"]["ratio"] > 1.1
    assert [stage["reached"] for stage in rollouts["winter"]["stages"]] == [True, False, False]


def test_rooms_are_in_the_event_log_once(folder: Path) -> None:
    place = open_home(folder / "loopcast-home" / "edge", create=False)
    with place.catalog as catalog:
        assert catalog.kept_uplinks("refused") == ()
        catalog.verify_audit()
    events = place.events.read("victoria_demand").to_pandas()
    rooms = events[events["source"].str.startswith("device/")]
    assert rooms["source"].nunique() == 20
    assert not rooms.duplicated(["source", "version", "role", "key", "time"]).any()


def test_the_page_names_every_room(folder: Path) -> None:
    page = (folder / "loopcast-home" / "fleet.html").read_text()
    assert all(f"room-{number}" in page for number in range(20))
    assert "worse than the margin" in page
