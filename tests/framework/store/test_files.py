"""Files are absent or whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from loopcast.api import NotFoundError, StoreError
from loopcast.store.files import open_folder, write_all_atomically, write_atomically


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


def test_a_file_replaces_the_one_before(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        write_atomically(tmp_path / "a" / "b" / "file", content)
        assert (tmp_path / "a" / "b" / "file").read_bytes() == content
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_several_files(tmp_path: Path) -> None:
    contents = {tmp_path / name / "file": name.encode() for name in ("a", "b")}
    write_all_atomically(contents)
    assert {path: path.read_bytes() for path in contents} == contents


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_readers_see_no_write_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, seen = open_folder(str(tmp_path)), []
    sync = os.fsync

    def look(descriptor: int) -> None:
        seen.append((folder.names(""), folder.exists("file")))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    folder.write_all({"file": b"data"})
    assert seen == [([], False), (["file"], True)]


@pytest.mark.parametrize("url", ["{}", "file://{}", "memory://{}"])
def test_folder(url: str, tmp_path: Path) -> None:
    folder = open_folder(url.format(tmp_path))
    assert folder.names("a") == []
    folder.write_all({"a/two": b"2", "a/one": b"1"})
    assert folder.names("a") == ["one", "two"]
    assert folder.read("a/two") == b"2"
    assert folder.exists("a/two")
    assert not folder.exists("a/three")
    with pytest.raises(NotFoundError, match="a/three does not exist"):
        folder.read("a/three")


@pytest.mark.parametrize("url", ["{}", "memory://{}"])
def test_parts_of_a_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopcast.store.files._PIECE", 9)
    folder = open_folder(url.format(tmp_path))
    folder.write_all({"a/file": bytes(range(100))})
    parts = folder.parts("a/file")
    for place in (
        slice(None),
        slice(10),
        slice(90, 200),
        slice(7, 7),
        slice(8, 3),
        slice(300, 400),
    ):
        assert parts(place) == bytes(range(100))[place]
    with pytest.raises(NotFoundError, match="a/none does not exist"):
        folder.parts("a/none")(slice(None))


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path / "store"))
    with pytest.raises(StoreError, match=r"could not write to .*store: No space left on device"):
        folder.write_all({"file": b"data"})


def test_a_store_that_is_not_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class EndpointConnectionError(Exception):
        """As botocore's: no error of the operating system."""

    def refuse(*_: object, **__: object) -> None:
        raise EndpointConnectionError("Could not connect to the endpoint URL")

    folder = open_folder("memory://unreached")
    for name in ("cat_file", "ls", "pipe"):
        monkeypatch.setattr(folder.filesystem, name, refuse)
    for action in (
        lambda: folder.read("a"),
        lambda: folder.names("a"),
        lambda: folder.write_all({"a": b""}),
    ):
        with pytest.raises(StoreError, match=r"could not .* Could not connect .*; nothing was"):
            action()


def test_unknown_protocol() -> None:
    with pytest.raises(StoreError, match=r"gopher://x: .*use a folder or a URL that fsspec knows"):
        open_folder("gopher://x")
