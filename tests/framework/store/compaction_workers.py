"""Processes that compact, and are killed or race: ``-m framework.store.compaction_workers``."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import count

from loopcast.store.events import EventLog

from .workers import events, fork

NO_TIME = timedelta()

READS = 4
"""Of all events while others compact them, at the least."""


def kill(url: str) -> None:
    """Compact a day again and again, each time killed one system call later than before.

    Prints how many calls a whole compaction makes; a child that reads wrong rows reports it.
    """
    in_child(lambda: fill_day(f"{url}/0"))
    done, step = False, 0
    while not done:
        step += 1
        folder = f"{url}/{step}"
        shutil.copytree(f"{url}/0", folder)
        pid = fork(lambda: compact_until(folder, step))  # noqa: B023
        done = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        in_child(lambda: check_day(folder))  # noqa: B023
    print(step)


def in_child(task: Callable[[], object]) -> None:
    """Run a task in a process of its own, since threads of Arrow do not survive a fork."""
    pid = fork(lambda: (task(), None)[1])
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(1)


def fill_day(folder: str) -> None:
    """Append batches, of which the first two were compacted before."""
    log = EventLog(folder)
    for batch in range(4):
        log.append(events([f"{batch}-{i}" for i in range(50)]))
        if batch == 1:
            log.compact("demand")


def read_day(folder: str) -> None:
    found = EventLog(folder).read("demand", columns=["key"])["key"].to_pylist()
    assert sorted(found) == sorted(f"{batch}-{i}" for batch in range(4) for i in range(50)), folder


def check_day(folder: str) -> None:
    """Read what a killed compaction left, finish its work, and read again."""
    read_day(folder)
    log = EventLog(folder)
    log.compact("demand", grace=NO_TIME)
    log.compact("demand", grace=NO_TIME)
    log.sweep("demand", NO_TIME)
    read_day(folder)


def compact_until(folder: str, step: int) -> None:
    """Compact, and be killed before the given one of the calls that change the disk."""
    calls = count(1)

    def dying(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            if next(calls) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        return call

    for name in ("fsync", "link", "unlink", "remove", "replace", "write"):
        setattr(os, name, dying(getattr(os, name)))
    EventLog(folder).compact("demand", grace=NO_TIME)


def race(url: str) -> None:
    """Append, compact in two processes and read in another, all at once; print the reads."""
    batches = 40
    appended = mmap.mmap(-1, 3)  # how many batches, whether these are all, and whether it is over

    def append_all() -> None:
        log = EventLog(url)
        for batch in range(batches):
            log.append(events([f"{batch}-{i}" for i in range(20)]))
            appended[0] = batch + 1

    def compact_all() -> None:
        while not appended[2]:
            EventLog(url).compact("demand", grace=NO_TIME)

    def read_all() -> None:
        reads = 0
        while not appended[1] or reads < READS:  # a busy machine appends faster than it reads
            before = appended[0]
            found = EventLog(url).read("demand", columns=["key"])["key"].to_pylist()
            assert len(found) == len(set(found)), "an event was seen twice"
            lost = {f"{b}-{i}" for b in range(before) for i in range(20)} - set(found)
            assert not lost, f"{len(lost)} events were missed"
            reads += 1
        print(reads, flush=True)

    pids = [fork(task) for task in (append_all, compact_all, compact_all, read_all)]
    appender, *compacters, reader = pids
    statuses = [os.waitpid(appender, 0)[1]]
    appended[1] = 1
    statuses.append(os.waitpid(reader, 0)[1])
    appended[2] = 1
    statuses += [os.waitpid(pid, 0)[1] for pid in compacters]
    sys.exit(max(map(os.waitstatus_to_exitcode, statuses)))


if __name__ == "__main__":
    {"kill": kill, "race": race}[sys.argv[1]](sys.argv[2])
