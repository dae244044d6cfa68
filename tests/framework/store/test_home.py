"""A home folder holds the three stores; URLs move them elsewhere."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loopcast.api import NotFoundError
from loopcast.store.home import open_home

from .builders import NOON, registrations
from .builders import logical_model as a_logical_model


def test_stores_live_in_the_folder(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    home.catalog.put_logical_model(a_logical_model())
    home.catalog.register(registrations(1))
    home.artifacts.put(b"data")
    assert home.events.read("demand", NOON).num_rows == 0
    assert home.catalog is home.catalog
    home.catalog.close()
    assert {path.name for path in home.folder.iterdir()} >= {"catalog.db", "artifacts"}


def test_a_catalog_that_nobody_holds_is_closed_at_once(tmp_path: Path) -> None:
    def opened() -> list[str]:
        names = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
        return [name for name in names if name.startswith(f"{tmp_path}/catalog.db")]

    gc.collect()
    gc.disable()  # or it would close, with a warning, whenever cycles are collected
    try:
        home = open_home(tmp_path)
        home.catalog.put_logical_model(a_logical_model())
        assert opened()
        del home
        assert opened() == []
    finally:
        gc.enable()


def test_urls_move_them(tmp_path: Path) -> None:
    home = open_home(
        tmp_path, catalog=f"sqlite:///{tmp_path}/other.db", artifacts="memory://a", events=""
    )
    home.catalog.close()
    assert (tmp_path / "other.db").exists()
    assert home.events_url == str(tmp_path / "events")


def test_the_name_of_a_catalog_hides_its_password() -> None:
    assert open_home("/x").catalog_name == "/x/catalog.db"
    assert "secret" not in open_home("/x", catalog="postgresql://a:secret@h/d").catalog_name


def test_only_looking_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no catalog at"):
        _ = open_home(tmp_path, create=False).catalog
    assert list(tmp_path.iterdir()) == []


def test_what_killed_runs_left_is_swept_a_day_later(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    left = [tmp_path / "runs/demand/1/.lists.mdb.part", tmp_path / "multiruns/1/0/.a.json.1.tmp"]
    kept = [tmp_path / "runs/demand/1/lists.mdb", tmp_path / "runs/demand/1/.hydra/config.yaml"]
    for file in (*left, *kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    assert home.sweep() == 0
    for file in (*left, *kept):
        os.utime(file, (0, 0))
    assert home.sweep() == 2
    assert [file.exists() for file in (*left, *kept)] == [False, False, True, True]


def test_opening_imports_no_store() -> None:
    code = (
        "import sys; from loopcast.store.home import open_home; open_home();"
        "print([name for name in ('sqlalchemy', 'pyarrow', 'fsspec') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
