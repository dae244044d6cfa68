"""Nights over segments whose champion is damaged in the store, or gone from it."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from loopcast.api import Version
from loopcast.cli import loopcast
from loopcast.deploy.bundle import open_bundle
from loopcast.store.home import Home

from .nights import (
    BETTER,
    CREDIT,
    EASE,
    FIRST,
    LATER,
    MUCH_LATER,
    POPULAR,
    SHOPS,
    plugins,
    put_credit,
    put_shops,
    shops,
    unasked,
)

__all__ = ["plugins", "shops", "unasked"]


def stored(home: Home, version: Version) -> Path:
    return Path(home.artifacts_url) / version.manifest[:2] / version.manifest


def change(home: Home, version: Version, file: str | None = None) -> None:
    """Change one byte of a file of a bundle, or of its manifest, as a bad disk does."""
    path = stored(home, version)
    content = bytearray(path.read_bytes())
    place = 24 + 40
    if file is not None:
        sizes = sizes_of(home, version)
        before = sum(size for name, size in sizes.items() if name < file)
        place = 24 + struct.unpack("<Q", content[16:24])[0] + before + sizes[file] // 2
    content[place] ^= 255
    path.chmod(0o644)
    path.write_bytes(content)


def sizes_of(home: Home, version: Version) -> dict[str, int]:
    files = open_bundle(home.artifacts, version.manifest).manifest.files
    return {name: file.size for name, file in files.items()}


def answered(folder: Path) -> set[str]:
    return set(pd.read_parquet(folder / "run" / "rankings.parquet")["segment"])


def three_of_four_damaged(folder: Path, run: Any, home: Home, file: str) -> Mapping[str, Version]:
    """Train four champions, and damage the manifest of one, a file of one, and all of a third."""
    put_shops(folder, night=1, names="abcd")
    run("job=train", FIRST, *SHOPS, POPULAR)
    champions = home.catalog.champions("shop")
    change(home, champions["a"])
    change(home, champions["b"], file)
    stored(home, champions["c"]).unlink()
    return champions


def test_a_person_releases_what_follows_a_champion_that_is_damaged_or_gone(
    tmp_path: Path, run: Any, home: Home, shops: Any
) -> None:
    champions = home.catalog.champions("shop")
    change(home, champions["a"], "names.npz")
    stored(home, champions["b"]).unlink()
    summary = shops()
    results = {item["segment"]: item for item in summary["retraining"]["segments"]}
    for name in "ab":
        assert results[name]["result"] == "proposed"
        assert f"champion {champions[name].id} could not be judged" in results[name]["reason"]
    assert results["c"]["result"] == "released"
    assert answered(tmp_path) == {"c", "new"}
    [command] = summary["retraining"]["commands"]
    words = command.replace("NAME", "ann").replace("TEXT", "damaged").split()
    done = CliRunner().invoke(loopcast, words[1:])
    assert done.exit_code == 0, done.output
    run("job=serve", LATER, *SHOPS)
    assert answered(tmp_path) == {"a", "b", "c", "new"}
    serving = home.catalog.champions("shop")
    assert {n: v.id for n, v in serving.items()} == {n: r["version"] for n, r in results.items()}


def test_a_damaged_champion_stops_no_other_training(
    tmp_path: Path, run: Any, home: Home, unasked: None
) -> None:
    champions = three_of_four_damaged(tmp_path, run, home, "judged.npz")
    told = run("job=train", LATER, *SHOPS, EASE)["training"]["segments"]
    found = {item["segment"]: item for item in told}
    assert [found[name]["status"] for name in "abcd"] == ["waiting"] * 3 + ["better"]
    for name in "abc":
        assert f"champion {champions[name].id} could not be judged" in found[name]["reason"]


def test_training_again_on_the_same_data_mends_what_was_damaged(
    tmp_path: Path, run: Any, home: Home
) -> None:
    champions = three_of_four_damaged(tmp_path, run, home, "names.npz")
    run("job=serve", FIRST, *SHOPS)
    assert answered(tmp_path) == {"d"}
    told = run("job=train", LATER, *SHOPS, POPULAR)["training"]["segments"]
    found = {item["segment"]: item["status"] for item in told}
    assert found == {"a": "better", "b": "better", "c": "better", "d": "kept"}
    run("job=serve", LATER, *SHOPS)
    assert answered(tmp_path) == {"a", "b", "c", "d"}
    assert home.catalog.champions("shop") == champions


@pytest.mark.parametrize("keep", [BETTER, "retrain.keep=all"])
def test_what_was_tried_is_tried_again_where_the_champion_is_lost(
    tmp_path: Path, run: Any, home: Home, keep: str
) -> None:
    put_credit(tmp_path, night=1)
    run("job=train", FIRST, *CREDIT)
    champion = home.catalog.champions("credit")["west"]
    run("job=retrain", LATER, keep, *CREDIT)
    stored(home, champion).unlink()
    told = run("job=retrain", MUCH_LATER, keep, *CREDIT)["retraining"]["segments"]
    found = {item["segment"]: item for item in told}
    assert found["west"]["result"] == "proposed"
    assert {found[name]["result"] for name in ("east", "north", "south")} == {"kept"}
