"""Blue and green: whatever happens to a publisher, consumers read a whole batch."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from loopcast.api import IntegrityError, NotFoundError, StoreError
from loopcast.serve import published as module
from loopcast.serve.published import CURRENT, publish, published

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def made_by_a_run(folder: Path, number: int, size: int = 100) -> Path:
    """A file outside the published folder that says which batch it belongs to."""
    source = folder.parent / f"source {folder.name} {number}"
    source.write_bytes(f"{number}".encode() * size)
    return source


def put(folder: Path, number: int, size: int = 100) -> Path:
    """Publish it under two names."""
    source = made_by_a_run(folder, number, size)
    return publish(
        folder,
        {"forecast.parquet": source, "summary.json": source},
        logical_model="demand",
        versions={"": "a" * 16},
        made=NOON + timedelta(seconds=number),
    )


def seen(folder: Path) -> str:
    """What a consumer reads, from both files; they must be of one batch."""
    batch = published(folder)
    first, second = (batch.read(name) for name in ("forecast.parquet", "summary.json"))
    assert first == second
    return first.decode()


def test_the_last_one_is_current(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nothing was published in"):
        published(tmp_path / "demand")
    for number in (1, 2, 3):
        put(tmp_path / "demand", number, size=1)
        assert seen(tmp_path / "demand") == str(number)
        assert (tmp_path / "demand" / CURRENT / "summary.json").read_text() == str(number)
    assert published(tmp_path / "demand").batch.versions == {"": "a" * 16}


def test_a_consumer_keeps_its_batch_while_the_next_is_published(tmp_path: Path) -> None:
    put(tmp_path, 1, size=1)
    mine = published(tmp_path)
    put(tmp_path, 2, size=1)
    assert mine.read("summary.json") == b"1"
    put(tmp_path, 3, size=1)
    with pytest.raises(NotFoundError, match="is gone: two batches were published since"):
        mine.read("summary.json")
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 3  # with the link


def test_the_batch_before_stays_whatever_the_day_of_the_next(tmp_path: Path) -> None:
    before = put(tmp_path / "demand", 5)
    for number in (6, 2, 3, 1):
        own = put(tmp_path / "demand", number)
        left = {path for path in (tmp_path / "demand").iterdir() if not path.is_symlink()}
        assert left == {before, own}
        before = own


def test_a_changed_file_is_not_read(tmp_path: Path) -> None:
    folder = put(tmp_path, 1)
    (folder / "summary.json").write_bytes(b"9")
    with pytest.raises(IntegrityError, match="is not the file that was published"):
        published(tmp_path).read("summary.json")
    (folder / "batch.json").write_bytes(b"9")
    with pytest.raises(IntegrityError, match="is not the description of a batch"):
        published(tmp_path)
    with pytest.raises(NotFoundError, match=r"it has forecast\.parquet, summary\.json"):
        module.Published(folder, put_batch(tmp_path)).read("other.json")


def put_batch(folder: Path) -> module.Batch:
    put(folder, 2)
    return published(folder).batch


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "batch.json", ""])
def test_a_name_that_could_leave_the_batch(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a file of a batch"):
        publish(tmp_path, {name: Path("x")}, logical_model="m", versions={}, made=NOON)
    assert list(tmp_path.iterdir()) == []


def in_child(task: Callable[[], None]) -> int:
    """Run a task in a forked process and return how it ended."""
    pid = os.fork()
    if not pid:
        try:
            task()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


CALLS = ("mkdir", "link", "open", "fsync", "rename", "replace", "symlink", "unlink", "rmdir")


def dying_at(step: int, task: Callable[[], object]) -> Callable[[], None]:
    """Let a task be killed just before or just after a call to the operating system."""

    def run() -> None:
        steps = count(1)

        def strike() -> None:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
            def before_and_after(*arguments: Any, **options: Any) -> Any:
                strike()
                found = call(*arguments, **options)
                strike()
                return found

            return before_and_after

        for name in CALLS:
            setattr(os, name, deadly(getattr(os, name)))
        task()

    return run


def test_killed_at_each_step(tmp_path: Path) -> None:
    put(tmp_path, 0, size=1)
    current, outcomes, status = 0, set(), -1
    for step in count(1):
        status = in_child(dying_at(step, partial(put, tmp_path, step, size=1)))
        assert seen(tmp_path) in {str(current), str(step)}
        outcomes.add(seen(tmp_path) == str(step))
        current = int(seen(tmp_path))
        if not os.WIFSIGNALED(status):
            break
    assert os.waitstatus_to_exitcode(status) == 0
    assert step > 40
    assert outcomes == {True, False}
    put(tmp_path, 10_000, size=1)
    assert seen(tmp_path) == "10000"


def test_what_the_killed_left_behind_goes_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".20260101T120000-dead").mkdir(parents=True)
    (tmp_path / ".current-dead").symlink_to("nowhere")
    put(tmp_path, 1)
    assert len(list(tmp_path.glob(".*"))) == 2
    monkeypatch.setattr(module, "_STALE_SECONDS", -1.0)
    put(tmp_path, 2, size=1)
    assert list(tmp_path.glob(".*")) == []
    assert seen(tmp_path) == "2"


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that has none, or between two disks."""

    def refused(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refused)


def test_a_large_file_takes_no_room_twice(tmp_path: Path) -> None:
    folder = put(tmp_path / "demand", 1)
    source = tmp_path / "source demand 1"
    assert (folder / "summary.json").samefile(source)
    source.unlink()
    assert seen(tmp_path / "demand")[:1] == "1"


def test_files_are_copied_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_links(monkeypatch)
    folder = put(tmp_path / "demand", 1, size=1)
    assert not (folder / "summary.json").samefile(tmp_path / "source demand 1")
    assert seen(tmp_path / "demand") == "1"


@pytest.mark.parametrize(("links", "room"), [(True, 10), (False, 1_000)])
def test_a_full_disk_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool, room: int
) -> None:
    put(tmp_path, 1, size=1)

    source = made_by_a_run(tmp_path, 2, size=5000)
    if not links:
        without_links(monkeypatch)

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with pytest.raises(StoreError, match="consumers see what they saw before"):
            publish(tmp_path, {"a": source}, logical_model="demand", made=NOON)

    assert os.waitstatus_to_exitcode(in_child(fill)) == 0
    assert seen(tmp_path) == "1"
    assert len(list(tmp_path.iterdir())) == 2


def test_readers_never_see_a_half(tmp_path: Path) -> None:
    put(tmp_path, 0)
    stop, found = threading.Event(), list[str]()

    def consume() -> None:
        while not stop.is_set():
            try:
                found.append(seen(tmp_path)[:1])
            except NotFoundError:  # slower than two publishers; another test shows what it is told
                continue

    readers = [threading.Thread(target=consume) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 10):
        put(tmp_path, number, size=50_000)
    stop.set()
    for reader in readers:
        reader.join()
    assert set(found) <= {str(number) for number in range(10)}
    assert len(set(found)) > 1
