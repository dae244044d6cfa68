"""A ranking on a device: trained, published, asked, told what was chosen, and monitored."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from loopcast.cli import loopcast
from loopcast.fleet.centre import Centre
from loopcast.fleet.embedded import embedded_broker
from loopcast.fleet.founding import found
from loopcast.fleet.link import FLEET, Broker, Link
from loopcast.store.home import open_home
from loopcast_edge.wire import encode

from ...edge.servers import free_port
from ...framework.fleet.fake import wait_for

pytestmark = pytest.mark.slow

MODEL = """\
# @package _global_
defaults:
  - override /data: films
  - override /template: recommender.ease
  - override /holdout: last
template:
  hyperparameters: {half_lives: [null]}
baselines:
  popularity: {name: recommender.popularity}
logical_model:
  name: films
  title: Films to come
  purpose: Say on the screen of a cinema what else there is.
  owner: cinema
  risk: {audience: internal, impact: minor, lifetime: weeks, reversibility: reversible,
    personal_data: none}
  assumptions: [Who liked the same likes the same.]
  limits: [Not for new films.]
  fallback: show nothing
  kpi: {metric: recall, direction: higher, minimum_effect: 0.0}
  schema: {task: rank, entity: person, item: film, time: day, length: 3}
"""
DATA = """\
name: films
reader: csv
options: {path: films.csv}
table:
  task: rank
  columns: {person: person, film: film, day: day}
  segment: null
"""
AGENT = """\
device = "screen-1"
state = "state"
root = "root"
uplink_s = 0.2
report_s = 0.5
[broker]
host = "127.0.0.1"
port = {port}
username = "screen-1"
[sink]
path = "answers.jsonl"
"""
BY = ("--by", "ann")
OLD = ("Ran", "Ikiru", "Stalker", "Mirror")
NEW = ("Heat, the film", "Seven", "Fargo", "Alien")
PEOPLE = ("p0", "p1", "p2")
LIKED = (0.4, 0.3, 0.2, 0.1)


def told(*arguments: str) -> str:
    result = CliRunner().invoke(loopcast, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def trained(folder: Path) -> dict[str, list[str]]:
    """Train on people who like either the old films or the new ones, and one of the others.

    Returns what each has chosen.
    """
    random = np.random.default_rng(1)
    chosen, rows = {}, []
    for number in range(80):
        own, other = (OLD, NEW) if number % 2 else (NEW, OLD)
        films = (*random.choice(other, 1, p=LIKED), *random.choice(own, 3, replace=False, p=LIKED))
        chosen[f"p{number}"] = list(map(str, films))
        rows += [f'p{number},"{film}",2026-01-0{day}' for day, film in enumerate(films, 1)]
    (folder / "films.csv").write_text("\n".join(["person,film,day", *rows]))
    for kind, text in (("logical_model", MODEL), ("data", DATA)):
        (folder / "conf" / kind).mkdir(parents=True)
        (folder / "conf" / kind / "films.yaml").write_text(text)
    for job in ("train", "serve"):
        told("run", "logical_model=films", f"job={job}", "holdout.count=1")
    return chosen


@contextmanager
def screen(folder: Path) -> Iterator[Callable[..., None]]:
    """Run an agent that is told lines, and ends well."""
    command = [sys.executable, "-m", "loopcast_edge", "run", "--config", "agent.toml"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, text=True) as agent,
    ):

        def say(**line: Any) -> None:
            assert agent.stdin is not None
            agent.stdin.write(json.dumps(line) + "\n")
            agent.stdin.flush()

        try:
            yield say
        finally:
            agent.terminate()
        assert agent.wait(20) == 0


def test_lists_of_devices_are_counted_as_the_centres_own(
    tmp_path: Path, loopcast_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOOPCAST_CONFIG_DIR", str(tmp_path / "conf"))
    chosen = trained(tmp_path)
    lists = pd.read_parquet(loopcast_home / "served" / "films" / "current" / "rankings.parquet")
    own = lists.groupby("person")["film"].agg(list).to_dict()
    place, port = open_home(loopcast_home), free_port()
    ring = found(place)
    told("fleet", "publish", "-m", "films", "--trial-hours", "0", "--trial-predictions", "1", *BY)
    told("fleet", "enrol", "add", "screen-1", *BY)
    told("fleet", "rollout", "first", "-m", "films", "--cohorts", "1", "--health-only",
         "--reason", "r", *BY)  # fmt: skip
    (tmp_path / "root").write_bytes(encode(ring.roots[0]))
    (tmp_path / "agent.toml").write_text(AGENT.format(port=port))
    with (
        place.catalog,
        embedded_broker(port) as broker,
        Link(Broker(url=broker.url), listen=FLEET) as link,
        screen(tmp_path) as say,
    ):
        centre = Centre(place=place, keys=ring.folder, link=link)

        def until(so: Callable[[], bool]) -> None:
            wait_for(so, lambda: centre.turn(0.1), 30)

        until(lambda: "proved" in (tmp_path / "log").read_text())
        for person in PEOPLE:
            say(key=f"{person} at the screen", chosen=chosen[person])
        say(key="who wants one", chosen=[*OLD, *NEW[1:]])
        say(key="p0 at the screen", outcome=[own["p0"][0], "Speed"])
        say(key="p1 at the screen", outcome="Speed")
        until(lambda: place.truth.latest("films").num_rows == 2)
        until(lambda: place.events.read("films").num_rows == len(own) + 4)
        events = {each["key"]: each for each in place.events.read("films").to_pylist()}
    for person in PEOPLE:
        ours, theirs = events[person], events[f"{person} at the screen"]
        assert theirs["output_texts"] == ours["output_texts"]
        assert dict(theirs["outputs"]) == pytest.approx(dict(ours["outputs"]), rel=1e-5)
    lines = [json.loads(text) for text in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [lines[0]["outputs"][f"item {place}"] for place in (1, 2, 3)] == own["p0"]
    assert lines[-1]["outputs"].keys() == {"item 1", "score 1"}
    assert dict(events["who wants one"]["output_texts"]) == {"items": NEW[0]}
    seen = told("monitor", "-m", "films")
    assert f"outcomes of 2 of {len(own) + 4} chosen predictions are known" in seen
    assert re.search(rf"^recall +all +0\.25 .* 2 of {len(own) + 4}$", seen, re.M), seen
